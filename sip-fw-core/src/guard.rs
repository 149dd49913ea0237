//! What must never be banned, whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::limits::{BAN_IPV4_PREFIX_MIN, BAN_IPV6_PREFIX_MIN};
use crate::rules::{Action, Line, RuleSet, Verdict};
use crate::source::{Ipv6Prefix, Target, show_net};

/// Why a ban is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would cut off a large part of the network.
    #[error("{found} is wider than /{allowed}, the widest prefix that may be banned")]
    TooWide {
        /// The prefix.
        found: String,
        /// The shortest length allowed.
        allowed: u8,
    },
    /// This host talks to itself there.
    #[error("{0} contains a loopback address")]
    Loopback(String),
    /// Nobody.
    #[error("{0} contains the unspecified address")]
    Unspecified(String),
    /// Nothing is ever sent from it.
    #[error("{0} contains multicast addresses")]
    Multicast(String),
    /// The access list trusts it, at every service.
    #[error("{found} is trusted: access rule \"{rule}\" says so")]
    Trusted {
        /// The target.
        found: String,
        /// The name of the rule.
        rule: String,
    },
    /// This host.
    #[error("{found} contains {address}, an address of this host")]
    OwnAddress {
        /// The target.
        found: String,
        /// The address of this host.
        address: IpAddr,
    },
}

/// A target that may be banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted(Target);

impl Admitted {
    /// The target.
    #[must_use]
    pub const fn target(self) -> Target {
        self.0
    }
}

/// The access rules, and their names in the order of the plan.
type Access = (Arc<RuleSet>, Arc<[String]>);

/// Knows what must never be banned.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    own: Vec<IpAddr>,
    access: Option<Access>,
}

impl Guard {
    /// With the addresses of this host.
    #[must_use]
    pub const fn new(own: Vec<IpAddr>) -> Self {
        Self { own, access: None }
    }

    /// With the access rules, and their names in the order of the plan.
    #[must_use]
    pub fn with_access(self, set: Arc<RuleSet>, names: Arc<[String]>) -> Self {
        Self { access: Some((set, names)), ..self }
    }

    /// Admits a target, or says why not.
    ///
    /// # Errors
    ///
    /// When the target must never be banned.
    pub fn admit(&self, target: Target, ipv6: Ipv6Prefix) -> Result<Admitted, Refusal> {
        let net = match target {
            Target::Source(source) => ipv6.net(source),
            Target::Prefix(prefix) => prefix,
        };
        let found = show_net(net);
        let (allowed, multicast) = match net {
            IpNet::V4(v4) => (BAN_IPV4_PREFIX_MIN, v4.network().is_multicast()),
            IpNet::V6(v6) => (BAN_IPV6_PREFIX_MIN, v6.network().is_multicast()),
        };
        if net.prefix_len() < allowed {
            return Err(Refusal::TooWide { found, allowed });
        }
        if multicast {
            return Err(Refusal::Multicast(found));
        }
        let network = net.network();
        if network.is_loopback() || net.contains(&IpAddr::V6(Ipv6Addr::LOCALHOST)) {
            return Err(Refusal::Loopback(found));
        }
        if network.is_unspecified() || net.contains(&IpAddr::V4(Ipv4Addr::UNSPECIFIED)) {
            return Err(Refusal::Unspecified(found));
        }
        // Of a prefix that contains trusted addresses, these pass all the same: trust comes before bans.
        if let Some(rule) = self.trusted_by(net) {
            return Err(Refusal::Trusted { found, rule });
        }
        match self.own.iter().find(|own| net.contains(&own.to_canonical())) {
            Some(address) => Err(Refusal::OwnAddress { found, address: *address }),
            None => Ok(Admitted(target)),
        }
    }

