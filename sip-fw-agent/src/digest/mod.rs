//! What happened over a while, in figures: [`Digest`] takes records one by one, in memory that no attacker can grow.
//!
//! [`view`] is what comes out, [`words`] puts it into sentences, [`page`] into a page for browsers. Days and hours are those of
//! a time zone; nothing here reads a clock.

mod frequent;
mod hours;
pub mod page;
pub mod view;
pub mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use sip_fw_core::SCHEMA;
use sip_fw_core::limits::{NEIGHBOURS_IPV4_PREFIX, NEIGHBOURS_IPV6_PREFIX};
use sip_fw_core::more::failures_besides;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::source::show_net;
use sip_fw_core::time::Timestamp;

use frequent::{Counted, Frequent};
use hours::Hours;
use view::{
    BansFigures, CountryView, DayView, DeviceView, NetworkView, ReportView, SourceFigures, UnusualView, UserView,
};

/// Sources, users and devices counted one by one. A few hundred bytes each.
const COUNTED_MAX: usize = 16_384;
/// Banned sources told apart. About 100 bytes each.
const BANNED_MAX: usize = 65_536;
/// Days of one report.
const DAYS_MAX: usize = 400;
/// Lines of each list.
const LISTED_MAX: usize = 20;
/// Milliseconds of two days: events of less make no hour unusual.
const TWO_DAYS_MS: i64 = 2 * 86_400_000;

/// Tells the country of an address.
pub type CountryOf = Box<dyn Fn(IpAddr) -> Option<String>>;

/// Counts records.
pub struct Digest {
    zone: TimeZone,
    country_of: Option<CountryOf>,
    first: Option<Timestamp>,
    events: u64,
    not_told: u64,
    kinds: BTreeMap<String, u64>,
    days: BTreeMap<Date, DayView>,
    hours: Hours,
    countries: BTreeMap<String, CountryView>,
    sources: Frequent<OfSource>,
    users: Frequent<()>,
    devices: Frequent<Option<DeviceView>>,
    bans: BansFigures,
    banned: HashMap<String, u64>,
    shuns: u64,
}

/// What is known of a source beside its attacks.
#[derive(Debug, Default)]
struct OfSource {
    last: Option<Timestamp>,
}

impl Digest {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(zone: TimeZone, country_of: Option<CountryOf>) -> Self {
        Self {
            zone,
            country_of,
            first: None,
            events: 0,
            not_told: 0,
            kinds: BTreeMap::new(),
            days: BTreeMap::new(),
            hours: Hours::new(),
            countries: BTreeMap::new(),
            sources: Frequent::new(COUNTED_MAX),
            users: Frequent::new(COUNTED_MAX),
            devices: Frequent::new(COUNTED_MAX),
            bans: BansFigures::default(),
            banned: HashMap::new(),
            shuns: 0,
        }
    }

    /// Counts one record.
    pub fn add(&mut self, record: &Record) {
        self.events += 1;
        self.first = Some(self.first.map_or(record.time, |first| first.min(record.time)));
        match record.event {
            EventName::AuthFailure
            | EventName::Enumeration
            | EventName::DialScan
            | EventName::Scanner
            | EventName::Flood
            | EventName::DistributedGuessing
            | EventName::Denied => self.attack(record),
            EventName::Ban => self.ban(record),
            EventName::Shun => {
                self.shuns += 1;
                if let Some(day) = self.day(record.time) {
                    day.shuns += 1;
                }
            }
            EventName::DeviceFault => self.device(record),
            EventName::AuthSuccess => self.sign_in(record),
            EventName::Unban
            | EventName::Expire
            | EventName::PeerLearned
            | EventName::RulesApplied
            | EventName::Attached
            | EventName::Detached
            | EventName::AgentStarted
            | EventName::AgentStopped
            | EventName::Degraded => {}
        }
    }

