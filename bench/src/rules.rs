//! Access rules: what a packet costs with 10, 1,000 and 100,000 prefixes, in one line of the list or in a line each.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;
use sip_fw_agent::kernel::{BenchRun, Loaded, TableSizes, possible_cpus};
use sip_fw_common::abi::{Live, Rate, ServiceKind, Settings};
use sip_fw_common::limits::BENCH_SOURCES;
use sip_fw_core::rules::{Action, Plan, Rule, RuleSet, Service};

use crate::frame::{PORT, segment};
use crate::measure::{self, Measured, Side};
use crate::random::Random;
use crate::{Goal, Report};

const SIZES: [usize; 3] = [10, 1000, 100_000];
/// Goals: the program's own cost with the largest list, in that of the smallest, and what it adds.
const GROWTH_MAX: f64 = 3.0;
const ADDED_MAX_NS: f64 = 40.0;

/// How many sources take turns.
#[derive(Clone, Copy)]
enum Sources {
    /// As many as take part in an attack at once: what they need stays in the caches.
    Hot,
    /// So many that each packet finds the caches cold.
    Cold,
}

impl Sources {
    const fn count(self) -> usize {
        match self {
            Self::Hot => 1024,
            Self::Cold => BENCH_SOURCES as usize,
        }
    }
}

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

/// A figure.
#[derive(Clone, Debug, Serialize)]
struct Row {
    bench: &'static str,
    case: String,
    prefixes: usize,
    /// Nanoseconds of the program itself: the median of what a round takes more than one of the empty program.
    own_ns: f64,
    /// Its time with the empty program's, in that of the empty program.
    ratio: f64,
    /// Its own cost in that of the smallest list.
    growth: f64,
    /// What it costs more than with the smallest list, in nanoseconds.
    added_ns: f64,
    /// Its own nanoseconds in the best round.
    min: f64,
    /// Its own nanoseconds in the worst round.
    max: f64,
}

/// Measures all cases.
pub fn run() -> Result<Report> {
    let mut rows = Vec::new();
    let mut goals = Vec::new();
    for each in [false, true] {
        for v4 in [true, false] {
            let mut random = Random::new(0x5eed_0000_0001);
            let lists = SIZES.map(|size| (0..size).map(|_| net(&mut random, v4)).collect::<Vec<_>>());
            let mut runs = lists.iter().map(|nets| load(&plan(nets, each))).collect::<Result<Vec<_>>>()?;
            for from in [From::Match, From::Miss, From::Default] {
                for sources in [Sources::Hot, Sources::Cold] {
                    let case = case(v4, from, each, sources);
                    eprintln!("{case}");
                    for (run, nets) in runs.iter_mut().zip(&lists) {
                        let count = sources.count();
                        let sources: Vec<_> = (0..count).map(|n| source(&mut random, nets, n, v4, from)).collect();
                        run.rotate(&sources, 0)?;
                    }
                    let grown = grow(&case, &measure::all(&runs, Side::Ingress, &segment(v4))?);
                    goals.extend(grown.last().into_iter().flat_map(|row| judge(row, sources)));
                    rows.extend(grown);
                }
            }
        }
    }
    let table = table(&rows)?;
    Ok(Report { rows: rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?, table, goals })
}

fn table(rows: &[Row]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{:<34} {:>8} {:>8} {:>6} {:>7} {:>9}",
        "CASE", "PREFIXES", "OWN ns", "RATIO", "GROWTH", "ADDED ns"
    )?;
    for row in rows {
        let Row { case, prefixes, own_ns, ratio, growth, added_ns, .. } = row;
        writeln!(text, "{case:<34} {prefixes:>8} {own_ns:>8.1} {ratio:>6.2} {growth:>7.2} {added_ns:>9.1}")?;
    }
    Ok(text)
}

/// The programs with these rules in force.
fn load(plan: &Plan) -> Result<BenchRun> {
    let mut run = BenchRun::load(&TableSizes::SMALLEST)?;
    run.tables.write_live(&Live { hash_seed: 1, ..Live::default() })?;
    let set = RuleSet::compile(plan).context("access rules")?;
    let loaded = Loaded::load(&set)?;
    run.tables.put_in_force(&loaded)?;
    Ok(run)
}

fn case(v4: bool, from: From, each: bool, sources: Sources) -> String {
    let family = if v4 { "ipv4" } else { "ipv6" };
    let from = match from {
        From::Match => "match",
        From::Miss => "miss",
        From::Default => "default",
    };
    let each = if each { ", a rule each" } else { "" };
    let cold = if matches!(sources, Sources::Cold) { ", cold" } else { "" };
    format!("{family} {from}{each}{cold}")
}

/// The rows of a case, beside the smallest list.
fn grow(case: &str, measured: &[Measured]) -> Vec<Row> {
    let first_ns = measured[0].own_ns;
    let row = |(prefixes, measured): (usize, &Measured)| Row {
        bench: "rules",
        case: case.to_owned(),
        prefixes,
        own_ns: measured.own_ns,
        ratio: measured.ratio(),
        growth: measured.own_ns / first_ns,
        added_ns: measured.own_ns - first_ns,
        min: measured.min_ns,
        max: measured.max_ns,
    };
    SIZES.into_iter().zip(measured).map(row).collect()
}

/// The goals of a case. What cold caches add is the machine's memory, not the rules'.
fn judge(row: &Row, sources: Sources) -> Vec<Goal> {
    let Row { case, growth, added_ns, .. } = row;
    let mut goals = vec![Goal {
        text: format!("{case}: grows {growth:.2} times, less than {GROWTH_MAX}"),
        met: *growth < GROWTH_MAX,
    }];
    if matches!(sources, Sources::Hot) {
        goals.push(Goal {
            text: format!("{case}: adds {added_ns:.1} ns, less than {ADDED_MAX_NS}"),
            met: *added_ns < ADDED_MAX_NS,
        });
    }
    goals
}

fn plan(nets: &[IpNet], each: bool) -> Plan {
    let rule = |nets: Vec<IpNet>| Rule { nets, learned: false, to: None, action: Action::Deny };
    let rules = if each { nets.iter().map(|net| rule(vec![*net])).collect() } else { vec![rule(nets.to_vec())] };
    let ports = vec![(true, PORT, PORT)];
    Plan {
        settings: Settings { threshold: 5, ladder_steps: 1, ipv6_mask: u64::MAX, ..Settings::default() },
        services: vec![Service {
            kind: ServiceKind::Opaque,
            refusal: 0,
            rates: [Rate::default(); 2],
            default: Action::Allow,
            ports,
        }],
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
