//! A good caller's media in the middle of the attack: how long a packet takes to the host and back.

use std::io::{ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use sip_fw_e2e::{Bed, Family, Host};

use crate::schedule::{self, INSIDE, Turn};

/// Ports of the media, ours and the host's.
const PORT: u16 = 12_000;
/// Bytes of a packet: 20 ms of G.711 with its RTP header.
const RTP: usize = 172;
/// From packet to packet: ten calls at once.
const EVERY: Duration = Duration::from_millis(2);
/// One that takes longer is lost.
const LATE: Duration = Duration::from_millis(50);
/// How long the host listens until it looks whether it is over.
const LOOK_UP: Duration = Duration::from_millis(200);

/// Round-trip times.
#[derive(Clone, Debug, Default)]
pub struct Trips {
    us: Vec<f64>,
    lost: usize,
}

impl Trips {
    /// Share of the packets that did not come back.
    pub fn lost(&self) -> f64 {
        self.lost as f64 / (self.lost + self.us.len()).max(1) as f64
    }

    /// The time that this share of the packets did not exceed, in microseconds; None if none came back.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.us.len().checked_sub(1)?;
        self.us.get((last as f64 * share).round() as usize).copied()
    }
}

/// A line from a host of the bed to its pbx, where somebody repeats what he hears.
pub struct Line {
    caller: UdpSocket,
    stop: Arc<AtomicBool>,
    echo: Option<JoinHandle<Result<()>>>,
}

impl Line {
    /// Both ends.
    pub fn open(bed: &Bed) -> Result<Self> {
        let (caller, host) = (endpoint(&bed.office)?, endpoint(&bed.pbx)?);
        host.set_read_timeout(Some(LOOK_UP))?;
        caller.set_read_timeout(Some(LATE))?;
        caller.connect(SocketAddr::new(bed.pbx.address(Family::V4), PORT))?;
        setsockopt(&caller, sockopt::ReceiveTimestampns, &true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Ok(Self { caller, stop, echo: Some(thread::spawn(move || echo(&host, &told))) })
    }

    /// Talks for so long.
    pub fn talk(&self, long: Duration) -> Result<Trips> {
        let mut trips = Trips::default();
        let began = Instant::now();
        let mut number: u16 = 0;
        while began.elapsed() < long {
            let mut packet = [0x80; RTP];
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            let sent = now()?;
            self.caller.send(&packet)?;
            match arrival(&self.caller, number)? {
                Some(back) => trips.us.push(back.saturating_sub(sent).as_nanos() as f64 / 1000.0),
                None => trips.lost += 1,
            }
            number = number.wrapping_add(1);
            thread::sleep((EVERY * u32::from(number)).saturating_sub(began.elapsed()));
        }
        trips.us.sort_by(f64::total_cmp);
        Ok(trips)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(error)) = self.echo.take().and_then(|echo| echo.join().ok()) {
            eprintln!("the echo failed: {error:#}");
        }
    }
}

fn endpoint(host: &Host) -> Result<UdpSocket> {
    host.namespace().open(|| UdpSocket::bind(SocketAddr::new(host.address(Family::V4), PORT)))
}

fn echo(host: &UdpSocket, stop: &AtomicBool) -> Result<()> {
    schedule::take(INSIDE, Turn::Second)?;
    let mut buffer = [0; 2 * RTP];
    while !stop.load(Ordering::Relaxed) {
        match host.recv_from(&mut buffer) {
            Ok((len, from)) => {
                host.send_to(&buffer[..len], from)?;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("echo"),
        }
    }
    Ok(())
}

/// When the kernel had packet `number` back: the caller itself may have to wait for a CPU that the attack has. None: it is lost.
fn arrival(caller: &UdpSocket, number: u16) -> Result<Option<Duration>> {
    let mut buffer = [0; RTP];
    let mut control = cmsg_space!(TimeSpec);
    loop {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let received = recvmsg::<()>(caller.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty());
        let message = match received {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error).context("receive media"),
        };
        let stamp = message.cmsgs()?.find_map(|part| match part {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        // An earlier one that was late is not waited for any more.
        if buffer[2..4] == number.to_be_bytes() {
            return stamp.context("the kernel does not say when a packet came").map(Some);
        }
    }
}

fn now() -> Result<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")
}
