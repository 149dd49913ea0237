//! The compiled rule set decides exactly as reading the list from the top would.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/first_match.rs"]
mod first_match;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use sip_fw_common::abi::{Rate, ServiceKind};
use sip_fw_core::rules::{Action, Plan, PlanError, Rule, RuleSet, Service};

use first_match::{assert_same, first_match};

const SERVICES: u8 = 3;

fn plan(rules: Vec<Rule>) -> Plan {
    let service = |number: u8| Service {
        kind: if number == 0 { ServiceKind::Sip } else { ServiceKind::Opaque },
        refusal: number,
        rates: [Rate::default(); 2],
        default: if number == 1 { Action::Deny } else { Action::Allow },
        ports: vec![
            (false, 5060 + 10 * u16::from(number), 5062 + 10 * u16::from(number)),
            (true, u16::from(number) + 1, u16::from(number) + 1),
        ],
    };
    let services = (0..SERVICES).map(service).collect();
    Plan {
        settings: common::rules().settings,
        services,
        rules,
        own: Vec::new(),
        generation: 1,
        cpus: 2,
        prefixes_max: 1 << 20,
    }
}

fn v4_net() -> impl Strategy<Value = IpNet> {
    // Few places, so that prefixes overlap.
    (prop_oneof![0..4_u32, Just(0x0a00_0000_u32), Just(u32::MAX), any::<u32>()], any::<u8>(), 0..=32_u8).prop_map(
        |(base, low, len)| IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits(base ^ u32::from(low)), len).unwrap().trunc()),
    )
}

fn v6_net() -> impl Strategy<Value = IpNet> {
    let base = prop_oneof![Just(0_u128), Just(0x2001_0db8_u128 << 96), Just(u128::MAX), any::<u128>()];
    (base, any::<u8>(), any::<u8>(), 0..=128_u8).prop_map(|(base, high, low, len)| {
        let bits = base ^ u128::from(high) << 64 ^ u128::from(low);
        IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(bits), len).unwrap().trunc())
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny), Just(Action::Trust)];
    let to = prop_oneof![Just(None), prop::collection::vec(0..SERVICES, 1..3).prop_map(Some)];
    (prop::collection::vec(prop_oneof![v4_net(), v6_net()], 0..6), prop::bool::weighted(0.1), to, action)
        .prop_map(|(nets, learned, to, action)| Rule { nets, learned, to, action })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn overlaps_in_any_order_give_the_first_match(rules in prop::collection::vec(rule(), 0..40), own in prop::option::of(any::<u32>())) {
        let own = own.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))).into_iter().collect();
        assert_same(&Plan { own, ..plan(rules) });
    }

    #[test]
    fn large_lists_too(seed in any::<u64>(), spread in 0..40_u32) {
        let mut state = seed | 1;
        let mut next = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407); state >> spread };
        let nets = (0..300).map(|n| {
            let number = next();
            if n % 2 == 0 {
                IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits(number as u32), 20 + (n % 13) as u8).unwrap().trunc())
            } else {
                IpNet::V6(Ipv6Net::new(Ipv6Addr::from_bits(u128::from(number) << 64), 30 + (n % 35) as u8).unwrap().trunc())
            }
        });
        let nets: Vec<_> = nets.collect();
        let rules = nets.chunks(100).enumerate().map(|(number, nets)| Rule {
            nets: nets.to_vec(),
            learned: false,
            to: (number == 1).then(|| vec![0]),
            action: [Action::Deny, Action::Allow, Action::Trust][number],
        });
        assert_same(&plan(rules.collect()));
    }
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn to_all(action: Action, texts: &[&str]) -> Rule {
    Rule { nets: nets(texts), learned: false, to: None, action }
}

#[test]
fn an_empty_list_is_the_defaults() {
    assert_same(&plan(Vec::new()));
}

#[test]
fn everything_and_nothing() {
    assert_same(&plan(vec![to_all(Action::Deny, &["0.0.0.0/0", "::/0"])]));
    assert_same(&plan(vec![to_all(Action::Deny, &[])]));
    assert_same(&plan(vec![to_all(
        Action::Allow,
        &["255.255.255.255/32", "0.0.0.0/32", "::/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"],
    )]));
}

#[test]
fn single_addresses_within_one_ipv6_source() {
    let rules = vec![
        to_all(Action::Allow, &["2001:db8::5/128", "2001:db8::/126"]),
        to_all(Action::Deny, &["2001:db8::/64", "2001:db8:0:1::8000:0:0:0/65"]),
    ];
    assert_same(&plan(rules));
}

#[test]
fn lines_that_never_decide() {
    let rules = vec![
        to_all(Action::Allow, &["10.0.0.0/8"]),
        to_all(Action::Deny, &["10.1.0.0/16"]),
        Rule { to: Some(vec![0]), ..to_all(Action::Deny, &["10.1.0.0/16", "192.0.2.0/24"]) },
        Rule { learned: true, ..to_all(Action::Allow, &[]) },
        Rule { learned: true, ..to_all(Action::Allow, &[]) },
    ];
    let set = RuleSet::compile(&plan(rules)).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|rule| set.ever_decides(rule)), [true, false, true, true, false]);
}

#[test]
fn ports_are_found_again() {
    let plan = plan(Vec::new());
    let set = RuleSet::compile(&plan).unwrap();
    let ports = sip_fw_core::rules::ports(set.pages());
    assert_eq!(ports.len(), 12);
    assert_eq!((ports[0], ports[11]), ((false, 5060, 0), (true, 3, 2)));
}

#[test]
fn too_much_is_refused() {
    let plan = Plan { prefixes_max: 1, ..plan(vec![to_all(Action::Deny, &["10.0.0.0/8", "192.0.2.0/24"])]) };
    let refused = RuleSet::compile(&plan).map(drop);
    assert_eq!(refused, Err(PlanError::TooManyPrefixes { found: 2, allowed: 1 }));
}

#[test]
fn a_hundred_thousand_rules_compile_in_time_and_in_bounds() {
    let rule = |n: u32| to_all(Action::Deny, &[&format!("{}/32", Ipv4Addr::from_bits(0x0b00_0000 + 7 * n))]);
    let plan = plan((0..100_000).map(rule).collect());
    let set = RuleSet::compile(&plan).unwrap();
    assert!(set.bytes() < 32 << 20, "{} bytes", set.bytes());
    let last = set.verdict("11.10.174.89".parse().unwrap(), 0, false);
    assert_eq!(last, first_match(&plan, "11.10.174.89".parse().unwrap(), 0, false));
}
