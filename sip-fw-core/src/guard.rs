//! What must never be banned, whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::limits::{BAN_IPV4_PREFIX_MIN, BAN_IPV6_PREFIX_MIN};
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
    /// The access list trusts it.
    #[error("{found} is trusted: access rule \"{rule}\" says so for {trusted}")]
    Trusted {
        /// The target.
        found: String,
        /// The prefix of the rule.
        trusted: String,
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

/// Knows what must never be banned.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    own: Vec<IpAddr>,
    trusted: Vec<(IpNet, String)>,
}

impl Guard {
    /// With the addresses of this host.
    #[must_use]
    pub const fn new(own: Vec<IpAddr>) -> Self {
        Self { own, trusted: Vec::new() }
    }

    /// With prefixes that the access list trusts, each with the name of its rule.
    #[must_use]
    pub fn with_trusted(self, trusted: Vec<(IpNet, String)>) -> Self {
        Self { trusted, ..self }
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
        if let Some(trusted) = self.trusted.iter().find(|(trusted, _)| trusted.contains(&net)) {
            return Err(Refusal::Trusted { found, trusted: show_net(trusted.0), rule: trusted.1.clone() });
        }
        match self.own.iter().find(|own| net.contains(&own.to_canonical())) {
            Some(address) => Err(Refusal::OwnAddress { found, address: *address }),
            None => Ok(Admitted(target)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let trusting = guard.clone().with_trusted(vec![("198.51.100.0/24".parse().unwrap(), "carrier".to_owned())]);
        let target = Ipv6Prefix::DEFAULT.parse("198.51.100.7").unwrap();
        let refused = trusting.admit(target, Ipv6Prefix::DEFAULT).map(drop).map_err(|refusal| refusal.to_string());
        assert_eq!(
            refused,
            Err("198.51.100.7 is trusted: access rule \"carrier\" says so for 198.51.100.0/24".to_owned())
        );
        for text in ["10.0.0.0/8", "203.0.113.9", "2a00::/16", "2001:db8:9::1"] {
            let expected = Ipv6Prefix::DEFAULT.parse(text).unwrap();
            assert_eq!(admit(text), Ok(expected));
        }
    }
}
