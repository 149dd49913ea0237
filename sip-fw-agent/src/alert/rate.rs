//! So many alerts a minute; what is more is held back and counted, and said with the next one.
//!
//! A minute begins with an alert. Its alerts may all come at once: the first of an attack are told at once, the rest when the
//! minute is over, with the last record that was held back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sip_fw_core::record::Record;

use super::message::Alert;

const MINUTE: Duration = Duration::from_secs(60);

/// What is told, and what is held back.
#[derive(Debug)]
pub struct Rate {
    per_minute: u32,
    /// When the minute began; None before the first alert.
    began: Option<Instant>,
    /// Alerts of the minute.
    told: u32,
    /// The last record that was held back.
    held: Option<Arc<Record>>,
    /// Records before it that were not told.
    more: u64,
}

impl Rate {
    /// Nothing was told yet.
    pub const fn new(per_minute: u32) -> Self {
        Self { per_minute, began: None, told: 0, held: None, more: 0 }
    }

    /// Takes a record: gives it back if it may be told now.
    pub fn offer(&mut self, record: Arc<Record>, now: Instant) -> Option<Alert> {
        self.more += u64::from(self.held.replace(record).is_some());
        self.due(now)
    }

    /// What was held back, if it may be told now.
    pub fn due(&mut self, now: Instant) -> Option<Alert> {
        let is_over = self.began.is_none_or(|began| now.saturating_duration_since(began) >= MINUTE);
        if !is_over && self.told >= self.per_minute {
            return None;
        }
        let alert = self.rest()?;
        if is_over {
            (self.began, self.told) = (Some(now), 0);
        }
        self.told += 1;
        Some(alert)
    }

    /// How long until what is held back may be told; None while nothing is.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.held.as_ref()?;
        Some(self.began.map_or(Duration::ZERO, |began| (began + MINUTE).saturating_duration_since(now)))
    }

    /// What is held back, whether it may be told or not: for the end.
    pub fn rest(&mut self) -> Option<Alert> {
        let record = self.held.take()?;
        Some(Alert { record, more: std::mem::take(&mut self.more) })
    }

    /// So many were not told for another reason.
    pub const fn add_untold(&mut self, count: u64) {
        self.more = self.more.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::EventName;
    use sip_fw_core::time::Timestamp;

    use super::*;

    fn record(unix_ms: i64) -> Arc<Record> {
        Arc::new(Record::new(Timestamp { unix_ms }, EventName::Ban))
    }

    fn told(alert: Option<Alert>) -> Option<(i64, u64)> {
        alert.map(|alert| (alert.record.time.unix_ms, alert.more))
    }

    #[test]
    fn the_first_ones_are_told_at_once_the_rest_when_the_minute_is_over() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut rate = Rate::new(2);
        let offered: Vec<_> = (0..6).map(|n| told(rate.offer(record(n), at(n as u64)))).collect();
        assert_eq!(offered, [Some((0, 0)), Some((1, 0)), None, None, None, None]);
        assert_eq!(rate.wait(at(20)), Some(Duration::from_secs(40)));
        assert_eq!(told(rate.due(at(59))), None);
        assert_eq!(told(rate.due(at(60))), Some((5, 3)), "the last one, and three more");
        assert_eq!(rate.wait(at(60)), None);
        assert_eq!(told(rate.offer(record(6), at(61))), Some((6, 0)), "the second alert of the second minute");
        assert_eq!(told(rate.offer(record(7), at(119))), None);
        assert_eq!(told(rate.offer(record(8), at(120))), Some((8, 1)), "with the next one");
    }

    #[test]
    fn what_was_lost_is_said_with_the_next_one() {
        let now = Instant::now();
        let mut rate = Rate::new(1);
        rate.add_untold(7);
        assert_eq!((told(rate.due(now)), rate.wait(now)), (None, None), "there is nothing to say it with");
        assert_eq!(told(rate.offer(record(1), now)), Some((1, 7)));
        assert_eq!(told(rate.offer(record(2), now)), None);
        rate.add_untold(1);
        assert_eq!(told(rate.rest()), Some((2, 1)));
        assert_eq!(told(rate.rest()), None);
    }
}
