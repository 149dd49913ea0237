//! The two address families every test runs over, and the addressing plan of the bed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4: network N is 10.98.N.0/24.
    V4,
    /// IPv6: network N is fd98:N::/64.
    V6,
}

/// The first of the networks in which nobody lives; answers to them end at the carrier, which drops them.
pub const WORLD_FIRST: u16 = 128;

impl Family {
    /// Both families.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Address `host` of network `network` (IPv4 uses the low byte of both).
    pub fn address(self, network: u16, host: u16) -> IpAddr {
        match self {
            Self::V4 => {
                let [_, network] = network.to_be_bytes();
                let [_, host] = host.to_be_bytes();
                IpAddr::V4(Ipv4Addr::new(10, 98, network, host))
            }
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xfd98, network, 0, 0, 0, 0, 0, host)),
        }
    }

    /// The prefix of network `network`, as a configuration names it.
    pub fn net(self, network: u16) -> String {
        let first = self.address(network, 0);
        format!("{first}/{}", if first.is_ipv4() { 24 } else { 64 })
    }

    /// The prefix of all networks of the bed.
    pub fn all_nets(self) -> String {
        let first = self.address(0, 0);
        format!("{first}/16")
    }

    /// The `n`-th of many sources out in the world: an own IPv4 address, or an own IPv6 /64. At most 30,000.
    pub fn world(self, n: u16) -> IpAddr {
        match self {
            Self::V4 => self.address(WORLD_FIRST + n / 250, 1 + n % 250),
            Self::V6 => self.address(0x8000 + n, 1),
        }
    }

    /// The family of an address.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// The name of the source that sip-fw judges for an address: the address itself, or the IPv6 /64.
pub fn source_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let net = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(net))
        }
    }
}

/// How an address is written in a SIP URI or in `host:port`: IPv6 in brackets.
pub fn uri_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_like_sip_fw_names_them() {
        assert_eq!(source_name(Family::V4.address(2, 7)), "10.98.2.7");
        assert_eq!(source_name(Family::V6.address(1, 7)), "fd98:1::/64");
    }

    #[test]
    fn prefixes_are_named_as_in_a_configuration() {
        assert_eq!([Family::V4.net(1), Family::V6.net(2)], ["10.98.1.0/24", "fd98:2::/64"]);
        assert_eq!([Family::V4.all_nets(), Family::V6.all_nets()], ["10.98.0.0/16", "fd98::/16"]);
    }

    #[test]
    fn a_thousand_world_sources_are_a_thousand_sources() {
        for family in Family::BOTH {
            let names: std::collections::BTreeSet<_> = (0..1000).map(|n| source_name(family.world(n))).collect();
            assert_eq!(names.len(), 1000);
        }
    }
}
