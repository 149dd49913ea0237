//! Writes the log from a thread of its own: a reader that stops reading stops the log, not the agent.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip_fw_core::record::{EventName, Record};

use super::queue::{Far, QUEUE_RECORDS_MAX, Queue};
use crate::clock;

/// What nobody has read by then is not written at the end.
const LAST_RECORDS: Duration = Duration::from_secs(1);

/// The near end of the log. Dropping it waits, but not for long, until everything is written.
#[derive(Debug)]
pub struct Writer(Queue);

impl Writer {
    /// Starts the thread, which hands each record to `write`.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub fn start(write: impl FnMut(&Record) + Send + 'static) -> io::Result<Self> {
        Queue::start("log", |far| write_all(far, write)).map(Self)
    }

    /// Hands over one record; never waits.
    pub fn tell(&self, record: Arc<Record>) {
        self.0.tell(record);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
        self.0.wait_until(Instant::now() + LAST_RECORDS);
    }
}

/// Writes until the queue is closed. Whenever a record was missed the queue was full, so that its count follows what
/// was in the queue, even if nothing is told any more.
fn write_all(far: &Far, mut write: impl FnMut(&Record)) {
    while let Ok(record) = far.records.recv() {
        write(&record);
        far.records.try_iter().take(QUEUE_RECORDS_MAX).for_each(|record| write(&record));
        match far.take_missed() {
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
    use std::sync::mpsc::{channel, sync_channel};

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
        while writer.0.missed() == 0 {
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
