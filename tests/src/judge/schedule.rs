//! When things happen: nanoseconds since the beginning of a scenario.

/// A millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// A second.
pub const SECOND: u64 = 1000 * MILLISECOND;
/// A minute.
pub const MINUTE: u64 = 60 * SECOND;
/// An hour.
pub const HOUR: u64 = 60 * MINUTE;
/// A day.
pub const DAY: u64 = 24 * HOUR;

/// How fast somebody goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// 50 a second.
    Fast,
    /// One a second.
    Steady,
    /// One every 30 seconds.
    Slow,
}

impl Speed {
    /// All of them.
    pub const EVERY: [Self; 3] = [Self::Fast, Self::Steady, Self::Slow];

    /// The time between two.
    pub const fn interval(self) -> u64 {
        match self {
            Self::Fast => 20 * MILLISECOND,
            Self::Steady => SECOND,
            Self::Slow => 30 * SECOND,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "50/s",
            Self::Steady => "1/s",
            Self::Slow => "2/min",
        }
    }
}

/// The times of one actor, in their order.
pub type Times = Box<dyn Iterator<Item = u64>>;

/// From `first` on, every `interval`, `count` times.
pub fn every(first: u64, interval: u64, count: u64) -> Times {
    Box::new((0..count).map(move |n| first + n * interval))
}

/// Once.
pub fn once(at: u64) -> Times {
    every(at, 0, 1)
}

/// Bursts of `burst`, `gap` apart, that begin every `interval`, `count` times.
pub fn bursts(burst: u64, gap: u64, interval: u64, count: u64) -> Times {
    Box::new((0..count * burst).map(move |n| n / burst * interval + n % burst * gap))
}
