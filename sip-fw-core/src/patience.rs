//! Guessing below every window: a source that fails slowly, and a user who fails from many sources, within a day.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use lru::LruCache;
use sip_fw_common::abi::{Source, Text};
use sip_fw_common::limits::TEXT_BYTES;

use crate::limits::{
    DAY_NS, GUESSED_SOURCES_MAX, GUESSED_USERS_REMEMBERED, SLOW_FAILURES_MAX, SLOW_SOURCES_REMEMBERED,
};

/// Proven failures of a day; the least recently failing source and user are forgotten first.
#[derive(Debug)]
pub struct Patience {
    sources: LruCache<Source, VecDeque<u64>>,
    users: LruCache<[u8; TEXT_BYTES], Guessed>,
}

/// Where one user failed.
#[derive(Debug, Default)]
struct Guessed {
    sources: VecDeque<(u64, Source)>,
    told_ns: Option<u64>,
}

/// What a failure comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guessing {
    /// One source, so many failures.
    Slow(usize),
    /// One user, from these sources. `fresh`: it was not told within the day.
    Distributed {
        /// They.
        sources: Vec<Source>,
        /// It was not told within the day.
        fresh: bool,
    },
}

impl Patience {
    /// Nobody failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_sizes(SLOW_SOURCES_REMEMBERED, GUESSED_USERS_REMEMBERED)
    }

    /// The same for so many sources and users.
    #[must_use]
    pub fn with_sizes(sources: NonZeroUsize, users: NonZeroUsize) -> Self {
        Self { sources: LruCache::new(sources), users: LruCache::new(users) }
    }

    /// A proven failure of a source that is no known peer.
    pub fn failure(&mut self, source: Source, user: &Text, now_ns: u64) -> Option<Guessing> {
        let is_recent = |at: u64| now_ns.saturating_sub(at) <= DAY_NS;
        let guessed = self.users.get_or_insert_mut(user.bytes, Guessed::default);
        guessed.sources.retain(|(at, known)| is_recent(*at) && *known != source);
        if guessed.sources.len() >= GUESSED_SOURCES_MAX {
            guessed.sources.pop_front();
        }
        guessed.sources.push_back((now_ns, source));
        if guessed.sources.len() >= GUESSED_SOURCES_MAX && !user.as_bytes().is_empty() {
            let fresh = !guessed.told_ns.is_some_and(is_recent);
            if fresh {
                guessed.told_ns = Some(now_ns);
            }
            let sources = guessed.sources.iter().map(|(_, source)| *source).collect();
            return Some(Guessing::Distributed { sources, fresh });
        }
        let failures = self.sources.get_or_insert_mut(source, VecDeque::new);
        failures.retain(|at| is_recent(*at));
        failures.push_back(now_ns);
        let count = failures.len();
        (count >= SLOW_FAILURES_MAX).then(|| {
            failures.clear();
            Guessing::Slow(count)
        })
    }

    /// A user succeeded with proof: neither he nor his address was guessing.
    pub fn success(&mut self, source: Source, user: &Text) {
        self.sources.pop(&source);
        self.users.pop(&user.bytes);
    }

    /// A ban settles what led to it.
    pub fn banned(&mut self, source: Source) {
        self.sources.pop(&source);
    }

    /// Sources and users remembered.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.sources.len(), self.users.len())
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pack;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn a_slow_source() {
        let mut patience = Patience::new();
        let mut fail = |minute: u64| patience.failure(Source::v4(1), &pack(&minute.to_string()), minute * MINUTE);
        let found: Vec<u64> =
            (0..60).filter(|try_| fail(try_ * 20) == Some(Guessing::Slow(SLOW_FAILURES_MAX))).collect();
        assert_eq!(found, [19, 39, 59]);
        let slower: Vec<u64> = (0..60).filter(|try_| fail(2000 + try_ * 90).is_some()).collect();
        assert_eq!(slower, [0; 0], "sixteen a day");
    }

    #[test]
    fn one_user_from_many_sources() {
        let mut patience = Patience::new();
        let user = pack("100");
        for number in 1..GUESSED_SOURCES_MAX as u32 {
            assert_eq!(patience.failure(Source::v4(number), &user, MINUTE), None);
            assert_eq!(patience.failure(Source::v4(number), &user, MINUTE), None, "the same source again");
        }
        let Some(Guessing::Distributed { sources, fresh: true }) = patience.failure(Source::v4(99), &user, MINUTE)
        else {
            panic!("told once");
        };
        assert_eq!(sources.len(), GUESSED_SOURCES_MAX);
        let again = patience.failure(Source::v4(100), &user, MINUTE);
        assert!(matches!(again, Some(Guessing::Distributed { fresh: false, .. })));
        patience.success(Source::v4(5), &user);
        assert_eq!(patience.failure(Source::v4(101), &user, MINUTE), None);
    }

    #[test]
    fn everything_is_bounded() {
        let mut patience = Patience::with_sizes(NonZeroUsize::MIN, NonZeroUsize::MIN);
        for number in 0..1000_u32 {
            patience.failure(Source::v4(number), &pack(&(number / 50).to_string()), u64::from(number));
        }
        assert_eq!(patience.len().1, 1);
        assert!(patience.len().0 <= 1);
        assert!(patience.users.iter().all(|(_, guessed)| guessed.sources.len() <= GUESSED_SOURCES_MAX));
    }
}
