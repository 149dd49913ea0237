//! Tells people what happens: the log, the memory behind `events`, and those who follow.

use std::collections::VecDeque;
use std::sync::Arc;

use sip_fw_core::record::Record;
use sip_fw_core::time::Timestamp;
use tokio::sync::broadcast;

use crate::alert::Alerts;
use crate::control::protocol::{FOLLOW_LAG_MAX, HISTORY_RECORDS_MAX};
use crate::control::server::Response;
use crate::report::writer::Writer;

/// The only way from the agent to people.
pub struct Publisher {
    log: Writer,
    history: VecDeque<Arc<Record>>,
    live: broadcast::Sender<Arc<Record>>,
    /// Who is told beside the log.
    pub alerts: Alerts,
}

impl Publisher {
    /// Nothing was told yet.
    pub fn new(log: Writer) -> Self {
        Self { log, history: VecDeque::new(), live: broadcast::Sender::new(FOLLOW_LAG_MAX), alerts: Alerts::default() }
    }

    /// Tells one record.
    pub fn tell(&mut self, record: Record) {
        let record = Arc::new(record);
        self.alerts.tell(&record);
        self.note(record);
    }

    /// Tells how those who are told fare. Not them: one that fails would cause the next failure.
    pub fn look_at_alerts(&mut self) {
        self.alerts.news().into_iter().for_each(|record| self.note(Arc::new(record)));
    }

    fn note(&mut self, record: Arc<Record>) {
        self.log.tell(Arc::clone(&record));
        if self.history.len() >= HISTORY_RECORDS_MAX {
            self.history.pop_front();
        }
        self.history.push_back(Arc::clone(&record));
        // Fails only when nobody follows.
        let _ = self.live.send(record);
    }

    /// What was told within so many seconds, and with `follow` what will be. Without a length of time: all that is
    /// remembered, or with `follow` none of it.
    pub fn records(&self, since_seconds: Option<u64>, follow: bool, now: Timestamp) -> Response {
        let all = if follow { i64::MAX } else { i64::MIN };
        let oldest = since_seconds.map_or(all, |seconds| before(now, seconds));
        Response::Records {
            history: self.history.iter().filter(|record| record.time.unix_ms >= oldest).cloned().collect(),
            live: follow.then(|| self.live.subscribe()),
        }
    }
}

fn before(now: Timestamp, seconds: u64) -> i64 {
    let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    now.unix_ms.saturating_sub(ms)
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::EventName;

    use super::*;

    #[test]
    fn remembers_the_last_thousand() {
        let mut publisher = Publisher::new(Writer::start(|_| {}).unwrap());
        for n in 0..HISTORY_RECORDS_MAX as i64 + 5 {
            publisher.tell(Record::new(Timestamp { unix_ms: n * 1000 }, EventName::Expire));
        }
        let now = Timestamp { unix_ms: (HISTORY_RECORDS_MAX as i64 + 4) * 1000 };
        let count = |since, follow| match publisher.records(since, follow, now) {
            Response::Records { history, live } => (history.len(), live.is_some()),
            Response::Reply(_) => (0, false),
        };
        assert_eq!(count(None, false), (HISTORY_RECORDS_MAX, false));
        assert_eq!(count(Some(2), false), (3, false));
        assert_eq!(count(None, true), (0, true), "those who follow ask for the past or do not get it");
        assert_eq!(count(Some(u64::MAX), true), (HISTORY_RECORDS_MAX, true));
    }
}
