//! What is remembered of each source beyond the kernel's maps: names tried, and when.

use std::num::NonZeroUsize;

use lru::LruCache;
use serde::{Deserialize, Serialize};
use sip_fw_common::abi::{Source, Text};

use crate::limits::{LEDGER_SOURCES_MAX, LEDGER_USERS_MAX, SUCCESSES_MAX};
use crate::text::shown;
use crate::time::Timestamp;

/// One source's page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// User names tried, the first ones, without duplicates.
    pub users: Vec<String>,
    /// More names were tried than are kept.
    pub users_cut: bool,
    /// First failure that is remembered.
    pub first_failure: Option<Timestamp>,
    /// Last failure.
    pub last_failure: Option<Timestamp>,
    /// Last User-Agent.
    pub user_agent: Option<String>,
    /// Failures, proven or not.
    pub failures: u64,
    /// Successes.
    pub successes: u64,
    /// Why it was shunned last, or banned by the agent's own judgement.
    #[serde(default)]
    pub finding: Option<String>,
}

impl Page {
    /// How many names were tried, in words; None for one or none.
    #[must_use]
    pub fn users_tried(&self) -> Option<String> {
        match (self.users.len(), self.users_cut) {
            (count, true) => Some(format!("more than {count} users tried")),
            (0 | 1, false) => None,
            (count, false) => Some(format!("{count} users tried")),
        }
    }

    fn note(&mut self, user: &Text, user_agent: &Text) {
        if let Some(agent) = shown(user_agent) {
            self.user_agent = Some(agent);
        }
        let Some(user) = shown(user) else { return };
        if self.users.contains(&user) {
            return;
        }
        if self.users.len() < LEDGER_USERS_MAX {
            self.users.push(user);
        } else {
            self.users_cut = true;
        }
    }
}

/// Pages by source; the least recently used one goes first.
#[derive(Debug)]
pub struct Ledger {
    pages: LruCache<Source, Page>,
    succeeded: LruCache<(Source, [u8; sip_fw_common::limits::TEXT_BYTES]), ()>,
}

impl Ledger {
    /// An empty ledger of the usual size.
    #[must_use]
    pub fn new() -> Self {
        Self::with_sizes(LEDGER_SOURCES_MAX, SUCCESSES_MAX)
    }

    /// An empty ledger for so many sources, and so many pairs of source and user.
    #[must_use]
    pub fn with_sizes(sources: NonZeroUsize, successes: NonZeroUsize) -> Self {
        Self { pages: LruCache::new(sources), succeeded: LruCache::new(successes) }
    }

    /// Remembers a failure.
    pub fn failure(&mut self, source: Source, user: &Text, user_agent: &Text, time: Timestamp) {
        self.succeeded.pop(&(source, user.bytes));
        let page = self.page_mut(source);
        page.note(user, user_agent);
        page.failures = page.failures.saturating_add(1);
        page.first_failure.get_or_insert(time);
        page.last_failure = Some(time);
    }

    /// Remembers a success; true when it is the first of this user there, or the first after a failure.
    pub fn success(&mut self, source: Source, user: &Text) -> bool {
        if let Some(page) = self.pages.get_mut(&source) {
            page.successes = page.successes.saturating_add(1);
        }
        self.succeeded.put((source, user.bytes), ()).is_none()
    }

    /// Remembers what a source was held back for.
    pub fn found(&mut self, source: Source, why: &str) {
        self.page_mut(source).finding = Some(why.to_owned());
    }

    /// Remembers who was tried when a ban came.
    pub fn banned(&mut self, source: Source, user: &Text, user_agent: &Text) -> &Page {
        let page = self.page_mut(source);
        page.note(user, user_agent);
        page
    }

    /// What is remembered of a source.
    #[must_use]
    pub fn page(&self, source: Source) -> Option<&Page> {
        self.pages.peek(&source)
    }

    /// Sources remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    fn page_mut(&mut self, source: Source) -> &mut Page {
        self.pages.get_or_insert_mut(source, Page::default)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pack;

    const AT: Timestamp = Timestamp { unix_ms: 1000 };

    #[test]
    fn forgets_the_oldest_source_and_the_ninth_user() {
        let mut ledger = Ledger::with_sizes(NonZeroUsize::MIN, NonZeroUsize::MIN);
        for number in 0..20 {
            ledger.failure(Source::v4(1), &pack(&format!("{}", number / 2)), &pack("agent"), AT);
        }
        let page = ledger.page(Source::v4(1)).unwrap();
        assert_eq!((page.users.len(), page.users_cut, page.failures), (LEDGER_USERS_MAX, true, 20));
        assert_eq!(page.users_tried().as_deref(), Some("more than 8 users tried"));
        ledger.failure(Source::v4(2), &pack("100"), &Text::EMPTY, AT);
        assert_eq!(ledger.len(), 1);
        assert_eq!(ledger.page(Source::v4(1)), None);
    }

    #[test]
    fn a_success_is_new_once_and_after_a_failure() {
        let mut ledger = Ledger::new();
        let (source, user) = (Source::v4(1), pack("100"));
        assert!(ledger.success(source, &user));
        assert!(!ledger.success(source, &user));
        assert!(ledger.success(source, &pack("101")));
        ledger.failure(source, &user, &Text::EMPTY, AT);
        assert!(ledger.success(source, &user));
    }
}
