//! How often is asked, how long is waited, and how failures slow it down.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::backoff::doubled;

/// Lengths of time. The agent uses [`Pace::USUAL`]; tests hurry.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks at files. What changed is read at the second look that finds it the same: nobody writes any more.
    pub look: Duration,
    /// Shortest time between two look-ups of a name: a TTL of 0 must not become a flood of questions.
    pub ttl_min: Duration,
    /// Longest: a name that moved is found within a day, whatever its TTL said.
    pub ttl_max: Duration,
    /// After the first failure of a look-up; doubled by each further one.
    pub host_retry_min: Duration,
    /// Longest time between two look-ups that fail.
    pub host_retry_max: Duration,
    /// For both record types of a name, over all name servers.
    pub lookup_max: Duration,
    /// After the first failure of a feed; doubled by each further one, up to its interval.
    pub feed_retry_min: Duration,
    /// For the connection to a feed's server.
    pub connect_max: Duration,
    /// For a feed from the first packet to the last, with redirects.
    pub fetch_max: Duration,
}

/// For reading files at a configuration's start: a dead network file system must not hold it up for ever.
pub const READ_MAX: Duration = Duration::from_secs(30);
/// Names asked for side by side.
pub const LOOKUPS_AT_ONCE: usize = 16;
/// Feeds fetched side by side; each takes a thread and up to its `max_bytes`.
pub const FETCHES_AT_ONCE: usize = 4;
/// One part in so many of a feed's interval is the most that is added to it, so that feeds spread over time.
const JITTER_PART: u32 = 10;

impl Pace {
    /// That of the agent.
    pub const USUAL: Self = Self {
        look: Duration::from_secs(1),
        ttl_min: Duration::from_secs(5),
        ttl_max: Duration::from_secs(86_400),
        host_retry_min: Duration::from_secs(10),
        host_retry_max: Duration::from_secs(300),
        lookup_max: Duration::from_secs(8),
        feed_retry_min: Duration::from_secs(30),
        connect_max: Duration::from_secs(5),
        fetch_max: Duration::from_secs(30),
    };

    /// Until the next look-up of a name after so many failures in a row.
    pub fn host_retry(&self, failures: u32) -> Duration {
        doubled(self.host_retry_min, failures).min(self.host_retry_max)
    }

    /// Until the next fetch of a feed after so many failures in a row.
    pub fn feed_retry(&self, failures: u32, interval: Duration) -> Duration {
        doubled(self.feed_retry_min, failures).min(interval)
    }
}

/// An interval, and up to a tenth more, always the same for a name.
pub fn jittered(interval: Duration, name: &str) -> Duration {
    const STEPS: u32 = 1000;
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let steps = u32::try_from(hasher.finish() % u64::from(STEPS)).unwrap_or(0);
    interval.saturating_add(interval / (JITTER_PART * STEPS) * steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_slow_down() {
        let pace = Pace::USUAL;
        let seconds = |failures| pace.host_retry(failures).as_secs();
        assert_eq!([1, 2, 3, 5, 6, 7, u32::MAX].map(seconds), [10, 20, 40, 160, 300, 300, 300]);
        let hour = Duration::from_secs(3600);
        let seconds = |failures| pace.feed_retry(failures, hour).as_secs();
        assert_eq!([1, 2, 7, 8, u32::MAX].map(seconds), [30, 60, 1920, 3600, 3600]);
        assert_eq!(pace.feed_retry(1, Duration::from_secs(10)).as_secs(), 10);
    }

    #[test]
    fn jitter_is_at_most_a_tenth() {
        let hour = Duration::from_secs(3600);
        let all: Vec<_> = (0..100).map(|n| jittered(hour, &format!("feed{n}"))).collect();
        assert!(all.iter().all(|time| (3600..=3960).contains(&time.as_secs())));
        assert!(all.iter().max() > all.iter().min());
        assert_eq!(jittered(hour, "a"), jittered(hour, "a"));
    }
}
