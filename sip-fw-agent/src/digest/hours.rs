//! Hours of the day: in which of them attacks gather, and who signed in far from his usual ones.

use std::num::NonZeroUsize;

use lru::LruCache;
use sip_fw_core::time::Timestamp;

use super::view::{HourView, SignInView, UnusualView};

/// Hours of a day.
const HOURS: usize = 24;
/// An hour with so many times the attacks of the middle one stands out.
const FAR_MORE: u64 = 3;
/// Fewer attacks than these are nothing that stands out.
const ATTACKS_MIN: u64 = 10;
/// Sign-ins of a user, beside the one that is judged, that make his hours usual.
const HABIT_MIN: usize = 5;
/// Hours around a usual one that are usual, too.
const NEAR: u8 = 2;
/// Users whose sign-ins are remembered. About 2 KiB each.
const USERS_MAX: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Sign-ins remembered of each.
const SIGN_INS_MAX: usize = 32;
/// Unusual sign-ins that are told.
const TOLD_MAX: usize = 50;

/// Counts by hour.
#[derive(Debug)]
pub struct Hours {
    attacks: [u64; HOURS],
    sign_ins: [u64; HOURS],
    users: LruCache<String, Vec<SignIn>>,
}

#[derive(Clone, Debug)]
struct SignIn {
    time: Timestamp,
    hour: u8,
    source: String,
}

impl Hours {
    /// Nothing happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self { attacks: [0; HOURS], sign_ins: [0; HOURS], users: LruCache::new(USERS_MAX) }
    }

    /// Attacks in an hour of the day.
    pub fn attacks(&mut self, hour: u8, times: u64) {
        if let Some(count) = self.attacks.get_mut(usize::from(hour)) {
            *count = count.saturating_add(times);
        }
    }

    /// Somebody signed in.
    pub fn sign_in(&mut self, user: &str, source: &str, time: Timestamp, hour: u8) {
        if let Some(count) = self.sign_ins.get_mut(usize::from(hour)) {
            *count = count.saturating_add(1);
        }
        let known = self.users.get_or_insert_mut(user.to_owned(), Vec::new);
        if known.len() < SIGN_INS_MAX {
            known.push(SignIn { time, hour, source: source.to_owned() });
        }
    }

    /// Each hour.
    #[must_use]
    pub fn view(&self) -> Vec<HourView> {
        let both = (0..).zip(self.attacks.iter().zip(&self.sign_ins));
        both.map(|(hour, (attacks, sign_ins))| HourView { hour, attacks: *attacks, sign_ins: *sign_ins }).collect()
    }

    /// What was unusual.
    #[must_use]
    pub fn unusual(&self) -> UnusualView {
        let mut sorted = self.attacks;
        sorted.sort_unstable();
        let median = sorted[HOURS / 2];
        let stands_out = |attacks: u64| attacks >= ATTACKS_MIN && attacks > median.saturating_mul(FAR_MORE);
        let hours = (0..).zip(self.attacks).filter(|(_, attacks)| stands_out(*attacks)).map(|(hour, _)| hour).collect();
        let with_habits = || self.users.iter().filter(|(_, known)| known.len() > HABIT_MIN);
        let mut sign_ins: Vec<_> = with_habits().flat_map(|(user, known)| far_from_usual(user, known)).collect();
        sign_ins.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.user.cmp(&b.user)));
        sign_ins.truncate(TOLD_MAX);
        UnusualView { judged: true, median, hours, users_judged: with_habits().count(), sign_ins }
    }
}

fn far_from_usual<'a>(user: &'a str, known: &'a [SignIn]) -> impl Iterator<Item = SignInView> + 'a {
    known.iter().enumerate().filter_map(move |(n, sign_in)| {
        let others = || known.iter().enumerate().filter(move |(other, _)| *other != n).map(|(_, other)| other.hour);
        if others().any(|hour| distance(hour, sign_in.hour) <= NEAR) {
            return None;
        }
        let mut usual_hours: Vec<_> = others().collect();
        usual_hours.sort_unstable();
        usual_hours.dedup();
        let SignIn { time, hour, source } = sign_in.clone();
        Some(SignInView { time, hour, user: user.to_owned(), source, usual_hours })
    })
}

/// Hours between two hours of the day: midnight is no border.
const fn distance(one: u8, other: u8) -> u8 {
    let apart = one.abs_diff(other);
    if apart > 12 { 24 - apart } else { apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_stand_out() {
        let mut hours = Hours::new();
        (0..24).for_each(|hour| hours.attacks(hour, 4));
        hours.attacks(3, 9);
        hours.attacks(15, 8);
        let unusual = hours.unusual();
        assert_eq!((unusual.median, unusual.hours), (4, vec![3]), "13 is more than 3 times 4, 12 is not");
        let mut few = Hours::new();
        few.attacks(3, 9);
        assert_eq!(few.unusual().hours, [0; 0], "9 attacks are nothing");
    }

    #[test]
    fn sign_ins_far_from_a_users_usual_hours() {
        let mut hours = Hours::new();
        let at = |unix_ms| Timestamp { unix_ms };
        for (n, hour) in [8, 9, 23, 1, 9].into_iter().enumerate() {
            hours.sign_in("1000", "192.0.2.7", at(n as i64), hour);
        }
        hours.sign_in("1000", "203.0.113.9", at(100), 4);
        hours.sign_in("1001", "203.0.113.9", at(100), 4);
        let unusual = hours.unusual();
        assert_eq!(unusual.users_judged, 1, "1001 has no habits yet");
        let told: Vec<_> = unusual.sign_ins.iter().map(|it| (it.hour, it.source.as_str())).collect();
        assert_eq!(told, [(4, "203.0.113.9")], "23 and 1 are near each other");
        assert_eq!(unusual.sign_ins[0].usual_hours, [1, 8, 9, 23]);
        assert_eq!(hours.view()[4].sign_ins, 2);
    }
}
