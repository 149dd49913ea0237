//! What an innocent packet costs that sip-fw has nothing to do with.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use ipnet::{IpNet, Ipv4Net};

use crate::Report;
use crate::bed;
use crate::measure::{self, Side};
use crate::message::udp;
use crate::random::Random;
use crate::row::{self, Row};

/// Goal: an arriving packet, and RTP that leaves.
const GOAL_NS: f64 = 10.0;
const LEAVING_GOAL_NS: f64 = 15.0;

const PREFIXES: usize = 100_000;

/// Measures all cases.
pub fn run() -> Result<Report> {
    let mut random = Random::new(0x5eed_0000_0002);
    let innocent = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let rtp = udp((innocent, 11_780), 12_000, true, &[0x80; 172])?;
    let dns = udp((innocent, 53), 40_000, true, &[0x81; 90])?;
    let mut rows = Vec::new();
    for (bans, prefixes) in [(0, 0), (10_000, 0), (1_000_000, 0), (0, PREFIXES)] {
        let nets: Vec<_> = (0..prefixes).map(|_| net(&mut random)).collect();
        let mut run = bed::load(bans, &nets)?;
        bed::ban(&mut run, &mut random, bans, true)?;
        run.rotate(&[innocent], 0)?;
        let size = if prefixes == 0 { format!("bans={bans}") } else { format!("prefixes={prefixes}") };
        for (name, frame) in [("", &rtp), (" dns", &dns)] {
            let measured = measure::one(&run, Side::Ingress, frame)?;
            rows.push(Row::new("pass", format!("{size}{name}"), &measured, Some(GOAL_NS)));
        }
        if bans == 0 && prefixes == 0 {
            let leaving = udp((innocent, 11_780), 12_000, false, &[0x80; 172])?;
            let measured = measure::one(&run, Side::Egress, &leaving)?;
            rows.push(Row::new("pass", "egress rtp", &measured, Some(LEAVING_GOAL_NS)));
        }
    }
    row::report(&rows)
}

fn net(random: &mut Random) -> IpNet {
    let address = Ipv4Addr::from_bits(0x0100_0000 + random.below(0xde00_0000) as u32);
    IpNet::V4(Ipv4Net::new(address, 24 + random.below(9) as u8).unwrap_or_default().trunc())
}
