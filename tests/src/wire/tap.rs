//! A tap: a thread that keeps every SIP message and every opening of a TCP connection that pass an interface.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::capture::Capture;
use super::frame::{Opening, Seen, messages, opening};
use crate::netns::{Bed, Host, Namespace};
use crate::wait::{PATIENCE, wait_for};

const READ_TIMEOUT: Duration = Duration::from_millis(10);

/// A running tap; the thread ends when it is dropped.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    openings: Mutex<Vec<Opening>>,
    stop: AtomicBool,
    /// Times the reader found the queue empty.
    idle: AtomicU64,
    lost: AtomicU32,
}

impl Tap {
    /// Taps what the stack of `host` receives (after XDP) and sends.
    pub fn inside(host: &Host) -> Result<Self> {
        Self::open(host.namespace(), host.interface())
    }

    /// Taps the switch's end of the cable to `host`: what is really sent to it and by it. `In` is what the host sent.
    pub fn cable(bed: &Bed, host: &Host) -> Result<Self> {
        Self::open(bed.switch(), &bed.port_of(host))
    }

    fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        let capture = namespace
            .within(|| Capture::open(interface))?
            .with_context(|| format!("tap {interface} in {}", namespace.name()))?;
        capture.set_timeout(READ_TIMEOUT)?;
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.read(&capture)
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Everything seen until now. Waits until the queue has been read; an error if the tap lost packets.
    pub fn seen(&self) -> Result<Vec<Seen>> {
        self.catch_up()?;
        Ok(self.shared.messages().clone())
    }

    /// Every SYN and SYN-ACK seen until now, under the same conditions.
    pub fn openings(&self) -> Result<Vec<Opening>> {
        self.catch_up()?;
        Ok(self.shared.openings.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn catch_up(&self) -> Result<()> {
        let before = self.shared.idle.load(Ordering::Acquire);
        wait_for("the tap to read its queue", PATIENCE, || self.shared.idle.load(Ordering::Acquire) >= before + 2)?;
        let lost = self.shared.lost.load(Ordering::Acquire);
        ensure!(lost == 0, "the tap lost {lost} packets: its counts mean nothing");
        Ok(())
    }

    /// Waits until the messages seen fulfil `condition`.
    pub fn wait(&self, what: &str, condition: impl Fn(&[Seen]) -> bool) -> Result<()> {
        wait_for(what, PATIENCE, || condition(&self.shared.messages()))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn messages(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, capture: &Capture) {
        let mut buffer = vec![0; 1 << 16];
        while !self.stop.load(Ordering::Relaxed) {
            match capture.receive(&mut buffer) {
                Ok(Some(frame)) => {
                    let bytes = &buffer[..frame.length];
                    let found = messages(bytes, &frame);
                    self.messages().extend(found);
                    let knock = opening(bytes, frame.direction);
                    self.openings.lock().unwrap_or_else(PoisonError::into_inner).extend(knock);
                }
                Ok(None) => {
                    // An unreadable counter is as bad as a loss.
                    self.lost.fetch_add(capture.lost().unwrap_or(1), Ordering::Release);
                    self.idle.fetch_add(1, Ordering::Release);
                }
                // The interface goes away with its namespace at the end of a test.
                Err(_) => return,
            }
        }
    }
}
