//! A program and an empty one in turn, round by round, so that what disturbs one disturbs both.

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
    /// The program's own time in its best round.
    pub min_ns: f64,
    /// The program's own time in its worst round.
    pub max_ns: f64,
}

/// Which program.
#[derive(Clone, Copy)]
pub enum Side {
    /// Packets arrive.
    Ingress,
    /// Packets leave.
    Egress,
}

impl Measured {
    /// The program with the empty one's share, in that of the empty one.
    pub fn ratio(&self) -> f64 {
        (self.floor_ns + self.own_ns) / self.floor_ns
    }

    fn of(mut own: Vec<f64>, mut floor: Vec<f64>) -> Self {
        own.sort_by(f64::total_cmp);
        floor.sort_by(f64::total_cmp);
        let middle = own.len() / 2;
        Self { own_ns: own[middle], floor_ns: floor[middle], min_ns: own[0], max_ns: own[own.len() - 1] }
    }
}

/// Measures each run on a frame.
pub fn all(runs: &[BenchRun], side: Side, frame: &[u8]) -> Result<Vec<Measured>> {
    let mut times = vec![(Vec::new(), Vec::new()); runs.len()];
    for _ in 0..ROUNDS {
        for (run, (own, floor)) in runs.iter().zip(&mut times) {
            let (floor_ns, whole_ns) = match side {
                Side::Ingress => (run.time_floor(frame, REPEAT)?, run.time_ingress(frame, REPEAT)?),
                Side::Egress => (run.time_egress_floor(frame, REPEAT)?, run.time_egress(frame, REPEAT)?),
            };
            own.push(whole_ns.as_nanos() as f64 - floor_ns.as_nanos() as f64);
            floor.push(floor_ns.as_nanos() as f64);
        }
    }
    Ok(times.into_iter().map(|(own, floor)| Measured::of(own, floor)).collect())
}

/// Measures one run on a frame.
pub fn one(run: &BenchRun, side: Side, frame: &[u8]) -> Result<Measured> {
    let measured = all(std::slice::from_ref(run), side, frame)?;
    measured.first().copied().ok_or_else(|| anyhow::anyhow!("nothing was measured"))
}
