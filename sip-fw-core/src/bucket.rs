//! A token bucket that is told the time.

const SECOND_NS: u64 = 1_000_000_000;

/// Lets a number of things per second pass, and a burst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    token_ns: u64,
    credit_max_ns: u64,
    credit_ns: u64,
    last_ns: u64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        let token_ns = if per_second == 0 { SECOND_NS } else { SECOND_NS / per_second as u64 };
        let credit_max_ns = token_ns.saturating_mul(burst as u64);
        Self { token_ns, credit_max_ns, credit_ns: credit_max_ns, last_ns: 0 }
    }

    /// Takes a token; false when there is none. A clock that goes back earns nothing.
    #[must_use]
    pub fn take(&mut self, now_ns: u64) -> bool {
        let earned = now_ns.saturating_sub(self.last_ns);
        self.last_ns = self.last_ns.max(now_ns);
        self.credit_ns = self.credit_ns.saturating_add(earned).min(self.credit_max_ns);
        let enough = self.credit_ns >= self.token_ns;
        if enough {
            self.credit_ns -= self.token_ns;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let mut bucket = Bucket::new(20, 40);
        let burst = (0..100).filter(|_| bucket.take(SECOND_NS)).count();
        assert_eq!(burst, 40);
        let later = (0..100).filter(|_| bucket.take(2 * SECOND_NS)).count();
        assert_eq!(later, 20);
        assert!(!bucket.take(0), "a clock that goes back earns nothing");
    }
}
