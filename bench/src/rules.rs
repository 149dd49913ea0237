//! Access rules: what a packet costs with 10, 1,000 and 100,000 prefixes, in one line of the list or in a line each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sip_fw_agent::kernel::{BenchRun, TableSizes, possible_cpus};
use sip_fw_common::abi::{Live, ServiceKind, Settings};
use sip_fw_common::limits::BENCH_SOURCES;
use sip_fw_core::rules::{Action, Plan, Rule, RuleSet, Service};

use crate::frame::{PORT, segment};
use crate::random::Random;
use crate::{Goal, Row, measure};

const SIZES: [usize; 3] = [10, 1000, 100_000];
/// Goals: the program's own cost with the largest list, in that of the smallest, and what it adds.
const GROWTH_MAX: f64 = 3.0;
const ADDED_MAX_NS: f64 = 40.0;

/// Where the packets come from.
#[derive(Clone, Copy)]
enum From {
    /// The listed prefixes.
    Match,
    /// Right behind the listed prefixes.
    Miss,
    /// Anywhere.
    Default,
}

/// Measures all cases.
pub fn run() -> Result<(Vec<Row>, Vec<Goal>)> {
    let mut run = BenchRun::load(&TableSizes {
        bans: 1024,
        ban_prefixes: 16,
        sources: 1024,
        strikes: 1024,
        transactions: 1024,
        nonces: 1024,
        peers: 1024,
    })?;
    run.tables.write_live(&Live { hash_seed: 1, ..Live::default() })?;
    let mut rows = Vec::new();
    for each in [false, true] {
        for v4 in [true, false] {
            for from in [From::Match, From::Miss, From::Default] {
                rows.extend(grow(&mut run, each, v4, from)?);
            }
        }
    }
    let goals = rows.iter().filter(|row| row.prefixes == SIZES[SIZES.len() - 1]).flat_map(|row| {
        let Row { case, growth, added_ns, .. } = row;
        [
            Goal {
                text: format!("{case}: grows {growth:.2} times, less than {GROWTH_MAX}"),
                met: *growth < GROWTH_MAX,
            },
            Goal {
                text: format!("{case}: adds {added_ns:.1} ns, less than {ADDED_MAX_NS}"),
                met: *added_ns < ADDED_MAX_NS,
            },
        ]
    });
    let goals = goals.collect();
    Ok((rows, goals))
}

fn grow(run: &mut BenchRun, each: bool, v4: bool, from: From) -> Result<Vec<Row>> {
    let family = if v4 { "ipv4" } else { "ipv6" };
    let kind = match from {
        From::Match => "match",
        From::Miss => "miss",
        From::Default => "default",
    };
    let case = format!("{family} {kind}{}", if each { ", a rule for each prefix" } else { "" });
    let mut rows: Vec<Row> = Vec::new();
    for size in SIZES {
        eprintln!("{case}, {size} prefixes");
        let mut random = Random::new(0x5eed_0000_0001);
        let nets: Vec<_> = (0..size).map(|_| net(&mut random, v4)).collect();
        let set = RuleSet::compile(&plan(&nets, each)).context("access rules")?;
        let loaded = run.tables.load_rule_set(&set)?;
        run.tables.put_in_force(&loaded)?;
        let sources: Vec<_> = (0..BENCH_SOURCES as usize).map(|n| source(&mut random, &nets, n, v4, from)).collect();
        run.set_sources(&sources)?;
        let measured = measure::ingress(run, &segment(v4))?;
        let own_ns = measured.own_ns;
        let first_ns = rows.first().map_or(own_ns, |row| row.own_ns);
        rows.push(Row {
            bench: "rules",
            case: case.clone(),
            prefixes: size,
            own_ns,
            ratio: (measured.floor_ns + own_ns) / measured.floor_ns,
            growth: own_ns / first_ns,
            added_ns: own_ns - first_ns,
            min: measured.min_ns,
            max: measured.max_ns,
        });
    }
    Ok(rows)
}

fn plan(nets: &[IpNet], each: bool) -> Plan {
    let rule = |nets: Vec<IpNet>| Rule { nets, learned: false, to: None, action: Action::Deny };
    let rules = if each { nets.iter().map(|net| rule(vec![*net])).collect() } else { vec![rule(nets.to_vec())] };
    let ports = vec![(true, PORT, PORT)];
    Plan {
        settings: Settings { threshold: 5, ladder_steps: 1, ipv6_mask: u64::MAX, ..Settings::default() },
        services: vec![Service { kind: ServiceKind::Opaque, refusal: 0, default: Action::Allow, ports }],
        rules,
        own: Vec::new(),
        generation: 1,
        cpus: possible_cpus(),
        prefixes_max: 1 << 20,
    }
}

/// Prefixes as in public lists: /24 to /32 of IPv4, /32 to /64 of IPv6 where addresses are handed out.
fn net(random: &mut Random, v4: bool) -> IpNet {
    if v4 {
        let address = Ipv4Addr::from_bits(0x0100_0000 + random.below(0xde00_0000) as u32);
        let len = 24 + random.below(9) as u8;
        return IpNet::V4(Ipv4Net::new(address, len).unwrap_or_default().trunc());
    }
    const REGISTRIES: [u128; 5] = [0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00];
    let registry = REGISTRIES[random.below(5) as usize] << 112;
    let address = Ipv6Addr::from_bits(registry | u128::from(random.number() >> 12) << 64);
    let len = 32 + random.below(33) as u8;
    IpNet::V6(Ipv6Net::new(address, len).unwrap_or_default().trunc())
}

fn source(random: &mut Random, nets: &[IpNet], number: usize, v4: bool, from: From) -> IpAddr {
    let net = nets[number % nets.len()];
    match (from, net) {
        (From::Default, _) if v4 => IpAddr::V4(Ipv4Addr::from_bits(random.number() as u32)),
        (From::Default, _) => {
            let bits = 0x2000_u128 << 112 | u128::from(random.number() >> 3) << 64 | u128::from(random.number());
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        (From::Match, net) => net.network(),
        (From::Miss, IpNet::V4(net)) => IpAddr::V4(Ipv4Addr::from_bits(net.broadcast().to_bits().wrapping_add(1))),
        (From::Miss, IpNet::V6(net)) => IpAddr::V6(Ipv6Addr::from_bits(net.broadcast().to_bits().wrapping_add(1))),
    }
}
