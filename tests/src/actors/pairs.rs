//! Pairs of packets from two sources, back to back and in order, under rules that let exactly one of each pair through.
//!
//! A rule set that is in force as a whole gives every pair one survivor. A pair that lies across the very instant of a
//! swap may have two or none; any other such pair was judged by a mixture of two rule sets.

use std::io::{ErrorKind, Result};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use nix::unistd::Pid;

use crate::netns::Host;

/// Pairs between two looks at the clock.
const BURST: u32 = 25;

/// Pairs that may be under way: their packets fit into the 256 places of a veth's queue, so that none is lost there.
const WINDOW: u32 = 100;

/// How long the sender waits for a pair without a survivor before it goes on.
const STALL: Duration = Duration::from_millis(20);

/// Bounds of one run.
const PAIRS_MAX: u32 = 2_000_000;
const TIME_MAX: Duration = Duration::from_secs(30);

const RECEIVE_BYTES: usize = 64 << 20;
const POLL: Duration = Duration::from_millis(20);

/// How long nothing must come until the receiver believes that nothing comes any more.
const QUIET: Duration = Duration::from_millis(200);

const FIRST: u8 = 1;
const SECOND: u8 = 2;

/// The number of a pair, and which of its packets came.
type Arrival = (u32, u8);

/// A sender and a receiver at work.
#[derive(Debug)]
pub struct Pairs {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<Result<Duration>>>,
    receiver: Option<JoinHandle<Result<Vec<Arrival>>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Nothing more is sent.
    stop: AtomicBool,
    /// Nothing more can come.
    done: AtomicBool,
    sent: AtomicU32,
    /// One more than the highest pair of which a packet came.
    came: AtomicU32,
}

/// What was offered and what came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Pairs sent.
    pub pairs: u32,
    /// Packets sent per second.
    pub rate: u32,
    /// The fates of the pairs.
    pub verdict: Verdict,
}

/// The fates of many pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Pairs of which only the first packet came.
    pub first: u32,
    /// Pairs of which only the second packet came.
    pub second: u32,
    /// Times the survivor changed from one source to the other.
    pub swaps: u32,
    /// Pairs with two survivors or none that lie alone between two different fates: across a swap.
    pub across: Vec<u32>,
    /// All other pairs with two survivors.
    pub both: Vec<u32>,
    /// All other pairs without a survivor.
    pub neither: Vec<u32>,
    /// Packets that came after a later one, or twice: the bed is at fault.
    pub disordered: u32,
}

impl Pairs {
    /// Sends from the two addresses of `host` to `target`, a UDP port of `receiver`, about `rate` packets a second.
    pub fn start(
        host: &Host,
        sources: [IpAddr; 2],
        receiver: &Host,
        target: SocketAddr,
        rate: u32,
    ) -> anyhow::Result<Self> {
        let inbox = receiver.namespace().open(|| UdpSocket::bind(target)).context("bind the receiver")?;
        setsockopt(&inbox, RcvBufForce, &RECEIVE_BYTES).context("SO_RCVBUFFORCE")?;
        inbox.set_read_timeout(Some(POLL))?;
        let open = |source| -> Result<UdpSocket> {
            let socket = UdpSocket::bind(SocketAddr::new(source, 0))?;
            socket.connect(target)?;
            Ok(socket)
        };
        let [first, second] = sources;
        let outlets = host
            .namespace()
            .within(|| Ok::<_, std::io::Error>([open(first)?, open(second)?]))?
            .context("sockets of the sources")?;
        let shared = Arc::new(Shared::default());
        let (sending, receiving) = (Arc::clone(&shared), Arc::clone(&shared));
        Ok(Self {
            shared,
            sender: Some(thread::spawn(move || sending.send(&outlets, rate))),
            receiver: Some(thread::spawn(move || receiving.receive(&inbox))),
        })
    }

    /// Pairs sent until now.
    pub fn sent(&self) -> u32 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Stops sending, waits for what is under way, and judges.
    pub fn finish(mut self) -> anyhow::Result<Report> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let Some(Ok(elapsed)) = self.sender.take().map(JoinHandle::join) else { bail!("the sender panicked") };
        self.shared.done.store(true, Ordering::Relaxed);
        let Some(Ok(arrivals)) = self.receiver.take().map(JoinHandle::join) else { bail!("the receiver panicked") };
        let (elapsed, arrivals) = (elapsed.context("send")?, arrivals.context("receive")?);
        let pairs = self.sent();
        let rate = f64::from(pairs) * 2.0 / elapsed.as_secs_f64();
        Ok(Report { pairs, rate: rate as u32, verdict: judge(pairs, &arrivals) })
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
        self.shared.done.store(true, Ordering::Relaxed);
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
    }
}

