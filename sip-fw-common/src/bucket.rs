//! Message rates: the virtual scheduling of the generic cell rate algorithm (ITU-T I.371), in one word per source.

use crate::abi::Rate;

/// Bits of the word that hold the time up to which messages are paid for, in microseconds: 203 days until it wraps. Who paused for so
/// long, but for less than the time of a burst, is taken for one who paid ahead, and waits for that time at most.
const TIME_BITS: u32 = 44;
const TIME: u64 = (1 << TIME_BITS) - 1;
/// Set when the excess was told.
const TOLD: u64 = 1 << TIME_BITS;
const TAG_SHIFT: u32 = TIME_BITS + 1;

/// What a message may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Pass.
    Within,
    /// Nothing: it is the first one too many.
    FirstExcess,
    /// Nothing.
    Excess,
}

/// Pays for one message. `state` is what the entry holds; one that somebody else left there counts as unused. Returns what it
/// holds then. `tag` tells sources in the same entry apart by its upper 19 bits.
#[inline(always)]
#[must_use]
pub const fn pay(state: u64, tag: u64, now_ns: u64, rate: Rate) -> (u64, Admission) {
    let tag = tag >> TAG_SHIFT << TAG_SHIFT;
    let now = (now_ns / 1000) & TIME;
    let is_ours = state >> TAG_SHIFT == tag >> TAG_SHIFT;
    let interval = rate.interval_us as u64;
    let room = interval * rate.burst as u64;
    let ahead = (state & TIME).wrapping_sub(now) & TIME;
    // Nobody pays further ahead than the burst; what looks further lies behind, maybe by months.
    let ahead = if is_ours && ahead <= room { ahead } else { 0 };
    let told = if is_ours { state & TOLD } else { 0 };
    if ahead + interval > room {
        let admission = if told == 0 { Admission::FirstExcess } else { Admission::Excess };
        return (tag | TOLD | ((now + ahead) & TIME), admission);
    }
    // Who has half of its burst again has calmed down.
    let told = if ahead * 2 > room { told } else { 0 };
    (tag | told | ((now + ahead + interval) & TIME), Admission::Within)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { interval_us: 50_000, burst: 100 };
    const SECOND: u64 = 1_000_000_000;
    const TAG: u64 = 7 << 50;

    fn passed(state: &mut u64, tag: u64, now_ns: u64, messages: u32) -> u32 {
        let mut passed = 0;
        for _ in 0..messages {
            let (next, admission) = pay(*state, tag, now_ns, RATE);
            *state = next;
            passed += u32::from(admission == Admission::Within);
        }
        passed
    }

    #[test]
    fn a_burst_then_the_rate() {
        for begin in [0, 17 * SECOND, (TIME - 3) * 1000, u64::MAX / 2] {
            let mut state = 0;
            assert_eq!(passed(&mut state, TAG, begin, 500), 100, "{begin}");
            assert_eq!(passed(&mut state, TAG, begin + SECOND, 500), 20);
            assert_eq!(passed(&mut state, TAG, begin + SECOND + SECOND / 10, 500), 2);
            assert_eq!(passed(&mut state, TAG, begin + 100 * SECOND, 500), 100, "never more than the burst");
        }
    }

    #[test]
    fn excess_is_told_once_until_it_slows_down() {
        let mut state = 0;
        passed(&mut state, TAG, SECOND, 100);
        let told = |state: &mut u64, now_ns| {
            let (next, admission) = pay(*state, TAG, now_ns, RATE);
            *state = next;
            admission
        };
        assert_eq!(told(&mut state, SECOND), Admission::FirstExcess);
        assert_eq!(told(&mut state, SECOND), Admission::Excess);
        assert_eq!(told(&mut state, 2 * SECOND), Admission::Within);
        passed(&mut state, TAG, 2 * SECOND, 100);
        assert_eq!(told(&mut state, 2 * SECOND), Admission::Excess);
        passed(&mut state, TAG, 20 * SECOND, 100);
        assert_eq!(told(&mut state, 20 * SECOND), Admission::FirstExcess);
    }

    #[test]
    fn whoever_meets_another_in_an_entry_is_never_limited_by_him() {
        let mut state = 0;
        passed(&mut state, TAG, SECOND, 500);
        assert_eq!(passed(&mut state, TAG + (1 << 45), SECOND, 500), 100);
    }

    #[test]
    fn whoever_comes_back_after_months_is_not_limited() {
        const DAY: u64 = 86_400 * SECOND;
        for days in [1, 100, 102, 150, 200, 300] {
            let mut state = 0;
            assert_eq!(passed(&mut state, 0, SECOND + days * DAY, 500), 100, "an unused entry after {days} days");
            let mut state = 0;
            passed(&mut state, TAG, SECOND, 500);
            assert_eq!(passed(&mut state, TAG, SECOND + days * DAY, 500), 100, "after {days} days");
        }
    }

    #[test]
    fn who_comes_back_when_the_time_wraps_waits_for_a_burst_at_most() {
        let room_ns = u64::from(RATE.interval_us) * u64::from(RATE.burst) * 1000;
        for early_ns in [1000, SECOND, room_ns] {
            let mut state = 0;
            passed(&mut state, TAG, SECOND, 1);
            let back = SECOND + (TIME + 1) * 1000 - early_ns;
            passed(&mut state, TAG, back, 500);
            assert_eq!(passed(&mut state, TAG, back + room_ns + SECOND, 100), 100, "{early_ns}");
        }
    }

    #[test]
    fn no_interval_is_no_limit() {
        let rate = Rate { interval_us: 0, burst: 0 };
        assert_eq!(pay(0, TAG, SECOND, rate).1, Admission::Within);
    }
}
