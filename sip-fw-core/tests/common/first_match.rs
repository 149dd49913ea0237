//! Access rules, read from the top: the slow reader that the compiled rule set is compared with, here and by the fuzzer
//! (`fuzz/src/rules.rs`), and the addresses at which it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use sip_fw_core::rules::{Action, Line, Plan, RuleSet, Verdict};

/// What the first line that matches says.
pub fn first_match(plan: &Plan, address: IpAddr, service: u8, is_peer: bool) -> Verdict {
    if plan.own.contains(&address) {
        return Verdict { action: Action::Trust, by: Line::Own };
    }
    let of_service = plan.services.get(usize::from(service));
    for (number, rule) in plan.rules.iter().enumerate() {
        let there = rule.to.as_ref().is_none_or(|to| to.contains(&service));
        let is_learned = rule.learned && is_peer && of_service.is_some();
        if there && (is_learned || rule.nets.iter().any(|net| net.contains(&address))) {
            return Verdict { action: rule.action, by: Line::Rule(number) };
        }
    }
    match of_service {
        Some(service) => Verdict { action: service.default, by: Line::Default },
        None => Verdict { action: Action::Allow, by: Line::Own },
    }
}

/// Addresses at and beside every boundary, where mistakes are.
pub fn probes(plan: &Plan) -> Vec<IpAddr> {
    let ends =
        ["0.0.0.0", "255.255.255.255", "203.0.113.9", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1"];
    let mut probes: Vec<IpAddr> = ends.map(|text| text.parse().unwrap()).to_vec();
    for net in plan.rules.iter().flat_map(|rule| &rule.nets) {
        match net {
            IpNet::V4(net) => {
                for bits in [net.network(), net.broadcast()].map(Ipv4Addr::to_bits) {
                    let beside = [bits.wrapping_sub(1), bits, bits.wrapping_add(1)];
                    probes.extend(beside.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))));
                }
            }
            IpNet::V6(net) => {
                for bits in [net.network(), net.broadcast()].map(Ipv6Addr::to_bits) {
                    let beside = [bits.wrapping_sub(1), bits, bits.wrapping_add(1)];
                    probes.extend(beside.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
                }
            }
        }
    }
    probes.extend(&plan.own);
    // IPv4 in IPv6's clothes is IPv4.
    probes.retain(|address| address.to_canonical() == *address);
    probes
}

/// Compares the two at every probe, for every service, the ports of none, and known peers; gives the rule set.
pub fn assert_same(plan: &Plan) -> RuleSet {
    let set = RuleSet::compile(plan).unwrap();
    for address in probes(plan) {
        for service in 0..=plan.services.len() as u8 {
            for is_peer in [false, true] {
                assert_eq!(
                    set.verdict(address, service, is_peer),
                    first_match(plan, address, service, is_peer),
                    "{address} at service {service}, known peer: {is_peer}, in {:#?}",
                    plan.rules
                );
            }
        }
    }
    set
}