    fn attack(&mut self, record: &Record) {
        let besides = record.reason.as_deref().filter(|_| record.event == EventName::AuthFailure);
        let besides = besides.map_or(0, failures_besides);
        // A record of what was not told one by one has no source of its own.
        let own = u64::from(besides == 0 || record.source.is_some());
        let times = own.saturating_add(besides);
        self.not_told = self.not_told.saturating_add(besides);
        add_to(&mut self.kinds, record.event, times);
        if let Some(day) = self.day(record.time) {
            add_to(&mut day.kinds, record.event, times);
        }
        if let Some(time) = self.local(record.time) {
            self.hours.attacks(time.hour().unsigned_abs(), times);
        }
        if own == 0 {
            return;
        }
        if let Some(source) = &record.source {
            self.sources.add(source, 1).last = Some(record.time);
            self.country(source, |country| country.attacks += 1);
        }
        if let Some(user) = &record.user {
            self.users.add(user, 1);
        }
    }

    fn ban(&mut self, record: &Record) {
        self.bans.total += 1;
        *self.bans.by_level.entry(record.level.unwrap_or(0)).or_default() += 1;
        let by_operator = record.reason.as_ref().is_some_and(|reason| reason.starts_with("by operator"));
        self.bans.by_operator += u64::from(by_operator);
        if let Some(day) = self.day(record.time) {
            day.bans += 1;
        }
        let Some(source) = &record.source else { return };
        self.country(source, |country| country.bans += 1);
        if self.banned.len() < BANNED_MAX || self.banned.contains_key(source) {
            *self.banned.entry(source.clone()).or_default() += 1;
        }
    }

    fn device(&mut self, record: &Record) {
        let Some(source) = &record.source else { return };
        let name = format!("{source} {}", record.user.as_deref().unwrap_or_default());
        *self.devices.add(&name, 1) = Some(DeviceView {
            source: source.clone(),
            user: record.user.clone(),
            user_agent: record.user_agent.clone(),
            reports: 0,
            last: record.time,
            reason: record.reason.clone(),
        });
    }

    fn sign_in(&mut self, record: &Record) {
        let (Some(user), Some(source)) = (&record.user, &record.source) else { return };
        let Some(time) = self.local(record.time) else { return };
        self.hours.sign_in(user, source, record.time, time.hour().unsigned_abs());
    }

    fn country(&mut self, source: &str, count: impl FnOnce(&mut CountryView)) {
        let Some(country_of) = &self.country_of else { return };
        let code = address(source).and_then(country_of).unwrap_or_else(|| "unknown".to_owned());
        let country = || CountryView { country: code.clone(), attacks: 0, bans: 0 };
        count(self.countries.entry(code.clone()).or_insert_with(country));
    }

    fn day(&mut self, time: Timestamp) -> Option<&mut DayView> {
        let date = self.local(time)?.date();
        if self.days.len() >= DAYS_MAX && !self.days.contains_key(&date) {
            return None;
        }
        Some(self.days.entry(date).or_insert_with(|| DayView { day: date.to_string(), ..DayView::default() }))
    }

    /// The date and the hour there and then.
    fn local(&self, time: Timestamp) -> Option<DateTime> {
        Some(self.zone.to_datetime(jiff::Timestamp::from_millisecond(time.unix_ms).ok()?))
    }

