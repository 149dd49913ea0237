//! What an earlier agent saw: told again by its records, so that a restart makes nobody a stranger.

use sip_fw_common::abi::{Evidence, Source, Text};

use super::Controller;
use crate::record::{EventName, Record};
use crate::source::Target;
use crate::text::pack;
use crate::time::Time;

impl Controller {
    /// Remembers a judgement of an earlier agent; nothing is decided. `is_peer` says whether a source is a known peer now.
    pub fn recall(&mut self, record: &Record, is_peer: impl Fn(Source) -> bool, now: Time) {
        let target = record.source.as_deref().and_then(|source| self.ipv6().parse(source).ok());
        let Some(Target::Source(source)) = target else { return };
        let text = |text: &Option<String>| text.as_deref().map_or(Text::EMPTY, pack);
        let (user, user_agent) = (text(&record.user), text(&record.user_agent));
        match record.event {
            EventName::AuthFailure => {
                self.ledger.failure(source, &user, &user_agent, record.time);
                if record.evidence.as_deref() == Some(Evidence::Proven.name()) && !is_peer(source) {
                    // It was answered for when it came.
                    let _ = self.patience.failure(source, &user, now.kernel_of(record.time));
                }
            }
            // A ban settles what led to it, as it did when it came.
            EventName::Ban => self.patience.banned(source),
            EventName::AuthSuccess => {
                self.ledger.success(source, &user);
                self.patience.success(source, &user);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use sip_fw_common::abi::Settings;

    use super::*;
    use crate::controller::Rules;
    use crate::limits::SLOW_FAILURES_MAX;
    use crate::source::Ipv6Prefix;
    use crate::time::Timestamp;

    const NOW: Time = Time { kernel_ns: 80_000_000_000_000, wall: Timestamp { unix_ms: 1_800_000_000_000 } };

    fn recalled(event: EventName, minutes_ago: i64) -> Record {
        let time = Timestamp { unix_ms: NOW.wall.unix_ms - minutes_ago * 60_000 };
        let (source, user, evidence) =
            (Some("203.0.113.9".to_owned()), Some("1000".to_owned()), Some("proven".to_owned()));
        Record { source, user, evidence, ..Record::new(time, event) }
    }

    /// Whether one more failure is the last of a slow guesser.
    fn is_at_the_end(told: &[Record], is_peer: bool) -> bool {
        let settings = Settings { ipv6_mask: Ipv6Prefix::DEFAULT.mask(), ..Settings::default() };
        let rules = Rules { settings, services: Vec::new(), access: [].into(), bans_max: 1024 };
        let mut controller = Controller::new(rules);
        told.iter().for_each(|record| controller.recall(record, |_| is_peer, NOW));
        controller.patience.failure(Source::v4(0xcb00_7109), &pack("1000"), NOW.kernel_ns).is_some()
    }

    #[test]
    fn what_adds_up_goes_on_after_a_restart_and_what_was_settled_does_not() {
        let failures: Vec<_> =
            (1..SLOW_FAILURES_MAX as i64).map(|n| recalled(EventName::AuthFailure, 2000 - 60 * n)).collect();
        assert!(!is_at_the_end(&failures[1..], false), "the first ones are older than a day");
        let failures: Vec<_> =
            (1..SLOW_FAILURES_MAX as i64).rev().map(|n| recalled(EventName::AuthFailure, 60 * n)).collect();
        assert!(is_at_the_end(&failures, false));
        assert!(!is_at_the_end(&failures, true), "a known peer is judged otherwise");
        for settled in [EventName::Ban, EventName::AuthSuccess] {
            assert!(!is_at_the_end(&[&failures[..], &[recalled(settled, 1)]].concat(), false), "{settled:?}");
        }
    }
}
