//! Two programs in turn, round by round, so that what disturbs one disturbs the other.

use anyhow::Result;
use sip_fw_agent::kernel::BenchRun;

const ROUNDS: usize = 11;
/// Runs in a round: several times as many as there are sources.
const REPEAT: u32 = 400_000;

/// Nanoseconds a packet.
pub struct Measured {
    /// The program's own time: the median over the rounds of what it takes more than the empty program.
    pub own_ns: f64,
    /// Median of the empty program.
    pub floor_ns: f64,
    /// Fastest round of the program.
    pub min_ns: f64,
    /// Slowest round of the program.
    pub max_ns: f64,
}

/// Measures ingress on a frame whose source changes from run to run.
pub fn ingress(run: &BenchRun, frame: &[u8]) -> Result<Measured> {
    let (mut own, mut whole, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let floor_ns = run.time_floor(frame, REPEAT)?.as_nanos() as f64;
        let whole_ns = run.time_ingress(frame, REPEAT)?.as_nanos() as f64;
        own.push(whole_ns - floor_ns);
        whole.push(whole_ns);
        floor.push(floor_ns);
    }
    for times in [&mut own, &mut whole, &mut floor] {
        times.sort_by(f64::total_cmp);
    }
    Ok(Measured { own_ns: own[ROUNDS / 2], floor_ns: floor[ROUNDS / 2], min_ns: whole[0], max_ns: whole[ROUNDS - 1] })
}
