//! Many banned sources in one prefix: somebody who has them all.

use std::collections::BTreeSet;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sip_fw_common::abi::{Ban, BanOrigin, Source};
use sip_fw_common::ladder;

use super::{Command, Controller};
use crate::limits::{NEIGHBOURS_IPV4_PREFIX, NEIGHBOURS_IPV6_PREFIX, NEIGHBOURS_MAX};
use crate::record::{EventName, Record};
use crate::source::{Ipv6Prefix, show_net};
use crate::time::Time;

/// Sources that are banned for what they did.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    /// In the order of their addresses, so that those of a prefix stand together: one list costs a tenth of a list for each prefix.
    banned: BTreeSet<Source>,
    /// Prefixes that were spared; said once.
    spared: BTreeSet<IpNet>,
}

impl Crowds {
    pub(super) fn add(&mut self, source: Source) {
        self.banned.insert(source);
    }

    /// Takes the sources that are banned now.
    pub(super) fn replace(&mut self, ipv6: Ipv6Prefix, sources: impl Iterator<Item = Source>) {
        self.banned = sources.collect();
        let mut spared = std::mem::take(&mut self.spared);
        spared.retain(|prefix| self.is_crowd(ipv6, *prefix));
        self.spared = spared;
    }

    /// The banned sources of a prefix.
    fn members(&self, ipv6: Ipv6Prefix, prefix: IpNet) -> impl Iterator<Item = Source> {
        let range = ipv6.source_of(prefix.network())..=ipv6.source_of(prefix.broadcast());
        self.banned.range(range).copied()
    }

    fn is_crowd(&self, ipv6: Ipv6Prefix, prefix: IpNet) -> bool {
        self.members(ipv6, prefix).nth(NEIGHBOURS_MAX - 1).is_some()
    }
}

/// The prefix whose banned sources count together.
fn neighbourhood(ipv6: Ipv6Prefix, source: Source) -> IpNet {
    match ipv6.net(source) {
        IpNet::V4(v4) => IpNet::V4(Ipv4Net::new_assert(v4.network(), NEIGHBOURS_IPV4_PREFIX).trunc()),
        IpNet::V6(v6) => {
            let len = NEIGHBOURS_IPV6_PREFIX.min(v6.prefix_len());
            IpNet::V6(Ipv6Net::new_assert(v6.network(), len).trunc())
        }
    }
}

impl Controller {
    /// The prefix of a source that was just banned, if so many sources of it are banned that it should be, and it is not:
    /// [`super::Input::Crowd`] then says whether it may.
    #[must_use]
    pub fn crowded(&self, source: Source) -> Option<IpNet> {
        let prefix = neighbourhood(self.ipv6(), source);
        let many = self.crowds.is_crowd(self.ipv6(), prefix);
        let done = self.active_prefixes.contains_key(&prefix) || self.crowds.spared.contains(&prefix);
        (many && !done).then_some(prefix)
    }

    pub(super) fn crowd(&mut self, prefix: IpNet, spared: Option<String>, now: Time) -> Vec<Command> {
        let members: Vec<_> = self.crowds.members(self.ipv6(), prefix).collect();
        if members.is_empty() {
            return Vec::new();
        }
        let shown: Vec<_> = members.iter().map(|source| self.ipv6().show(*source)).collect();
        let reason = format!("{} banned sources in {}: {}", shown.len(), show_net(prefix), shown.join(", "));
        let step = ladder::next(&self.rules.settings, None, now.kernel_ns);
        let longest = members.iter().filter_map(|source| self.active.get(source)).max().copied().unwrap_or(0);
        let until_ns = longest.max(now.kernel_ns.saturating_add(step.length_ns));
        let record = Record { source: Some(show_net(prefix)), ..Record::new(now.wall, EventName::DistributedGuessing) };
        if let Some(why) = spared {
            self.crowds.spared.insert(prefix);
            return vec![Command::Report(record.because(format!("{reason}; the prefix is not banned: {why}")))];
        }
        self.active_prefixes.insert(prefix, until_ns);
        let ban = Ban { level: step.level, ..Ban::new(BanOrigin::Agent, now.kernel_ns, until_ns) };
        let banned = Record {
            event: EventName::Ban,
            until: Some(now.until(until_ns)),
            level: Some(step.level),
            ..record.clone().because(reason.clone())
        };
        let told = Command::Report(record.because(reason));
        vec![Command::PutPrefixBan { prefix, ban }, told, Command::Report(banned)]
    }
}
