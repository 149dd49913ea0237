//! Tells people what happens: the log, the store, the memory behind `events`, and those who follow.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::Timestamp;
use tokio::sync::broadcast;

use crate::alert::Alerts;
use crate::clock;
use crate::control::protocol::{FOLLOW_LAG_MAX, HISTORY_RECORDS_MAX};
use crate::control::server::{Response, Stored};
use crate::report::writer::Writer;
use crate::store::{Page, Store};

/// The only way from the agent to people.
pub struct Publisher {
    log: Writer,
    store: Rc<Store>,
    /// Number of the next record.
    next: i64,
    /// The last ones, under their numbers.
    history: VecDeque<(i64, Arc<Record>)>,
    live: broadcast::Sender<Arc<Record>>,
    /// Who is told beside the log.
    pub alerts: Alerts,
    told: BTreeMap<&'static str, u64>,
}

impl Publisher {
    /// What earlier agents told, the last record under the number `last`, is in the store; `recent` is the end of it.
    pub fn new(log: Writer, store: Rc<Store>, last: i64, recent: Vec<(i64, Record)>) -> Self {
        let history = recent.into_iter().map(|(number, record)| (number, Arc::new(record))).collect();
        // Where the store could not be read, its numbers are not known: a clock that counts faster than events come avoids them.
        let next = last.saturating_add(1).max(clock::wall().unix_ms.saturating_mul(1000));
        let live = broadcast::Sender::new(FOLLOW_LAG_MAX);
        let told = EventName::ALL.iter().map(|event| (event.name(), 0)).collect();
        Self { log, store, next, history, live, alerts: Alerts::default(), told }
    }

    /// Tells one record.
    pub fn tell(&mut self, record: Record) {
        *self.told.entry(record.event.name()).or_default() += 1;
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
        let number = self.next;
        self.next = number.saturating_add(1);
        self.store.tell(number, &record);
        if self.history.len() >= HISTORY_RECORDS_MAX {
            self.history.pop_front();
        }
        self.history.push_back((number, Arc::clone(&record)));
        // Fails only when nobody follows.
        let _ = self.live.send(record);
    }

    /// How often each event was told.
    pub const fn told(&self) -> &BTreeMap<&'static str, u64> {
        &self.told
    }

    /// What was told within so many seconds, and with `follow` what will be. Without a length of time: the last records, or with
    /// `follow` none of them.
    pub fn records(&self, since_seconds: Option<u64>, follow: bool, now: Timestamp) -> Response {
        let all = if follow { i64::MAX } else { i64::MIN };
        let oldest = since_seconds.map_or(all, |seconds| before(now, seconds));
        let before = self.history.front().map_or(self.next, |(number, _)| *number);
        let is_older = self.history.front().is_none_or(|(_, first)| first.time.unix_ms >= oldest);
        let stored = (since_seconds.is_some() && is_older).then(|| Stored {
            path: self.store.path().to_owned(),
            page: Page { since: Timestamp { unix_ms: oldest }, after: 0, before },
        });
        let records = self.history.iter().map(|(_, record)| record);
        let in_time = records.filter(|record| record.time.unix_ms >= oldest);
        Response::Records { stored, history: in_time.cloned().collect(), live: follow.then(|| self.live.subscribe()) }
    }
}

fn before(now: Timestamp, seconds: u64) -> i64 {
    let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    now.unix_ms.saturating_sub(ms)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::StoreRules;

    #[test]
    fn the_last_thousand_are_in_memory() {
        let folder = std::env::temp_dir().join(format!("sip-fw-publisher-{}", std::process::id()));
        let rules = StoreRules { keep: Duration::from_secs(1 << 40), bytes_max: 1 << 30 };
        let (store, _) = Store::open(&folder, rules).unwrap();
        let mut publisher = Publisher::new(Writer::start(|_| {}).unwrap(), Rc::new(store), 0, Vec::new());
        for n in 0..HISTORY_RECORDS_MAX as i64 + 5 {
            publisher.tell(Record::new(Timestamp { unix_ms: n * 1000 }, EventName::Expire));
        }
        assert_eq!(publisher.told()["expire"], HISTORY_RECORDS_MAX as u64 + 5);
        assert_eq!((publisher.told()["ban"], publisher.told().len()), (0, EventName::ALL.len()));
        let now = Timestamp { unix_ms: (HISTORY_RECORDS_MAX as i64 + 4) * 1000 };
        let count = |since, follow| match publisher.records(since, follow, now) {
            Response::Records { history, live, .. } => (history.len(), live.is_some()),
            Response::Reply(_) => (0, false),
        };
        assert_eq!(count(None, false), (HISTORY_RECORDS_MAX, false));
        assert_eq!(count(Some(2), false), (3, false));
        assert_eq!(count(None, true), (0, true), "those who follow ask for the past or do not get it");
        assert_eq!(count(Some(u64::MAX), true), (HISTORY_RECORDS_MAX, true));
        drop(publisher);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