    /// The rule that trusts both ends of a prefix at every service.
    fn trusted_by(&self, net: IpNet) -> Option<String> {
        let (set, names) = self.access.as_ref()?;
        let trusting = |address, service| match set.verdict(address, service, false) {
            Verdict { action: Action::Trust, by: Line::Rule(rule) } => Some(rule),
            _ => None,
        };
        let ends = [net.network(), net.broadcast()];
        let rules: Option<Vec<_>> = set.services().flat_map(|service| ends.map(|end| trusting(end, service))).collect();
        names.get(*rules?.first()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use sip_fw_common::abi::{Rate, ServiceKind, Settings};

    use super::*;
    use crate::rules::{Plan, Rule, Service};

    #[test]
    fn refuses_what_would_hurt_this_host() {
        let own = ["192.0.2.10", "2001:db8:1:2::3"].map(|a| a.parse().unwrap());
        let guard = Guard::new(own.to_vec());
        let admit = |text: &str| {
            let target = Ipv6Prefix::DEFAULT.parse(text).unwrap();
            guard.admit(target, Ipv6Prefix::DEFAULT).map(Admitted::target).map_err(|refusal| refusal.to_string())
        };
        for (text, expected) in [
            ("0.0.0.0/0", "0.0.0.0/0 is wider than /8, the widest prefix that may be banned"),
            ("::/0", "::/0 is wider than /16, the widest prefix that may be banned"),
            ("10.0.0.0/7", "10.0.0.0/7 is wider than /8, the widest prefix that may be banned"),
            ("2000::/15", "2000::/15 is wider than /16, the widest prefix that may be banned"),
            ("127.0.0.1", "127.0.0.1 contains a loopback address"),
            ("127.0.0.0/8", "127.0.0.0/8 contains a loopback address"),
            ("::1", "::/64 contains a loopback address"),
            ("0.0.0.0", "0.0.0.0 contains the unspecified address"),
            ("0.0.0.0/8", "0.0.0.0/8 contains the unspecified address"),
            ("224.0.0.1", "224.0.0.1 contains multicast addresses"),
            ("192.0.2.10", "192.0.2.10 contains 192.0.2.10, an address of this host"),
            ("192.0.2.0/24", "192.0.2.0/24 contains 192.0.2.10, an address of this host"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64 contains 2001:db8:1:2::3, an address of this host"),
        ] {
            assert_eq!(admit(text), Err(expected.to_owned()), "{text}");
        }
        for text in ["10.0.0.0/8", "203.0.113.9", "2a00::/16", "2001:db8:9::1"] {
            let expected = Ipv6Prefix::DEFAULT.parse(text).unwrap();
            assert_eq!(admit(text), Ok(expected));
        }
    }

    #[test]
    fn who_is_trusted_at_every_service_is_not_banned() {
        let rule = |net: &str, to: Option<Vec<u8>>, action| Rule {
            nets: vec![net.parse().unwrap()],
            learned: false,
            to: to.map(|to| to.into_iter().collect()),
            action,
        };
        let service = |port| Service {
            kind: ServiceKind::Sip,
            refusal: 0,
            rates: [Rate::default(); 2],
            default: Action::Allow,
            ports: vec![(false, port, port)],
        };
        let plan = Plan {
            settings: Settings { threshold: 5, ladder_steps: 1, ipv6_mask: u64::MAX, ..Settings::default() },
            services: vec![service(5060), service(5070)],
            rules: vec![
                rule("198.51.100.7/32", None, Action::Allow),
                rule("198.51.100.0/24", None, Action::Trust),
                rule("203.0.113.0/24", Some(vec![0]), Action::Trust),
            ],
            own: Vec::new(),
            generation: 1,
            cpus: 1,
            prefixes_max: 100,
        };
        let set = Arc::new(RuleSet::compile(&plan).unwrap());
        let guard = Guard::default().with_access(set, ["one", "carrier", "half"].map(str::to_owned).into());
        let admit = |text: &str| {
            let target = Ipv6Prefix::DEFAULT.parse(text).unwrap();
            guard.admit(target, Ipv6Prefix::DEFAULT).map(drop).map_err(|refusal| refusal.to_string())
        };
        let carrier = "198.51.100.9 is trusted: access rule \"carrier\" says so";
        assert_eq!(admit("198.51.100.9"), Err(carrier.to_owned()));
        assert_eq!(admit("198.51.100.7"), Ok(()), "an earlier rule only allows it");
        assert_eq!(admit("203.0.113.9"), Ok(()), "trusted at one of two services");
        assert_eq!(admit("198.51.0.0/16"), Ok(()), "trusted addresses in it pass all the same");
    }
}
