//! Many good phones that register again and again until they are told to stop.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

use super::{Phone, Registration};
use crate::family::Family;
use crate::netns::{Bed, Host};
use crate::peers::ACCOUNTS;
use crate::sip::Transport;
use crate::wait::{PATIENCE, wait_for};

/// The pause of a phone between two registrations.
const PAUSE: Duration = Duration::from_millis(50);

/// What the phones of a fleet achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetReport {
    /// Registrations that ended with 200.
    pub registrations: u64,
    /// Registrations that ended otherwise.
    pub lost: u64,
}

/// Phones at work, each on a thread.
#[derive(Debug)]
pub struct Fleet {
    shared: Arc<Shared>,
    phones: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    registrations: AtomicU64,
    lost: AtomicU64,
}

impl Fleet {
    /// Phones of every given family, one over UDP and one over TCP each, behind the office's first address.
    pub fn start(bed: &Bed, families: &[Family]) -> Result<Self> {
        let mut fleet = Self { shared: Arc::default(), phones: Vec::new() };
        for (family, account) in families.iter().zip(&ACCOUNTS[1..]) {
            for transport in [Transport::Udp, Transport::Tcp] {
                fleet.add(&bed.office, bed.office.address(*family), &bed.pbx, transport, *account)?;
            }
        }
        Ok(fleet)
    }

    /// One more phone, at the address `from` of `host`.
    pub fn add(
        &mut self,
        host: &Host,
        from: IpAddr,
        pbx: &Host,
        transport: Transport,
        account: (&str, &str),
    ) -> Result<()> {
        let mut phone = Phone::new(host, from, pbx.sip(Family::of(&from)), transport, account)?;
        let shared = Arc::clone(&self.shared);
        self.phones.push(thread::spawn(move || {
            while !shared.stop.load(Ordering::Relaxed) {
                let counter = if phone.register() == Registration::Done { &shared.registrations } else { &shared.lost };
                counter.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
        }));
        Ok(())
    }

    /// The count so far.
    pub fn report(&self) -> FleetReport {
        FleetReport {
            registrations: self.shared.registrations.load(Ordering::Relaxed),
            lost: self.shared.lost.load(Ordering::Relaxed),
        }
    }

    /// Waits until the phones have ended `more` further registrations, well or not.
    pub fn wait_for_more(&self, more: u64) -> Result<()> {
        let total = |report: FleetReport| report.registrations + report.lost;
        let goal = total(self.report()) + more;
        wait_for("good phones to register", 2 * PATIENCE, || total(self.report()) >= goal)
    }

    /// Lets every phone finish what it does, and stops.
    pub fn stop(mut self) -> FleetReport {
        self.finish_now()
    }

    /// The same without giving up the value.
    pub fn finish_now(&mut self) -> FleetReport {
        self.finish();
        self.report()
    }

    fn finish(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for phone in self.phones.drain(..) {
            let _ = phone.join();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.finish();
    }
}
