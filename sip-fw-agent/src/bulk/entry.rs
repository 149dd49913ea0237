//! One ban on its way from host to host.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sip_fw_common::abi::{Ban, BanOrigin, Evidence, Text, UNTIL_LIFTED_NS};
use sip_fw_core::SCHEMA;
use sip_fw_core::source::show_net;
use sip_fw_core::text::{pack, shown};
use sip_fw_core::time::{Time, Timestamp, Until};

/// A ban, as a line of an export has it. The keys are those of `bans --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of these keys.
    pub schema: u32,
    /// An address or a prefix.
    pub source: String,
    /// When it ends; null when only an operator ends it.
    #[serde(deserialize_with = "Until::deserialize")]
    pub until: Until,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Step of the ladder; 0 outside it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub level: u8,
    /// Who decided it; an operator unless it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `proven` or `unproven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Strikes that led to it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub strikes: u32,
    /// User name of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// User-Agent of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Entry {
    /// A ban of an operator.
    #[must_use]
    pub const fn new(source: String, until: Until) -> Self {
        let (since, origin, evidence, user, user_agent) = (None, None, None, None, None);
        Self { schema: SCHEMA, source, until, since, level: 0, origin, evidence, strikes: 0, user, user_agent }
    }

    /// A ban of the tables.
    #[must_use]
    pub fn of(net: IpNet, ban: &Ban, now: Time) -> Self {
        Self {
            since: Some(now.wall_of(ban.since_ns)),
            level: ban.level,
            origin: BanOrigin::from_number(ban.origin).map(|origin| origin.name().to_owned()),
            evidence: Evidence::from_number(ban.evidence).map(|evidence| evidence.name().to_owned()),
            strikes: ban.strikes,
            user: shown(&ban.user),
            user_agent: shown(&ban.user_agent),
            ..Self::new(show_net(net), now.until(ban.until_ns))
        }
    }

    /// The ban for the tables of this host.
    #[must_use]
    pub fn ban(&self, now: Time) -> Ban {
        let named = |name: &Option<String>, found: &str| name.as_deref() == Some(found);
        let origin = BanOrigin::ALL.iter().find(|origin| named(&self.origin, origin.name()));
        let evidence = Evidence::ALL.iter().find(|evidence| named(&self.evidence, evidence.name()));
        let text = |text: &Option<String>| text.as_deref().map_or(Text::EMPTY, pack);
        let since_ns = self.since.map_or(now.kernel_ns, |since| now.kernel_of(since)).min(now.kernel_ns);
        let until_ns = match self.until {
            Until::At(time) => now.kernel_of(time),
            Until::Lifted => UNTIL_LIFTED_NS,
        };
        // Without the service: services have other numbers elsewhere.
        Ban {
            strikes: self.strikes,
            level: self.level,
            evidence: *evidence.unwrap_or(&Evidence::Proven) as u8,
            user: text(&self.user),
            user_agent: text(&self.user_agent),
            ..Ban::new(*origin.unwrap_or(&BanOrigin::Operator), since_ns, until_ns)
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(level: &u8) -> bool {
    *level == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(strikes: &u32) -> bool {
    *strikes == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_survives_the_way() {
        let here = Time { kernel_ns: 50_000_000_000, wall: Timestamp { unix_ms: 1_000_000 } };
        let there = Time { kernel_ns: 9_000_000_000_000, wall: Timestamp { unix_ms: 1_010_000 } };
        let ban = Ban {
            packets: 7,
            bytes: 700,
            strikes: 5,
            level: 2,
            service: 3,
            user: pack("1000"),
            ..Ban::new(BanOrigin::Failures, 40_000_000_000, 110_000_000_000)
        };
        let net = "203.0.113.9/32".parse().unwrap();
        let entry = Entry::of(net, &ban, here);
        let expected =
            Ban { until_ns: 9_050_000_000_000, since_ns: 8_980_000_000_000, packets: 0, bytes: 0, service: 0, ..ban };
        assert_eq!(entry.ban(there), expected);
        let permanent = Entry::of(net, &Ban { until_ns: UNTIL_LIFTED_NS, ..ban }, here);
        assert_eq!((permanent.until, permanent.ban(there).until_ns), (Until::Lifted, UNTIL_LIFTED_NS));
        let bare = Entry::new("203.0.113.9".to_owned(), Until::Lifted).ban(there);
        assert_eq!((bare.origin, bare.since_ns, bare.level), (BanOrigin::Operator as u8, there.kernel_ns, 0));
    }
}