    /// The figures of the time from `since` until `until`.
    #[must_use]
    pub fn finish(mut self, since: Timestamp, until: Timestamp) -> ReportView {
        self.add_quiet_days(since, until);
        let known_since = self.first.map_or(until, |first| first.max(since));
        let judged = until.unix_ms.saturating_sub(known_since.unix_ms) >= TWO_DAYS_MS;
        let hours = self.hours.view();
        let mut countries: Vec<_> = self.countries.into_values().collect();
        countries.sort_by(|a, b| (b.attacks, b.bans).cmp(&(a.attacks, a.bans)).then_with(|| a.country.cmp(&b.country)));
        countries.truncate(LISTED_MAX);
        self.bans.sources = self.banned.len();
        self.bans.came_back = self.banned.values().filter(|bans| **bans > 1).count();
        let zone = self.zone.iana_name().map_or_else(|| "local time".to_owned(), str::to_owned);
        let (sources_seen, users_seen) = (self.sources.len(), self.users.len());
        let country_of = |source: &str| self.country_of.as_ref().and_then(|of| of(address(source)?));
        let source = |(source, counted): (String, Counted<OfSource>)| SourceFigures {
            attacks: counted.count,
            uncertain: counted.over,
            bans: self.banned.get(&source).copied().unwrap_or(0),
            country: country_of(&source),
            last: counted.more.last.unwrap_or(since),
            source,
        };
        let user = |(user, Counted { count, over, .. }): (String, Counted<()>)| UserView {
            user,
            attacks: count,
            uncertain: over,
        };
        let device = |(_, Counted { count, more, .. }): (String, Counted<Option<DeviceView>>)| {
            Some(DeviceView { reports: count, ..more? })
        };
        ReportView {
            schema: SCHEMA,
            since,
            until,
            time_zone: zone,
            first_event: self.first,
            events: self.events,
            attacks: self.kinds.values().sum(),
            not_told: self.not_told,
            days: self.days.into_values().collect(),
            unusual: if judged { self.hours.unusual() } else { UnusualView::default() },
            hours,
            countries: self.country_of.as_ref().map(|_| countries),
            networks: networks(&self.banned),
            sources: self.sources.into_sorted().into_iter().take(LISTED_MAX).map(source).collect(),
            sources_seen,
            users: self.users.into_sorted().into_iter().take(LISTED_MAX).map(user).collect(),
            users_seen,
            devices: self.devices.into_sorted().into_iter().filter_map(device).take(LISTED_MAX).collect(),
            kinds: self.kinds,
            bans: self.bans,
            shuns: self.shuns,
        }
    }

    /// Days on which nothing happened are days, too.
    fn add_quiet_days(&mut self, since: Timestamp, until: Timestamp) {
        let (Some(first), Some(last)) = (self.local(since), self.local(until)) else { return };
        let mut date = last.date();
        while date >= first.date() && self.days.len() < DAYS_MAX {
            self.days.entry(date).or_insert_with(|| DayView { day: date.to_string(), ..DayView::default() });
            let Ok(before) = date.yesterday() else { return };
            date = before;
        }
    }
}

fn add_to(kinds: &mut BTreeMap<String, u64>, event: EventName, times: u64) {
    let count = kinds.entry(event.name().to_owned()).or_default();
    *count = count.saturating_add(times);
}

fn address(source: &str) -> Option<IpAddr> {
    source.split('/').next()?.parse().ok()
}

/// The networks of banned sources, those with the most of them first.
fn networks(banned: &HashMap<String, u64>) -> Vec<NetworkView> {
    let mut networks: BTreeMap<IpNet, (BTreeSet<&str>, u64)> = BTreeMap::new();
    for (source, bans) in banned {
        let Some(network) = network_of(source) else { continue };
        let (sources, all) = networks.entry(network).or_default();
        sources.insert(source);
        *all += bans;
    }
    let view = |(network, (sources, bans)): (IpNet, (BTreeSet<&str>, u64))| NetworkView {
        network: show_net(network),
        sources: sources.len(),
        bans,
    };
    let mut views: Vec<_> = networks.into_iter().map(view).collect();
    views.sort_by_key(|view| Reverse((view.sources, view.bans)));
    views.truncate(LISTED_MAX);
    views
}

fn network_of(source: &str) -> Option<IpNet> {
    let net: IpNet = source.parse().ok().or_else(|| Some(source.parse::<IpAddr>().ok()?.into()))?;
    let longest = if matches!(net, IpNet::V4(_)) { NEIGHBOURS_IPV4_PREFIX } else { NEIGHBOURS_IPV6_PREFIX };
    IpNet::new(net.network(), net.prefix_len().min(longest)).ok().map(|net| net.trunc())
}

#[cfg(test)]
mod tests;