impl Shared {
    fn send(&self, [first, second]: &[UdpSocket; 2], rate: u32) -> Result<Duration> {
        stay_on_one_cpu()?;
        let begin = Instant::now();
        let mut pair = 0;
        while !self.stop.load(Ordering::Relaxed) && pair < PAIRS_MAX && begin.elapsed() < TIME_MAX {
            for _ in 0..BURST {
                let [a, b, c, d] = pair.to_be_bytes();
                first.send(&[a, b, c, d, FIRST])?;
                second.send(&[a, b, c, d, SECOND])?;
                pair += 1;
                self.sent.store(pair, Ordering::Relaxed);
            }
            let due = Duration::from_secs_f64(f64::from(pair) * 2.0 / f64::from(rate));
            thread::sleep(due.saturating_sub(begin.elapsed()));
            let stalled = Instant::now() + STALL;
            while pair - self.came.load(Ordering::Relaxed) > WINDOW && Instant::now() < stalled {
                thread::yield_now();
            }
        }
        Ok(begin.elapsed())
    }

    fn receive(&self, inbox: &UdpSocket) -> Result<Vec<Arrival>> {
        let mut arrivals = Vec::new();
        let mut buffer = [0; 16];
        let mut last = Instant::now();
        while !self.done.load(Ordering::Relaxed) || last.elapsed() < QUIET {
            match inbox.recv(&mut buffer) {
                Ok(5) => {
                    let [a, b, c, d, which, ..] = buffer;
                    let pair = u32::from_be_bytes([a, b, c, d]);
                    arrivals.push((pair, which));
                    self.came.fetch_max(pair + 1, Ordering::Relaxed);
                    last = Instant::now();
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(arrivals)
    }
}

/// Packets of a sender that moves to another processor overtake each other.
fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let last = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.unwrap_or(0))?;
    Ok(sched_setaffinity(this_thread, &one)?)
}

fn judge(pairs: u32, arrivals: &[Arrival]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut fates = vec![0_u8; pairs as usize];
    let mut latest = None;
    for arrival in arrivals {
        verdict.disordered += u32::from(latest >= Some(*arrival));
        latest = latest.max(Some(*arrival));
        if let Some(fate) = fates.get_mut(arrival.0 as usize) {
            *fate |= arrival.1;
        }
    }
    let is_single = |fate: u8| fate == FIRST || fate == SECOND;
    let mut before = None;
    for (pair, fate) in (0..pairs).zip(&fates) {
        if is_single(*fate) {
            verdict.swaps += u32::from(before.is_some_and(|before| before != *fate));
            before = Some(*fate);
            *(if *fate == FIRST { &mut verdict.first } else { &mut verdict.second }) += 1;
            continue;
        }
        let neighbour = |at: Option<u32>| at.and_then(|at| fates.get(at as usize)).copied().filter(|f| is_single(*f));
        let (left, right) = (neighbour(pair.checked_sub(1)), neighbour(pair.checked_add(1)));
        match (left, right) {
            (Some(left), Some(right)) if left != right => verdict.across.push(pair),
            _ if *fate == 0 => verdict.neither.push(pair),
            _ => verdict.both.push(pair),
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lone_pair_across_a_swap_is_excused() {
        // First, first, both (across), second, neither (across), first, both, neither, first.
        let arrivals = [(0, 1), (1, 1), (2, 1), (2, 2), (3, 2), (5, 1), (6, 1), (6, 2), (8, 1)];
        let expected = Verdict {
            first: 4,
            second: 1,
            swaps: 2,
            across: vec![2, 4],
            both: vec![6],
            neither: vec![7],
            disordered: 0,
        };
        assert_eq!(judge(9, &arrivals), expected);
    }

    #[test]
    fn a_pair_overtaken_by_another_is_noticed() {
        assert_eq!(judge(2, &[(1, 1), (0, 1)]).disordered, 1);
        assert_eq!(judge(2, &[(0, 1), (0, 1)]).disordered, 1);
    }
}
