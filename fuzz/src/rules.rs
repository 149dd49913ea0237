//! The compiler of access rules: its rule set decides as reading the list from the top does.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::{Result, Unstructured};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sip_fw_common::abi::{Rate, ServiceKind, Settings};
use sip_fw_common::limits::LADDER_STEPS_MAX;
use sip_fw_core::rules::{Action, Plan, Rule, Service, ports};

// The slow reader of sip-fw-core's own tests.
#[path = "../../sip-fw-core/tests/common/first_match.rs"]
mod first_match;

/// Rules at most, and prefixes of each: enough for nested directories where prefixes lie close together, and not too many to be
/// read from the top for every probe.
const RULES_MAX: usize = 16;
const NETS_MAX: usize = 6;

/// Checks the plan that the bytes make.
pub fn check(bytes: &[u8]) {
    // Of too few bytes no plan is made.
    let Ok(plan) = plan(&mut Unstructured::new(bytes)) else { return };
    let set = first_match::assert_same(&plan);
    // The last service that names a port has it.
    let mut expected = BTreeMap::new();
    for (number, service) in (0..).zip(&plan.services) {
        for (tcp, first, last) in &service.ports {
            expected.extend((*first..=*last).map(|port| ((*tcp, port), number)));
        }
    }
    let found = ports(set.pages()).into_iter().map(|(tcp, port, number)| ((tcp, port), number));
    assert_eq!(found.collect::<BTreeMap<(bool, u16), u8>>(), expected);
}

fn plan(from: &mut Unstructured<'_>) -> Result<Plan> {
    let services = many(from, 5, service)?;
    let rules = many(from, RULES_MAX, |from| rule(from, services.len() as u8))?;
    let own = many(from, 3, |from| net(from).map(|net| net.addr().to_canonical()))?;
    Ok(Plan { settings: settings(), services, rules, own, generation: 1, cpus: 2, prefixes_max: 1 << 20 })
}

/// Up to so many.
fn many<T>(
    from: &mut Unstructured<'_>,
    max: usize,
    one: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let len = from.int_in_range(0..=max)?;
    (0..len).map(|_| one(from)).collect()
}

fn service(from: &mut Unstructured<'_>) -> Result<Service> {
    let first: u16 = from.arbitrary()?;
    let more = from.int_in_range(0..=3_u16)?;
    Ok(Service {
        kind: if from.arbitrary()? { ServiceKind::Sip } else { ServiceKind::Opaque },
        refusal: from.int_in_range(0..=2)?,
        rates: [Rate::default(); 2],
        default: if from.arbitrary()? { Action::Allow } else { Action::Deny },
        ports: vec![(from.arbitrary()?, first, first.saturating_add(more))],
    })
}

fn rule(from: &mut Unstructured<'_>, services: u8) -> Result<Rule> {
    let to = match services {
        0 => None,
        services if from.arbitrary()? => Some(many(from, 3, |from| from.int_in_range(0..=services - 1))?),
        _ => None,
    };
    let learned = from.ratio(1, 8)?;
    let action = *from.choose(&[Action::Allow, Action::Deny, Action::Trust])?;
    Ok(Rule { nets: many(from, NETS_MAX, net)?, learned, to, action })
}

/// A prefix near one of a few places, so that prefixes meet.
fn net(from: &mut Unstructured<'_>) -> Result<IpNet> {
    let near: u16 = from.arbitrary()?;
    if from.arbitrary()? {
        let base = *from.choose(&[0, 0x0a00_0000, 0xc000_0200, u32::MAX])?;
        let address = Ipv4Addr::from_bits(base ^ u32::from(near) << from.int_in_range(0..=16)?);
        return Ok(Ipv4Net::new(address, from.int_in_range(0..=32)?).unwrap().trunc().into());
    }
    let base = *from.choose(&[0, 0x2001_0db8 << 96, u128::MAX])?;
    let address = Ipv6Addr::from_bits(base ^ u128::from(near) << from.int_in_range(0..=112)?);
    let net = Ipv6Net::new(address, from.int_in_range(0..=128)?).unwrap().trunc();
    // What lists say of IPv4 in IPv6's clothes is IPv4 before it comes to a plan.
    Ok(match address.to_ipv4_mapped() {
        Some(v4) => Ipv4Net::from(v4).into(),
        None => net.into(),
    })
}

fn settings() -> Settings {
    Settings {
        window_ns: 1,
        decay_ns: 1,
        known_peer_ns: 0,
        ladder_ns: [1; LADDER_STEPS_MAX],
        ipv6_mask: u64::MAX,
        threshold: 5,
        ladder_steps: 1,
        observe: 0,
        scope_host: 0,
    }
}
