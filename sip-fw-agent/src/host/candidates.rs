//! The network interfaces of this host, as far as `interfaces = "auto"` must know them.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};

/// ARPHRD_ETHER (linux/if_arp.h): packets begin with an Ethernet header.
const ETHERNET: u16 = 1;
/// VLAN interfaces and what they are on, in the network namespace that this thread is in.
const VLANS: &str = "/proc/thread-self/net/vlan/config";

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its packets begin with an Ethernet header, and it is not the loopback.
    pub is_ethernet: bool,
    /// It has an address that others than its own link reach.
    pub has_address: bool,
    /// The interface that a VLAN is on.
    pub below: Option<String>,
}

/// Every interface, in the order in which they came; none when they cannot be told.
#[must_use]
pub fn candidates() -> Vec<Candidate> {
    let vlans = vlans(&fs::read_to_string(VLANS).unwrap_or_default());
    let mut found: Vec<Candidate> = Vec::new();
    for entry in getifaddrs().into_iter().flatten() {
        // An IPv4 address may have a label of its own, eth0:1; names have no colons.
        let name = entry.interface_name.split(':').next().unwrap_or_default();
        let at = found.iter().position(|known| known.name == name).unwrap_or_else(|| {
            let below = vlans.get(name).cloned();
            found.push(Candidate { name: name.to_owned(), below, ..Candidate::default() });
            found.len() - 1
        });
        found[at].take(&entry);
    }
    found
}

impl Candidate {
    fn take(&mut self, entry: &InterfaceAddress) {
        let Some(storage) = &entry.address else { return };
        if let Some(link) = storage.as_link_addr() {
            self.is_ethernet = link.hatype() == ETHERNET;
        }
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        let address = v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())));
        self.has_address |= address.is_some_and(is_beyond_link);
    }
}

const fn is_beyond_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback() && !v6.is_unspecified(),
    }
}

/// Below two lines of titles: the VLAN interface, its number, the interface it is on.
fn vlans(table: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let mut fields = line.split('|').map(str::trim);
        let (name, _, below) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name.to_owned(), below.to_owned()))
    };
    table.lines().skip(2).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlans_and_what_they_are_on() {
        let table = "VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n\
                     eth0.10        | 10  | eth0\nvoice          | 4094  | bond0\n";
        let below = |name: &str| vlans(table).remove(name);
        assert_eq!((below("eth0.10").as_deref(), below("voice").as_deref()), (Some("eth0"), Some("bond0")));
        assert_eq!(vlans(table).len(), 2);
        assert!(vlans("").is_empty());
    }

    #[test]
    fn addresses_that_others_reach() {
        for (address, expected) in [
            ("192.0.2.1", true),
            ("10.0.0.1", true),
            ("169.254.1.1", false),
            ("127.0.0.1", false),
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("fe80::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_beyond_link(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_loopback_is_there_and_is_no_ethernet() {
        let loopback = candidates().into_iter().find(|interface| interface.name == "lo").unwrap();
        assert!(!loopback.is_ethernet && !loopback.has_address, "{loopback:?}");
    }
}
