//! One round of one contender: as many packets as it can drop, and then a load that is the same for all, with a good caller in it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family};

use super::caller::Trips;
use super::contender::Contender;
use super::generator::Attack;
use super::receiver::Span;

/// Packets a second, for all contenders alike.
pub const LOAD: u32 = 200_000;

/// From the first packet on until the queues have settled.
const SETTLE: Duration = Duration::from_millis(150);
/// How long is measured: flat out, with the load, and without an attack.
const FLAT_OUT: Duration = Duration::from_millis(600);
const LOADED: Duration = Duration::from_millis(1000);
const QUIET: Duration = Duration::from_millis(400);

/// What was seen.
#[derive(Clone, Debug)]
pub struct Round {
    /// All that can be sent.
    pub flat_out: Span,
    /// [`LOAD`].
    pub loaded: Span,
    /// The good caller meanwhile.
    pub trips: Trips,
    /// The good caller before.
    pub quiet: Trips,
}

/// Measures.
pub fn round(contender: &Contender, attack: &mut Attack) -> Result<Round> {
    let quiet = contender.line.talk(QUIET)?;
    let (flat_out, ()) = under_attack(contender, attack, None, || {
        thread::sleep(FLAT_OUT);
        Ok(())
    })?;
    let (loaded, trips) = under_attack(contender, attack, Some(LOAD), || contender.line.talk(LOADED))?;
    Ok(Round { flat_out, loaded, trips, quiet })
}

/// What the receiver did while something was done during an attack, none of which may get through.
fn under_attack<T>(
    contender: &Contender,
    attack: &mut Attack,
    per_second: Option<u32>,
    meanwhile: impl FnOnce() -> Result<T>,
) -> Result<(Span, T)> {
    let Contender { bed, receiver, .. } = contender;
    let pbx = pbx(bed)?;
    let stop = AtomicBool::new(false);
    let measured = thread::scope(|scope| {
        let waged = scope.spawn(|| attack.wage(bed, per_second, &stop));
        let measured = (|| {
            let quiet = receiver.count()?;
            wait_for("the attack", PATIENCE, || receiver.count().is_ok_and(|now| now.since(&quiet).is_ok()))?;
            thread::sleep(SETTLE);
            let before = receiver.count()?;
            let done = meanwhile()?;
            Ok((receiver.count()?.since(&before)?, done))
        })();
        stop.store(true, Ordering::Relaxed);
        waged.join().map_err(|_| anyhow::anyhow!("the generator panicked"))??;
        measured
    });
    let got_through = pbx.recv(&mut [0; 64]).is_ok();
    ensure!(!got_through, "packets of banned sources reached the PBX");
    measured
}

/// Whom the attack means.
fn pbx(bed: &Bed) -> Result<UdpSocket> {
    let address: SocketAddr = bed.pbx.sip(Family::V4);
    let socket = bed.pbx.namespace().open(|| UdpSocket::bind(address))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
