//! The programs as on a host with a PBX: a SIP service, a web port, default settings, and as many bans as a case wants.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use ipnet::IpNet;
use sip_fw_agent::kernel::{BenchRun, Loaded, TableSizes, now_ns, possible_cpus};
use sip_fw_common::abi::{Ban, BanOrigin, Live, Rate, ServiceKind, Settings, Source, UNTIL_LIFTED_NS};
use sip_fw_core::rules::{Action, Plan, Rule, RuleSet, Service};

use crate::random::Random;

/// The port of SIP.
pub const SIP: u16 = 5060;
/// A port that is only gated.
pub const GATED: u16 = 443;

const MINUTE_NS: u64 = 60_000_000_000;

/// Loads the programs with room for `bans`, and a rule that denies `prefixes` if there are any.
pub fn load(bans: u32, prefixes: &[IpNet]) -> Result<BenchRun> {
    let mut run = BenchRun::load(&TableSizes {
        bans: bans.max(1024),
        ban_prefixes: 16,
        sources: 1 << 18,
        strikes: 1 << 14,
        transactions: 1 << 16,
        nonces: 1 << 16,
        peers: 1 << 14,
    })?;
    run.tables.write_live(&Live { hash_seed: 0x1234_5678_9abc_def1, ..Live::default() })?;
    let set = RuleSet::compile(&plan(prefixes)).context("access rules")?;
    run.tables.put_in_force(&Loaded::load(&set)?)?;
    Ok(run)
}

/// Bans that many sources of a family, and gives them.
pub fn ban(run: &mut BenchRun, random: &mut Random, count: u32, v4: bool) -> Result<Vec<IpAddr>> {
    let ban = Ban { strikes: 5, level: 1, ..Ban::new(BanOrigin::Failures, now_ns(), UNTIL_LIFTED_NS) };
    (0..count)
        .map(|_| {
            let (address, source) = stranger(random, v4);
            run.tables.put_ban(source, &ban)?;
            Ok(address)
        })
        .collect()
}

/// An address of the Internet that no list below names.
pub fn stranger(random: &mut Random, v4: bool) -> (IpAddr, Source) {
    if v4 {
        // 11.0.0.0 to 126.255.255.255: none of them is special.
        let bits = 0x0b00_0000 + random.below(0x7400_0000) as u32;
        return (IpAddr::V4(Ipv4Addr::from_bits(bits)), Source::v4(bits));
    }
    let high = 0x2000_0000_0000_0000 | random.number() >> 4;
    (IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | 1)), Source::v6(high, u64::MAX))
}

fn plan(prefixes: &[IpNet]) -> Plan {
    let service =
        |kind, ports| Service { kind, refusal: 0, rates: [Rate::default(); 2], default: Action::Allow, ports };
    let denied = Rule { nets: prefixes.to_vec(), learned: false, to: None, action: Action::Deny };
    Plan {
        settings: Settings {
            window_ns: 10 * MINUTE_NS,
            decay_ns: 30 * 24 * 60 * MINUTE_NS,
            known_peer_ns: 30 * 24 * 60 * MINUTE_NS,
            ladder_ns: [MINUTE_NS, 10 * MINUTE_NS, 0, 0, 0, 0, 0, 0],
            ipv6_mask: u64::MAX,
            threshold: 5,
            ladder_steps: 2,
            observe: 0,
            scope_host: 0,
        },
        services: vec![
            service(ServiceKind::Sip, vec![(false, SIP, SIP), (true, SIP, SIP)]),
            service(ServiceKind::Opaque, vec![(true, GATED, GATED)]),
        ],
        rules: if prefixes.is_empty() { Vec::new() } else { vec![denied] },
        own: Vec::new(),
        generation: 1,
        cpus: possible_cpus(),
        prefixes_max: 1 << 20,
    }
}
