//! Between the agent's loop, which must not wait, and the thread that writes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip_fw_core::record::Record;

use super::StoreRules;
use super::rows::{BanRow, PeerRow, StrikeRow};

/// Events that wait to be written; more are counted. At most 1 KiB each.
const EVENTS_WAITING_MAX: usize = 8192;
/// Said and not yet heard; more is left out.
const NEWS_MAX: usize = 16;

/// What is different in the tables, by its key: a new row, or None where there is none any more.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Secret of the hashes.
    pub hash_seed: Option<u64>,
    /// By source or prefix.
    pub bans: HashMap<String, Option<BanRow>>,
    /// By source and hash of the user.
    pub peers: HashMap<(String, u64), Option<PeerRow>>,
    /// By source: all of its strikes.
    pub strikes: HashMap<String, Vec<StrikeRow>>,
}

impl Changes {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bans.len() + self.peers.len() + self.strikes.len() + usize::from(self.hash_seed.is_some())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes later ones.
    fn follow(&mut self, later: Self) {
        self.hash_seed = later.hash_seed.or(self.hash_seed);
        self.bans.extend(later.bans);
        self.peers.extend(later.peers);
        self.strikes.extend(later.strikes);
    }
}

/// What the thread takes at once.
#[derive(Debug, Default)]
pub struct Batch {
    pub changes: Changes,
    pub events: Vec<(i64, Arc<Record>)>,
    /// Other bounds.
    pub rules: Option<StoreRules>,
    /// Nothing will come after it.
    pub last: bool,
}

/// Bounded by the tables' sizes, as a later change takes the place of an earlier one.
#[derive(Debug, Default)]
pub struct Mailbox {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    changes: Changes,
    events: VecDeque<(i64, Arc<Record>)>,
    events_lost: u64,
    rules: Option<StoreRules>,
    closed: bool,
    trouble: Option<String>,
    /// Bytes of the files.
    bytes: u64,
    news: Vec<String>,
    wants_everything: bool,
}

impl Mailbox {
    pub fn remember(&self, changes: Changes) {
        if !changes.is_empty() {
            self.content().changes.follow(changes);
            self.changed.notify_one();
        }
    }

    pub fn tell(&self, number: i64, record: &Arc<Record>) {
        let mut content = self.content();
        if content.events.len() >= EVENTS_WAITING_MAX {
            // The newest ones are worth more.
            content.events.pop_front();
            content.events_lost += 1;
        }
        content.events.push_back((number, Arc::clone(record)));
        drop(content);
        self.changed.notify_one();
    }

    pub fn set_rules(&self, rules: StoreRules) {
        self.content().rules = Some(rules);
        self.changed.notify_one();
    }

    pub fn close(&self) {
        self.content().closed = true;
        self.changed.notify_one();
    }

    pub fn take_news(&self) -> Vec<String> {
        std::mem::take(&mut self.content().news)
    }

    pub fn take_wants_everything(&self) -> bool {
        std::mem::take(&mut self.content().wants_everything)
    }

    pub fn trouble(&self) -> Option<String> {
        self.content().trouble.clone()
    }

    pub fn waiting(&self) -> usize {
        self.content().changes.len()
    }

    pub fn bytes(&self) -> u64 {
        self.content().bytes
    }

    pub fn events_lost(&self) -> u64 {
        self.content().events_lost
    }

    #[cfg(test)]
    pub fn has_no_events(&self) -> bool {
        self.content().events.is_empty()
    }

    /// What is there to write. Waits for something, but not longer than `patience`.
    pub fn take(&self, patience: Duration) -> Batch {
        let empty = |content: &mut Content| {
            content.changes.is_empty() && content.events.is_empty() && content.rules.is_none() && !content.closed
        };
        let waited = self.changed.wait_timeout_while(self.content(), patience, empty);
        let mut content = waited.unwrap_or_else(PoisonError::into_inner).0;
        Batch {
            changes: std::mem::take(&mut content.changes),
            events: content.events.drain(..).collect(),
            rules: content.rules.take(),
            last: content.closed,
        }
    }

    /// Takes back what could not be written: what came meanwhile is later.
    pub fn give_back(&self, Batch { mut changes, events, .. }: Batch) {
        let mut content = self.content();
        changes.follow(std::mem::take(&mut content.changes));
        content.changes = changes;
        let room = EVENTS_WAITING_MAX.saturating_sub(content.events.len());
        let lost = events.len().saturating_sub(room);
        content.events_lost += lost as u64;
        for event in events.into_iter().skip(lost).rev() {
            content.events.push_front(event);
        }
    }

    /// Waits, unless the end comes.
    pub fn pause(&self, pause: Duration) {
        drop(self.changed.wait_timeout_while(self.content(), pause, |content| !content.closed));
    }

    /// Something does not work. Said once.
    pub fn fails(&self, trouble: String) {
        let mut content = self.content();
        if content.trouble.as_ref() != Some(&trouble) {
            content.say(format!("the store cannot be written, what happens is kept in memory: {trouble}"));
        }
        content.trouble = Some(trouble);
    }

    /// Everything works; the files have so many bytes.
    pub fn works(&self, bytes: u64) {
        let mut content = self.content();
        content.bytes = bytes;
        if content.trouble.take().is_some() {
            content.say("the store works again, and has everything that was kept in memory".to_owned());
        }
    }

    pub fn say(&self, news: String) {
        self.content().say(news);
    }

    /// The database begins anew.
    pub fn want_everything(&self) {
        self.content().wants_everything = true;
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Nothing in here is left half done where a thread panics.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn say(&mut self, news: String) {
        if self.news.len() < NEWS_MAX {
            self.news.push(news);
        }
    }
}
