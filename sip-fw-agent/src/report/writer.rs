//! Writes the log from a thread of its own: a reader that stops reading stops the log, not the agent.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use sip_fw_core::record::{EventName, Record};

use crate::clock;

/// Records that wait for the log; more are counted. As many as a follower of `events` may lag behind.
const QUEUE_RECORDS_MAX: usize = 1024;
/// What nobody has read by then is not written at the end.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// The near end of the queue. Dropping it waits, but not for long, until everything is written.
#[derive(Debug)]
pub struct Writer {
    /// None at the end.
    queue: Option<SyncSender<Arc<Record>>>,
    missed: Arc<AtomicU64>,
    /// Nothing is sent here; it closes when the thread ends.
    ended: Receiver<()>,
}

impl Writer {
    /// Starts the thread, which hands each record to `write`.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub fn start(write: impl FnMut(&Record) + Send + 'static) -> io::Result<Self> {
        let (queue, records) = sync_channel(QUEUE_RECORDS_MAX);
        let (end, ended) = sync_channel(0);
        let missed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&missed);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            write_all(&records, &count, write);
            drop(end);
        })?;
        Ok(Self { queue: Some(queue), missed, ended })
    }

    /// Hands over one record; never waits.
    pub fn tell(&self, record: Arc<Record>) {
        match self.queue.as_ref().map(|queue| queue.try_send(record)) {
            Some(Err(TrySendError::Full(_))) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
            // The thread ends only when the queue is closed, or with a panic that was said.
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => {}
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        // Whichever comes first: the thread ended, or it had its time.
        let _ = self.ended.recv_timeout(LAST_RECORDS);
    }
}

/// Writes until the queue is closed. Whenever a record was missed the queue was full, so that its count follows what
/// was in the queue, even if nothing is told any more.
fn write_all(records: &Receiver<Arc<Record>>, missed: &AtomicU64, mut write: impl FnMut(&Record)) {
    while let Ok(record) = records.recv() {
        write(&record);
        records.try_iter().take(QUEUE_RECORDS_MAX).for_each(|record| write(&record));
        match missed.swap(0, Ordering::Relaxed) {
            0 => {}
            count => write(&more(count)),
        }
    }
}

fn more(count: u64) -> Record {
    let reason =
        format!("and {count} more records, which this log did not take in time; sip-fw events has the last ones");
    Record::new(clock::wall(), EventName::Degraded).because(reason)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use sip_fw_core::time::Timestamp;

    use super::*;

    fn record(unix_ms: i64) -> Arc<Record> {
        Arc::new(Record::new(Timestamp { unix_ms }, EventName::Expire))
    }

    #[test]
    fn everything_is_written_at_the_end() {
        let (said, heard) = channel();
        let writer = Writer::start(move |record| said.send(record.clone()).unwrap()).unwrap();
        (0..100).for_each(|n| writer.tell(record(n)));
        drop(writer);
        assert!(heard.iter().map(|record| record.time.unix_ms).eq(0..100));
    }

    #[test]
    fn a_stopped_reader_stops_neither_the_agent_nor_its_end() {
        let (said, heard) = sync_channel(0);
        let (go, stopped) = channel();
        let writer = Writer::start(move |record| {
            let _: Result<(), _> = stopped.recv();
            said.send(record.clone()).unwrap();
        })
        .unwrap();
        // One more: the thread holds a record while it cannot write it.
        writer.tell(record(0));
        let began = Instant::now();
        let full = QUEUE_RECORDS_MAX as i64;
        while writer.missed.load(Ordering::Relaxed) == 0 {
            writer.tell(record(1));
        }
        (1..7).for_each(|_| writer.tell(record(1)));
        drop(writer);
        assert!(began.elapsed() >= LAST_RECORDS && began.elapsed() < 5 * LAST_RECORDS);
        drop(go);
        let written: Vec<_> = heard.iter().collect();
        let expected = "and 7 more records, which this log did not take in time; sip-fw events has the last ones";
        let (last, before) = written.split_last().unwrap();
        assert_eq!(last.reason.as_deref(), Some(expected));
        assert!((full..full + 2).contains(&(before.len() as i64)), "{}", before.len());
    }
}
