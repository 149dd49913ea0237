//! How failures slow down what is tried again.

use std::time::Duration;

/// Doublings after which a wait is longer than any limit.
const DOUBLINGS_MAX: u32 = 16;

/// The wait after so many failures in a row: the first one, doubled by each further failure.
#[must_use]
pub fn doubled(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles() {
        let seconds = |failures| doubled(Duration::from_secs(3), failures).as_secs();
        assert_eq!([0, 1, 2, 3, 17, u32::MAX].map(seconds), [3, 3, 6, 12, 3 << 16, 3 << 16]);
    }
}
