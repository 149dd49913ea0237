//! What a packet of a banned source costs until it is dropped: by itself, and end to end beside other firewalls.

use anyhow::Result;

use crate::Report;
use crate::bed::{self, SIP};
use crate::measure::{self, Side};
use crate::message::{register, udp};
use crate::random::Random;
use crate::row::{self, Row};
use crate::veth;

const BANS: [u32; 3] = [1, 10_000, 1_000_000];
/// Goals: with 10,000 bans, and with a million whose sources come at random.
const GOAL_NS: f64 = 50.0;
const RANDOM_GOAL_NS: f64 = 250.0;
/// Sources that stay in the caches.
const HOT: usize = 16;

/// Measures all cases.
pub fn run() -> Result<Report> {
    let mut random = Random::new(0x5eed_0000_0003);
    let message = register(500);
    let mut rows = Vec::new();
    for v4 in [true, false] {
        for bans in BANS {
            let mut run = bed::load(bans, &[])?;
            let mut sources = bed::ban(&mut run, &mut random, bans, v4)?;
            // Bans lie in the table in the order in which they were written.
            random.shuffle(&mut sources);
            let Some(first) = sources.first() else { continue };
            let frame = udp((*first, 5060), SIP, true, message.as_bytes())?;
            let family = if v4 { "" } else { " ipv6" };
            for (taken, name) in [(HOT, ""), (sources.len(), " random")] {
                if taken > HOT && sources.len() <= HOT {
                    continue;
                }
                run.rotate(sources.get(..taken).unwrap_or(&sources), 0)?;
                let goal = match (bans, name) {
                    (..=10_000, "") => Some(GOAL_NS),
                    (1_000_000, " random") => Some(RANDOM_GOAL_NS),
                    _ => None,
                };
                let measured = measure::one(&run, Side::Ingress, &frame)?;
                rows.push(Row::new("drop", format!("bans={bans}{name}{family}"), &measured, goal));
            }
        }
    }
    Ok(row::report(&rows)?.and(veth::run()?))
}
