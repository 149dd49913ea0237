//! Finds lines that deny what a later line trusts: the first match decides, so trusted sources would be dropped.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::{AccessAction, AccessRule, Origin};

/// A line that denies what a later line trusts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Place of the line that denies.
    pub(super) deny: usize,
    /// Place of the later line that trusts some of them.
    pub(super) trust: usize,
    /// Addresses in both.
    pub(super) net: IpNet,
}

/// One overlap for each line that denies what a later line trusts, for a service they share.
///
/// Only addresses that stand in the file are compared. The lines are walked from the last to the first, so that the
/// prefixes kept are those of later lines; looking one up takes a step per length of prefix in use, however many
/// lines there are.
pub(super) fn find(rules: &[AccessRule]) -> Vec<Overlap> {
    let mut later = Later::default();
    let mut found = Vec::new();
    for (place, rule) in rules.iter().enumerate().rev() {
        let nets = rule.from.iter().filter_map(|origin| match origin {
            Origin::Net(net) => Some(*net),
            _ => None,
        });
        match rule.action {
            AccessAction::Trust => nets.for_each(|net| later.trust(net, rule.to.as_deref(), place)),
            AccessAction::Deny => {
                let first = nets.filter_map(|net| later.overlap(net, rule.to.as_deref())).min();
                found.extend(first.map(|(trust, net)| Overlap { deny: place, trust, net }));
            }
            AccessAction::Allow | AccessAction::Off => {}
        }
    }
    found
}

/// What the lines after the present one trust.
#[derive(Default)]
struct Later {
    /// By every line.
    any: Prefixes,
    /// By the lines for all services.
    all: Prefixes,
    /// By the lines for one service.
    some: BTreeMap<u8, Prefixes>,
}

impl Later {
    fn trust(&mut self, net: IpNet, services: Option<&[u8]>, place: usize) {
        self.any.insert(net, place);
        match services {
            None => self.all.insert(net, place),
            Some(numbers) => numbers.iter().for_each(|number| self.some.entry(*number).or_default().insert(net, place)),
        }
    }

    fn overlap(&self, net: IpNet, services: Option<&[u8]>) -> Option<(usize, IpNet)> {
        let Some(numbers) = services else { return self.any.overlap(net) };
        let shared = numbers.iter().filter_map(|number| self.some.get(number)).chain([&self.all]);
        shared.filter_map(|prefixes| prefixes.overlap(net)).min()
    }
}

/// Prefixes, each with the first line that has it.
#[derive(Default)]
struct Prefixes {
    lines: BTreeMap<IpNet, usize>,
    v4_lengths: BTreeSet<u8>,
    v6_lengths: BTreeSet<u8>,
}

impl Prefixes {
    fn insert(&mut self, net: IpNet, place: usize) {
        self.lines.insert(net, place);
        match net {
            IpNet::V4(_) => self.v4_lengths.insert(net.prefix_len()),
            IpNet::V6(_) => self.v6_lengths.insert(net.prefix_len()),
        };
    }

    /// A prefix that contains `net` or is inside it: two prefixes have no other way to overlap.
    fn overlap(&self, net: IpNet) -> Option<(usize, IpNet)> {
        let lengths = match net {
            IpNet::V4(_) => &self.v4_lengths,
            IpNet::V6(_) => &self.v6_lengths,
        };
        let around = lengths.range(..=net.prefix_len()).find_map(|len| {
            let around = cut(net, *len)?;
            self.lines.get(&around).map(|place| (*place, net))
        });
        // In the order of addresses, what is inside follows at once.
        let inside = || self.lines.range(net..).next().filter(|(inside, _)| net.contains(*inside));
        around.or_else(|| inside().map(|(inside, place)| (*place, *inside)))
    }
}

fn cut(net: IpNet, len: u8) -> Option<IpNet> {
    match net {
        IpNet::V4(v4) => Ipv4Net::new(v4.addr(), len).ok().map(|v4| IpNet::V4(v4.trunc())),
        IpNet::V6(v6) => Ipv6Net::new(v6.addr(), len).ok().map(|v6| IpNet::V6(v6.trunc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: AccessAction, from: &[&str], to: Option<&[u8]>) -> AccessRule {
        let from = from.iter().map(|net| Origin::Net(net.parse().unwrap())).collect();
        AccessRule { line: 1, name: String::new(), from, to: to.map(<[u8]>::to_vec), action }
    }

    fn deny(from: &[&str], to: Option<&[u8]>) -> AccessRule {
        rule(AccessAction::Deny, from, to)
    }

    fn trust(from: &[&str], to: Option<&[u8]>) -> AccessRule {
        rule(AccessAction::Trust, from, to)
    }

    #[test]
    fn prefixes_around_and_inside() {
        for (denied, trusted, both) in [
            ("10.0.0.0/8", "10.1.2.3/32", Some("10.1.2.3/32")),
            ("10.1.2.3/32", "10.0.0.0/8", Some("10.1.2.3/32")),
            ("10.0.0.0/8", "10.0.0.0/8", Some("10.0.0.0/8")),
            ("10.0.0.0/8", "10.255.255.255/32", Some("10.255.255.255/32")),
            ("10.0.0.0/8", "11.0.0.0/32", None),
            ("10.0.0.0/8", "9.255.255.255/32", None),
            ("10.0.0.0/9", "10.128.0.0/9", None),
            ("2001:db8::/32", "2001:db8:1::/48", Some("2001:db8:1::/48")),
            ("2001:db8::1/128", "2001:db8::/32", Some("2001:db8::1/128")),
            ("2001:db8::/32", "10.0.0.0/8", None),
            ("::/1", "10.0.0.0/8", None),
        ] {
            let found = find(&[deny(&[denied], None), trust(&[trusted], None)]);
            let expected = both.map(|net| Overlap { deny: 0, trust: 1, net: net.parse().unwrap() });
            assert_eq!(found, Vec::from_iter(expected), "{denied} {trusted}");
        }
    }

    #[test]
    fn only_later_lines_and_shared_services() {
        let (net, other) = (&["10.0.0.0/8"][..], &["192.0.2.0/24", "10.2.0.0/16"][..]);
        let found = |rules: &[AccessRule]| find(rules).iter().map(|o| (o.deny, o.trust)).collect::<Vec<_>>();
        assert_eq!(found(&[trust(net, None), deny(net, None)]), []);
        assert_eq!(found(&[deny(net, Some(&[0, 2])), trust(other, Some(&[1])), trust(net, Some(&[2]))]), [(0, 2)]);
        assert_eq!(found(&[deny(net, Some(&[0])), trust(other, Some(&[1]))]), []);
        assert_eq!(found(&[deny(net, Some(&[0])), trust(other, None)]), [(0, 1)]);
        assert_eq!(found(&[deny(net, None), trust(other, Some(&[1]))]), [(0, 1)]);
        assert_eq!(found(&[deny(net, None), trust(net, None), deny(net, None), trust(net, None)]), [(2, 3), (0, 1)]);
        assert_eq!(found(&[deny(net, None), rule(AccessAction::Off, net, None)]), []);
    }
}
