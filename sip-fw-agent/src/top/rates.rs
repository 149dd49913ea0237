//! What happened in each of the last seconds, from counters that are read about once a second.

use std::collections::{BTreeMap, VecDeque};

use sip_fw_common::reason::Reason;
use sip_fw_core::time::Timestamp;

use crate::control::view::CounterView;

/// Seconds kept: the widest terminals show less than five minutes.
const SECONDS_MAX: usize = 300;

const WRONG_PASSWORDS: [Reason; 2] = [Reason::FailureProven, Reason::FailureUnproven];
const DROPPED: [Reason; 6] =
    [Reason::Banned, Reason::Denied, Reason::Shunned, Reason::Flood, Reason::Scanner, Reason::WouldDrop];

/// The last seconds, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    read: Option<Reading>,
    /// Wrong passwords: what reached the PBX.
    pub wrong_passwords: VecDeque<u64>,
    /// Packets dropped: what was kept from it. In mode observe those that would be.
    pub dropped: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    time: Timestamp,
    wrong_passwords: u64,
    dropped: u64,
}

impl Rates {
    /// Counts on from the reading before. Counters that went back are new ones.
    pub fn read(&mut self, counters: &BTreeMap<String, CounterView>, time: Timestamp) {
        let sum = |reasons: &[Reason]| {
            let packets = |reason: &Reason| counters.get(reason.name()).map_or(0, |counter| counter.packets);
            reasons.iter().map(packets).fold(0, u64::saturating_add)
        };
        let reading = Reading { time, wrong_passwords: sum(&WRONG_PASSWORDS), dropped: sum(&DROPPED) };
        let Some(before) = self.read.replace(reading) else { return };
        let (Some(wrong_passwords), Some(dropped), Ok(ms)) = (
            reading.wrong_passwords.checked_sub(before.wrong_passwords),
            reading.dropped.checked_sub(before.dropped),
            u64::try_from(time.unix_ms.saturating_sub(before.time.unix_ms)),
        ) else {
            return;
        };
        spread(&mut self.wrong_passwords, wrong_passwords, ms);
        spread(&mut self.dropped, dropped, ms);
    }
}

/// Adds what happened in so many milliseconds, evenly over the seconds they last. One that happened is never shown as none.
fn spread(seconds: &mut VecDeque<u64>, count: u64, ms: u64) {
    let each = count.saturating_mul(1000).div_ceil(ms.max(1));
    let slots = usize::try_from(ms.saturating_add(500) / 1000).unwrap_or(SECONDS_MAX).clamp(1, SECONDS_MAX);
    for _ in 0..slots {
        seconds.push_front(each);
    }
    seconds.truncate(SECONDS_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rates: &mut Rates, unix_ms: i64, failures: u64, banned: u64) {
        let counter = |packets| CounterView { packets, bytes: 0 };
        let counters = BTreeMap::from([
            ("failure-proven".to_owned(), counter(failures)),
            ("banned".to_owned(), counter(banned)),
            ("request".to_owned(), counter(999)),
        ]);
        rates.read(&counters, Timestamp { unix_ms });
    }

    #[test]
    fn differences_over_time() {
        let mut rates = Rates::default();
        at(&mut rates, 0, 100, 50);
        assert!(rates.dropped.is_empty(), "what was before is no rate");
        at(&mut rates, 1000, 103, 50);
        at(&mut rates, 3000, 103, 70);
        assert_eq!(rates.wrong_passwords, [0, 0, 3]);
        assert_eq!(rates.dropped, [10, 10, 0]);
        at(&mut rates, 4900, 104, 70);
        assert_eq!(rates.wrong_passwords, [1, 1, 0, 0, 3], "one in two seconds is not none");
        at(&mut rates, 6000, 2, 0);
        assert_eq!(rates.dropped.len(), 5, "new counters");
        at(&mut rates, 7000, 2, 8);
        assert_eq!(rates.dropped[0], 8);
    }

    #[test]
    fn bounded() {
        let mut rates = Rates::default();
        at(&mut rates, 0, 0, 0);
        at(&mut rates, i64::MAX, 1, u64::MAX);
        for n in 1..400 {
            at(&mut rates, n * 1000, 0, 0);
        }
        assert!(rates.dropped.len() <= SECONDS_MAX);
    }
}
