//! Sources as people write them: an IPv4 address, or an IPv6 prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sip_fw_common::abi::Source;

/// How many bits of an IPv6 address make a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Prefix(u8);

/// Whom an operator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One source.
    Source(Source),
    /// Every source of a prefix.
    Prefix(IpNet),
}

/// A text that names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither an address nor a prefix.
    #[error(
        "{0:?} is neither an address nor a prefix: allowed are 203.0.113.9, 203.0.113.0/24, 2001:db8::1, 2001:db8::/48"
    )]
    Syntax(String),
    /// Longer than a source.
    #[error(
        "{found}: IPv6 sources count as their /{prefix}, so a longer prefix cannot be told apart; use {source_prefix}"
    )]
    TooLong {
        /// What was written.
        found: String,
        /// The length of a source.
        prefix: u8,
        /// The source that contains it.
        source_prefix: Ipv6Net,
    },
    /// No packet comes from there.
    #[error("{0} is a multicast address: nothing is ever sent from it")]
    Multicast(String),
}

impl Ipv6Prefix {
    /// The usual one.
    pub const DEFAULT: Self = Self(64);

    /// A prefix of this length; lengths above 64 count as 64.
    #[must_use]
    pub const fn new(len: u8) -> Self {
        Self(if len > 64 { 64 } else { len })
    }

    /// The length that a mask of the settings stands for.
    #[must_use]
    pub const fn of_mask(mask: u64) -> Self {
        Self(mask.leading_ones() as u8)
    }

    /// Its length in bits.
    #[must_use]
    pub const fn len(self) -> u8 {
        self.0
    }

    /// Whether all of IPv6 is one source.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its mask, for the settings.
    #[must_use]
    pub const fn mask(self) -> u64 {
        Source::v6_mask(self.0)
    }

    /// The source an address belongs to. IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn source_of(self, address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(v4) => Source::v4(v4.to_bits()),
            IpAddr::V6(v6) => Source::v6((v6.to_bits() >> 64) as u64, self.mask()),
        }
    }

    /// The addresses a source stands for.
    #[must_use]
    pub fn net(self, source: Source) -> IpNet {
        match source.as_v4() {
            Some(v4) => IpNet::V4(Ipv4Net::from(Ipv4Addr::from_bits(v4))),
            None => IpNet::V6(v6_net(source.bits, self.0)),
        }
    }

    /// A source for people: `203.0.113.9` or `2001:db8::/64`.
    #[must_use]
    pub fn show(self, source: Source) -> String {
        show_net(self.net(source))
    }

    /// A target for people.
    #[must_use]
    pub fn show_target(self, target: Target) -> String {
        match target {
            Target::Source(source) => self.show(source),
            Target::Prefix(prefix) => show_net(prefix),
        }
    }

    /// Reads `ADDR` or `ADDR/LEN`.
    ///
    /// # Errors
    ///
    /// When it is neither, or names less than a source.
    pub fn parse(self, text: &str) -> Result<Target, TargetError> {
        let text = text.trim();
        let syntax = || TargetError::Syntax(crate::text::cut(text, 80));
        let net = match text.parse::<IpAddr>() {
            Ok(address) => match address.to_canonical() {
                IpAddr::V4(v4) => IpNet::V4(Ipv4Net::from(v4)),
                IpAddr::V6(v6) => IpNet::V6(v6_net((v6.to_bits() >> 64) as u64, self.0)),
            },
            Err(_) => text.parse::<IpNet>().map_err(|_| syntax())?.trunc(),
        };
        match net {
            IpNet::V4(v4) if v4.prefix_len() == 32 => Ok(Target::Source(self.source_of(IpAddr::V4(v4.addr())))),
            IpNet::V4(_) => Ok(Target::Prefix(net)),
            IpNet::V6(v6) if v6.addr().is_multicast() => Err(TargetError::Multicast(text.to_owned())),
            IpNet::V6(v6) if v6.prefix_len() > self.0 => Err(TargetError::TooLong {
                found: text.to_owned(),
                prefix: self.0,
                source_prefix: v6_net((v6.addr().to_bits() >> 64) as u64, self.0),
            }),
            IpNet::V6(v6) if v6.prefix_len() == self.0 => Ok(Target::Source(self.source_of(IpAddr::V6(v6.addr())))),
            IpNet::V6(_) => Ok(Target::Prefix(net)),
        }
    }
}

/// A prefix for people; a single IPv4 address without its length.
#[must_use]
pub fn show_net(net: IpNet) -> String {
    match net {
        IpNet::V4(v4) if v4.prefix_len() == 32 => v4.addr().to_string(),
        IpNet::V4(_) | IpNet::V6(_) => net.to_string(),
    }
}

fn v6_net(high: u64, len: u8) -> Ipv6Net {
    let address = Ipv6Addr::from_bits(u128::from(high & Source::v6_mask(len)) << 64);
    Ipv6Net::new(address, len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_prefixes() {
        let shown = |text: &str| {
            Ipv6Prefix::DEFAULT.parse(text).map(|target| match target {
                Target::Source(_) => format!("source {}", Ipv6Prefix::DEFAULT.show_target(target)),
                Target::Prefix(_) => format!("prefix {}", Ipv6Prefix::DEFAULT.show_target(target)),
            })
        };
        for (text, expected) in [
            ("203.0.113.9", "source 203.0.113.9"),
            ("203.0.113.9/32", "source 203.0.113.9"),
            ("::ffff:203.0.113.9", "source 203.0.113.9"),
            ("203.0.113.9/24", "prefix 203.0.113.0/24"),
            ("2001:db8::1", "source 2001:db8::/64"),
            ("2001:db8::/64", "source 2001:db8::/64"),
            ("2001:db8::1/48", "prefix 2001:db8::/48"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(
            shown("2001:db8::1/128").map_err(|e| e.to_string()),
            Err("2001:db8::1/128: IPv6 sources count as their /64, so a longer prefix cannot be told apart; use 2001:db8::/64".to_owned())
        );
        assert!(matches!(shown("ff02::1"), Err(TargetError::Multicast(_))));
        assert!(matches!(shown("ffff:ffff:cb00:7109::"), Err(TargetError::Multicast(_))), "the key of an IPv4 source");
        for wrong in ["", "host.example", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "/8"] {
            assert!(matches!(shown(wrong), Err(TargetError::Syntax(_))), "{wrong}");
        }
    }

    #[test]
    fn shorter_sources() {
        let prefix = Ipv6Prefix::of_mask(Source::v6_mask(48));
        assert_eq!(prefix.parse("2001:db8:1:2::3").map(|t| prefix.show_target(t)).as_deref(), Ok("2001:db8:1::/48"));
        assert!(matches!(prefix.parse("2001:db8:1:2::/64"), Err(TargetError::TooLong { .. })));
    }
}
