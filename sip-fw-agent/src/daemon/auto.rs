//! `interfaces = "auto"`: which interfaces get the programs.

use std::collections::BTreeSet;

use crate::config::INTERFACES_MAX;
use crate::host::Candidate;

/// What a look at all interfaces came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// They get the programs.
    pub added: Vec<String>,
    /// They would, if there were not that many.
    pub left_out: Vec<String>,
}

/// Those with Ethernet framing and an address, beside those that have the programs already and keep them.
///
/// What has no address of its own, as the members of bridges and bonds, receives nothing for this host. The packets of a VLAN
/// are seen on the interface below it, where that one gets the programs: seen twice, a source would use up its message rate twice
/// as fast.
pub fn choose(all: &[Candidate], held: &BTreeSet<String>) -> Chosen {
    let is_fit = |interface: &Candidate| interface.is_ethernet && interface.has_address;
    let is_seen = |name: &String| held.contains(name) || all.iter().any(|other| other.name == *name && is_fit(other));
    let is_new = |interface: &&Candidate| {
        is_fit(interface) && !held.contains(&interface.name) && !interface.below.as_ref().is_some_and(is_seen)
    };
    let mut added: Vec<String> = all.iter().filter(is_new).map(|interface| interface.name.clone()).collect();
    let room = INTERFACES_MAX.saturating_sub(held.len()).min(added.len());
    let left_out = added.split_off(room);
    Chosen { added, left_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, is_ethernet: bool, has_address: bool, below: Option<&str>) -> Candidate {
        Candidate { name: name.to_owned(), is_ethernet, has_address, below: below.map(str::to_owned) }
    }

    fn held(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn ethernet_with_an_address_and_each_packet_once() {
        let all = [
            interface("lo", false, true, None),
            interface("eth0", true, true, None),
            interface("eth1", true, false, None),
            interface("wg0", false, true, None),
            interface("eth0.10", true, true, Some("eth0")),
            interface("eth1.10", true, true, Some("eth1")),
            interface("eth1.20", true, false, Some("eth1")),
        ];
        assert_eq!(choose(&all, &held(&[])).added, ["eth0", "eth1.10"]);
        assert_eq!(choose(&all, &held(&["eth0", "eth1"])), Chosen::default(), "one that lost its address is seen on");
        assert_eq!(choose(&[], &held(&["eth0"])), Chosen::default());
    }

    #[test]
    fn the_first_ones_where_there_are_too_many() {
        let all: Vec<_> = (0..20).map(|n| interface(&format!("eth{n}"), true, true, None)).collect();
        let Chosen { added, left_out } = choose(&all, &held(&[]));
        assert_eq!((added.len(), left_out), (16, ["eth16", "eth17", "eth18", "eth19"].map(str::to_owned).to_vec()));
        let Chosen { added, left_out } = choose(&all, &held(&["eth19", "tap0"]));
        assert_eq!((added.len(), added.contains(&"eth0".to_owned()), left_out.len()), (14, true, 5));
    }
}
