//! What is known of the agent: its last answers, and what it told since.

use std::collections::VecDeque;

use sip_fw_core::record::Record;
use sip_fw_core::time::Timestamp;

use super::rates::Rates;
use crate::control::view::{BansView, ExplainView, SourcesView, StatusView};

/// Events kept: more than a terminal has lines.
const RECORDS_MAX: usize = 300;

/// What the threads that ask the agent tell.
#[derive(Debug)]
pub enum News {
    /// How it is.
    Status(Box<StatusView>),
    /// The worst sources.
    Sources(SourcesView),
    /// Who is held back.
    Bans(BansView),
    /// Something happened.
    Record(Box<Record>),
    /// All of one source.
    Explained(Box<ExplainView>),
    /// It does not answer; why.
    Gone(String),
    /// What an operator wanted is done.
    Done(String),
    /// What an operator wanted is not done; why.
    Refused(String),
}

/// Whether the agent answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It does.
    #[default]
    Up,
    /// It does not.
    Gone {
        /// Since when.
        since: Timestamp,
        /// What was found.
        why: String,
    },
}

/// The last known of everything.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Whether it is of now.
    pub link: Link,
    /// How the agent is.
    pub status: Option<StatusView>,
    /// The last seconds.
    pub rates: Rates,
    /// The worst sources, the worst one first.
    pub sources: SourcesView,
    /// Who is held back, the last one first.
    pub bans: BansView,
    /// What happened, the latest first.
    pub records: VecDeque<Record>,
}

impl Picture {
    /// Takes what concerns the picture; gives back what does not.
    pub fn take(&mut self, news: News, now: Timestamp) -> Option<News> {
        match news {
            News::Status(status) => {
                self.link = Link::Up;
                self.rates.read(&status.counters, now);
                self.status = Some(*status);
            }
            News::Sources(sources) => self.sources = sources,
            News::Bans(bans) => self.bans = bans,
            News::Record(record) => self.record(*record),
            News::Gone(why) => {
                let since = match self.link {
                    Link::Gone { since, .. } => since,
                    Link::Up => now,
                };
                self.link = Link::Gone { since, why };
            }
            other @ (News::Explained(_) | News::Done(_) | News::Refused(_)) => return Some(other),
        }
        None
    }

    /// An agent that is back tells some of what it told before.
    fn record(&mut self, record: Record) {
        if !self.records.contains(&record) {
            self.records.push_front(record);
            self.records.truncate(RECORDS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::EventName;

    use super::super::samples;
    use super::*;

    #[test]
    fn the_last_picture_stays_while_the_agent_is_away() {
        let mut picture = samples::picture();
        let at = |unix_ms| Timestamp { unix_ms };
        assert!(picture.take(News::Gone("nobody".to_owned()), at(20_000)).is_none());
        picture.take(News::Gone("still nobody".to_owned()), at(21_000));
        assert_eq!(picture.link, Link::Gone { since: at(20_000), why: "still nobody".to_owned() });
        assert!(!picture.sources.sources.is_empty() && picture.status.is_some());
        picture.take(News::Status(Box::new(samples::status())), at(22_000));
        assert_eq!(picture.link, Link::Up);
    }

    #[test]
    fn events_are_kept_once_and_bounded() {
        let mut picture = Picture::default();
        for n in (0..400).chain(380..400) {
            let record = Record::new(Timestamp { unix_ms: n }, EventName::Expire);
            picture.take(News::Record(Box::new(record)), Timestamp { unix_ms: 0 });
        }
        assert_eq!(picture.records.len(), RECORDS_MAX);
        assert_eq!((picture.records[0].time.unix_ms, picture.records[299].time.unix_ms), (399, 100));
    }

    #[test]
    fn what_an_operator_asked_for_is_not_part_of_it() {
        let mut picture = Picture::default();
        assert!(matches!(
            picture.take(News::Done("x".to_owned()), Timestamp { unix_ms: 0 }),
            Some(News::Done(done)) if done == "x"
        ));
    }
}
