//! The figures of a report as JSON, schema 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sip_fw_core::time::Timestamp;

/// `report`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReportView {
    /// Version of these keys.
    pub schema: u32,
    /// Begin of the time that is reported.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// The time zone of its days and hours.
    pub time_zone: String,
    /// The first event that the agent remembers of that time; null if there is none.
    pub first_event: Option<Timestamp>,
    /// Events of that time.
    pub events: u64,
    /// Attacks: failed attempts and everything else in `kinds`.
    pub attacks: u64,
    /// Attacks by kind, the names of events.
    pub kinds: BTreeMap<String, u64>,
    /// Failures among them that the agent counted and did not tell one by one: of these no source or user is known.
    pub not_told: u64,
    /// Each day, in its order.
    pub days: Vec<DayView>,
    /// Each hour of the day, from 0 to 23.
    pub hours: Vec<HourView>,
    /// What was unusual about hours.
    pub unusual: UnusualView,
    /// Attacks by country, the worst first; null without a database of countries.
    pub countries: Option<Vec<CountryView>>,
    /// Networks with banned sources, the worst first.
    pub networks: Vec<NetworkView>,
    /// Attackers, the worst first.
    pub sources: Vec<SourceFigures>,
    /// Different sources that attacked, as far as they could be counted.
    pub sources_seen: usize,
    /// User names tried, the most frequent first.
    pub users: Vec<UserView>,
    /// Different user names tried, as far as they could be counted.
    pub users_seen: usize,
    /// The bans.
    pub bans: BansFigures,
    /// Shuns.
    pub shuns: u64,
    /// Devices of known peers that fail steadily.
    pub devices: Vec<DeviceView>,
}

/// A day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayView {
    /// `2026-11-25`.
    pub day: String,
    /// Attacks by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Bans.
    pub bans: u64,
    /// Shuns.
    pub shuns: u64,
}

impl DayView {
    /// Attacks of any kind.
    #[must_use]
    pub fn attacks(&self) -> u64 {
        self.kinds.values().sum()
    }
}

/// An hour of the day, over all days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourView {
    /// From 0 to 23.
    pub hour: u8,
    /// Attacks.
    pub attacks: u64,
    /// Sign-ins: the first success of a user from a source since the agent started.
    pub sign_ins: u64,
}

/// What was unusual about hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusualView {
    /// Whether the time is long enough to tell.
    pub judged: bool,
    /// Attacks in the middle one of the hours of the day.
    pub median: u64,
    /// Hours of the day with far more attacks.
    pub hours: Vec<u8>,
    /// Users that signed in often enough to have usual hours.
    pub users_judged: usize,
    /// Sign-ins far from a user's usual hours.
    pub sign_ins: Vec<SignInView>,
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInView {
    /// When.
    pub time: Timestamp,
    /// Its hour of the day.
    pub hour: u8,
    /// Who.
    pub user: String,
    /// Where from.
    pub source: String,
    /// Hours of the day in which this user signs in otherwise.
    pub usual_hours: Vec<u8>,
}

/// A country.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountryView {
    /// Its ISO code, or `unknown`.
    pub country: String,
    /// Attacks.
    pub attacks: u64,
    /// Bans.
    pub bans: u64,
}

/// A network: an IPv4 /24, an IPv6 /48, or a wider prefix that was banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// The prefix.
    pub network: String,
    /// Banned sources in it.
    pub sources: usize,
    /// Their bans.
    pub bans: u64,
}

/// An attacker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFigures {
    /// An address, or an IPv6 prefix.
    pub source: String,
    /// Its attacks, at most.
    pub attacks: u64,
    /// How many of them may be of others; only where more attacked than are counted one by one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncertain: u64,
    /// Its bans.
    pub bans: u64,
    /// Its country, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// When it was heard of last.
    pub last: Timestamp,
}

/// A user name that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// The name.
    pub user: String,
    /// Attacks with it, at most.
    pub attacks: u64,
    /// How many of them may be with others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncertain: u64,
}

/// Bans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BansFigures {
    /// All of them.
    pub total: u64,
    /// By step of the ladder; 0 is outside of it.
    pub by_level: BTreeMap<u8, u64>,
    /// Those that operators wrote.
    pub by_operator: u64,
    /// Different sources and prefixes that were banned.
    pub sources: usize,
    /// Those of them that were banned more than once.
    pub came_back: usize,
}

/// A device that fails steadily.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Where it is.
    pub source: String,
    /// Whose it is.
    pub user: Option<String>,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// How often it was reported: once an hour.
    pub reports: u64,
    /// When last.
    pub last: Timestamp,
    /// What was said then.
    pub reason: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
