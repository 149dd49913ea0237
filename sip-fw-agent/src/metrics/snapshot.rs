//! The figures as the agent's tick leaves them. Nothing here grows with what attackers send.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, Counter, Shun, Source};
use sip_fw_common::limits::LADDER_STEPS_MAX;
use sip_fw_common::reason::Reason;
use sip_fw_core::time::Timestamp;

use crate::kernel::Attachment;

/// The figures of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is banned counts as dropped; false in mode observe.
    pub is_enforcing: bool,
    /// Packets and bytes since the maps were made, by the number of their reason.
    pub counters: Vec<Counter>,
    /// Events read from the ring buffer since the agent started.
    pub ring_events: u64,
    /// What people were told since the agent started, by the name of the event.
    pub events: BTreeMap<&'static str, u64>,
    /// What is held back.
    pub census: Census,
    /// Interfaces of the configuration, and how the programs are attached there.
    pub attachments: Vec<Attachment>,
    /// The rules in force.
    pub rules: RulesFigures,
    /// When the agent started.
    pub started: Timestamp,
    /// How long the last look at the tables took.
    pub tick: Duration,
}

/// The rules in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct RulesFigures {
    /// Number of the rule set.
    pub generation: u32,
    /// When it came into force.
    pub loaded: Timestamp,
    /// Prefixes that all lines came to.
    pub prefixes: usize,
    /// Kernel memory.
    pub bytes: u64,
}

/// Who is held back now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Sources banned, by the step of the ladder; 0 outside it.
    pub bans: [u64; LADDER_STEPS_MAX + 1],
    /// Prefixes banned.
    pub prefix_bans: u64,
    /// Sources shunned.
    pub shuns: u64,
}

impl Census {
    /// Counts what is in force.
    #[must_use]
    pub fn of(bans: &[(Source, Ban)], prefix_bans: &[(IpNet, Ban)], shuns: &[(Source, Shun)], now_ns: u64) -> Self {
        let mut census = Self::default();
        for (_, ban) in bans.iter().filter(|(_, ban)| ban.until_ns > now_ns) {
            census.bans[usize::from(ban.level).min(LADDER_STEPS_MAX)] += 1;
        }
        census.prefix_bans = prefix_bans.iter().filter(|(_, ban)| ban.until_ns > now_ns).count() as u64;
        census.shuns = shuns.iter().filter(|(_, shun)| shun.until_ns > now_ns).count() as u64;
        census
    }
}

impl Snapshot {
    /// Packets and bytes of a reason.
    #[must_use]
    pub fn counter(&self, reason: Reason) -> Counter {
        self.counters.get(usize::from(reason as u8)).copied().unwrap_or_default()
    }

    /// The most important of it on one line, for the service manager.
    #[must_use]
    pub fn summary(&self) -> String {
        let Census { bans, prefix_bans, shuns } = self.census;
        let bans = bans.iter().sum::<u64>() + prefix_bans;
        let interfaces: Vec<_> = self.attachments.iter().map(on).collect();
        let mode = if self.is_enforcing { "enforce" } else { "observe" };
        format!("mode {mode}; {bans} bans, {shuns} shuns; {}", interfaces.join(", "))
    }
}

fn on(attachment: &Attachment) -> String {
    let Attachment { interface, ingress, egress, .. } = attachment;
    if *ingress == "none" && *egress == "none" {
        return format!("{interface} NOT PROTECTED");
    }
    format!("{interface} {ingress}/{egress}")
}

#[cfg(test)]
mod tests {
    use sip_fw_common::abi::BanOrigin;

    use super::*;

    #[test]
    fn only_what_is_in_force_is_counted() {
        let of = |level, until_ns| Ban { level, ..Ban::new(BanOrigin::Failures, 0, until_ns) };
        let ban = |level, until_ns| (Source::v4(1), of(level, until_ns));
        let prefix = |until_ns| ("203.0.113.0/24".parse().unwrap(), of(0, until_ns));
        let shun = |until_ns| (Source::v4(1), Shun { until_ns, since_ns: 0, packets: 0, bytes: 0 });
        let bans = [ban(0, 11), ban(1, 11), ban(1, u64::MAX), ban(1, 10), ban(255, 11)];
        let census = Census::of(&bans, &[prefix(10), prefix(11)], &[shun(11), shun(10), shun(12)], 10);
        assert_eq!(census, Census { bans: [1, 2, 0, 0, 0, 0, 0, 0, 1], prefix_bans: 1, shuns: 2 });
    }

    #[test]
    fn one_line_for_the_service_manager() {
        let attached = |interface: &str, ingress, egress| Attachment {
            interface: interface.to_owned(),
            ingress,
            egress,
            dead: false,
        };
        let snapshot = Snapshot {
            is_enforcing: true,
            census: Census { prefix_bans: 2, shuns: 1, ..Census::default() },
            attachments: vec![attached("eth0", "native", "tcx"), attached("eth1", "none", "none")],
            ..Snapshot::default()
        };
        assert_eq!(snapshot.summary(), "mode enforce; 2 bans, 1 shuns; eth0 native/tcx, eth1 NOT PROTECTED");
    }
}
