//! Programs in turn, round by round, so that what disturbs one disturbs them all.

use anyhow::Result;
use sip_fw_agent::kernel::BenchRun;

const ROUNDS: usize = 11;
/// Runs in a round: more than there are sources.
const REPEAT: u32 = 200_000;

/// Nanoseconds a packet.
#[derive(Clone, Copy, Debug)]
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

#[derive(Clone, Default)]
struct Times {
    own: Vec<f64>,
    whole: Vec<f64>,
    floor: Vec<f64>,
}

/// Measures ingress of each run on a frame whose source changes from packet to packet.
pub fn ingress(runs: &[BenchRun], frame: &[u8]) -> Result<Vec<Measured>> {
    let mut times = vec![Times::default(); runs.len()];
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter().zip(&mut times) {
            let floor_ns = run.time_floor(frame, REPEAT)?.as_nanos() as f64;
            let whole_ns = run.time_ingress(frame, REPEAT)?.as_nanos() as f64;
            times.own.push(whole_ns - floor_ns);
            times.whole.push(whole_ns);
            times.floor.push(floor_ns);
        }
    }
    Ok(times.into_iter().map(Times::summary).collect())
}

impl Times {
    fn summary(mut self) -> Measured {
        for times in [&mut self.own, &mut self.whole, &mut self.floor] {
            times.sort_by(f64::total_cmp);
        }
        Measured {
            own_ns: self.own[ROUNDS / 2],
            floor_ns: self.floor[ROUNDS / 2],
            min_ns: self.whole[0],
            max_ns: self.whole[ROUNDS - 1],
        }
    }
}
