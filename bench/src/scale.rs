//! What grows with the tables: the time to load the programs, the memory of the maps, and how fast bans are filled in; and the agent's
//! share of a CPU under attack.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use sip_fw_agent::kernel::{DryRun, TableSizes};

use crate::random::Random;
use crate::{Report, attacked, bed};

const BANS: [u32; 3] = [10_000, 100_000, 1_000_000];
const ROUNDS: usize = 3;

/// A figure.
#[derive(Clone, Debug, Serialize)]
struct Row {
    bench: &'static str,
    case: String,
    /// Milliseconds until both programs are verified and loaded.
    load_ms: f64,
    /// Kernel memory of the maps, in MiB; the other tables are those of the default configuration.
    maps_mib: f64,
    /// Nanoseconds to write a ban, each by itself: the median, the best and the worst of the rounds.
    own_ns: f64,
    min: f64,
    max: f64,
    /// The same in that of the smallest table.
    ratio: f64,
    /// Instructions that the verifier walked: ingress and egress.
    verified: [u32; 2],
}

/// Measures all cases.
pub fn run() -> Result<Report> {
    let mut rows = Vec::new();
    for bans in BANS {
        let began = Instant::now();
        let run = DryRun::load(&TableSizes { bans, ..TableSizes::DEFAULT })?;
        let load_ms = began.elapsed().as_secs_f64() * 1000.0;
        let maps_mib = run.map_bytes()? as f64 / f64::from(1 << 20);
        let verified = run.costs()?.map(|cost| cost.verified_instructions);
        drop(run);
        let mut filled = (0..ROUNDS).map(|_| fill(bans)).collect::<Result<Vec<_>>>()?;
        filled.sort_by(f64::total_cmp);
        let (own_ns, min, max) = (filled[ROUNDS / 2], filled[0], filled[ROUNDS - 1]);
        let ratio = own_ns / rows.first().map_or(own_ns, |smallest: &Row| smallest.own_ns);
        let case = format!("bans={bans}");
        rows.push(Row { bench: "scale", case, load_ms, maps_mib, own_ns, min, max, ratio, verified });
    }
    let mut table = String::new();
    writeln!(
        table,
        "{:<10} {:<16} {:>8} {:>9} {:>8} {:>18}",
        "BENCH", "CASE", "LOAD ms", "MAPS MiB", "BAN ns", "VERIFIED"
    )?;
    for Row { bench, case, load_ms, maps_mib, own_ns, verified, .. } in &rows {
        let [ingress, egress] = verified;
        writeln!(table, "{bench:<10} {case:<16} {load_ms:>8.0} {maps_mib:>9.1} {own_ns:>8.0} {ingress:>9}{egress:>9}")?;
    }
    let tables =
        Report { rows: rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?, table, goals: Vec::new() };
    Ok(tables.and(attacked::run()?))
}

/// Nanoseconds a ban, of an empty table that is filled.
fn fill(bans: u32) -> Result<f64> {
    let mut run = bed::load(bans, &[])?;
    let began = Instant::now();
    bed::ban(&mut run, &mut Random::new(0x5eed_0000_0004), bans, true)?;
    Ok(began.elapsed().as_nanos() as f64 / f64::from(bans))
}
