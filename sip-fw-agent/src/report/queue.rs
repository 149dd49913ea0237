//! The way of records to a thread of its own: the near end never waits, whatever becomes of the far end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sip_fw_core::record::Record;

/// Records that wait; more are counted. As many as a follower of `events` may lag behind.
pub const QUEUE_RECORDS_MAX: usize = 1024;

/// The near end.
#[derive(Debug)]
pub struct Queue {
    /// None at the end.
    open: Option<(SyncSender<Arc<Record>>, SyncSender<Infallible>)>,
    missed: Arc<AtomicU64>,
    /// Closes when the thread ends.
    ended: Receiver<Infallible>,
}

/// The far end.
#[derive(Debug)]
pub struct Far {
    /// What was told; closes at the end.
    pub records: Receiver<Arc<Record>>,
    missed: Arc<AtomicU64>,
    told_to_end: Receiver<Infallible>,
}

impl Queue {
    /// Starts a thread that takes what is told.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub fn start(name: &str, take: impl FnOnce(&Far) + Send + 'static) -> io::Result<Self> {
        let (tell, records) = sync_channel(QUEUE_RECORDS_MAX);
        let (live, told_to_end) = sync_channel(0);
        let (end, ended) = sync_channel(0);
        let missed = Arc::new(AtomicU64::new(0));
        let far = Far { records, missed: Arc::clone(&missed), told_to_end };
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            take(&far);
            drop(end);
        })?;
        Ok(Self { open: Some((tell, live)), missed, ended })
    }

    /// Hands over one record; never waits.
    pub fn tell(&self, record: Arc<Record>) {
        match self.open.as_ref().map(|(tell, _)| tell.try_send(record)) {
            Some(Err(TrySendError::Full(_))) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
            // The thread ends only when the queue is closed, or with a panic that was said.
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => {}
        }
    }

    /// Records that found the queue full, and that the thread does not know of yet.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Tells the thread to end; it may take what is still in the queue.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Waits until the thread of a closed queue ended, but not for longer.
    pub fn wait_until(&self, deadline: Instant) {
        // Whichever comes first: the thread ended, or it had its time.
        let _ = self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl Far {
    /// How many records found the queue full since it was asked last.
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }

    /// Waits; false when the thread is to end, and then at once.
    #[must_use]
    pub fn pause(&self, length: Duration) -> bool {
        self.told_to_end.recv_timeout(length) == Err(RecvTimeoutError::Timeout)
    }
}
