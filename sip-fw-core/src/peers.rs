//! Failures of known peers: one device with an old password, or somebody who guesses behind the same address.
//!
//! The kernel bans no known peer by itself, so that an office is not cut off for one bad phone. Here its failures are
//! told apart by user: a user that authenticated from there lately and now fails is a device; a user that fails
//! faster than any phone retries, or several users that never authenticated from there, is an attack.

use std::collections::VecDeque;

use lru::LruCache;
use sip_fw_common::abi::{Event, Known, Source, Text};

use crate::limits::{
    DEVICE_FAULT_EVERY_NS, PEER_BURST_SECONDS_MAX, PEER_FAILURES_AT_ONCE_MAX, PEER_FAILURES_PER_MINUTE_MAX,
    PEER_SECONDS_PER_MINUTE_MAX, PEER_STRANGERS_MAX, PEER_USERS_MAX, PEERS_JUDGED_MAX,
};
use crate::text::shown;

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_SECONDS: u64 = 60;

/// What a failure of a known peer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing yet.
    Nothing,
    /// A device fails steadily; people should know.
    DeviceFault {
        /// Failures since its last success.
        failures: u64,
    },
    /// Somebody guesses.
    Attack {
        /// How it was told apart from a device.
        why: String,
    },
}

/// How known peers behave; the least recently failing one is forgotten first.
#[derive(Debug)]
pub struct Peers {
    conduct: LruCache<Source, Vec<User>>,
}

/// What one user of a source did since its last success.
#[derive(Debug)]
struct User {
    name: Text,
    /// It never authenticated from there, or too long ago.
    stranger: bool,
    failures: u64,
    /// Failures of each second of the last minute that had any, oldest first.
    seconds: VecDeque<(u64, u32)>,
    latest_ns: u64,
    reported_ns: Option<u64>,
}

impl Peers {
    /// Nobody failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self { conduct: LruCache::new(PEERS_JUDGED_MAX) }
    }

    /// Judges a proven failure of a known peer.
    pub fn failure(&mut self, event: &Event, threshold: u32, window_ns: u64) -> Judgement {
        let now_ns = event.time_ns;
        let users = self.conduct.get_or_insert_mut(event.source, Vec::new);
        let user = note(users, event);
        if let Some(why) = user.fails_like_no_phone() {
            self.conduct.pop(&event.source);
            return Judgement::Attack { why };
        }
        let failures = user.failures;
        let due = user.reported_ns.is_none_or(|at| now_ns.saturating_sub(at) >= DEVICE_FAULT_EVERY_NS);
        let steady = failures >= u64::from(threshold);
        if steady && due {
            user.reported_ns = Some(now_ns);
        }
        if let Some(why) = strangers(users, threshold, window_ns, now_ns) {
            self.conduct.pop(&event.source);
            return Judgement::Attack { why };
        }
        if steady && due { Judgement::DeviceFault { failures } } else { Judgement::Nothing }
    }

    /// A user succeeded: what it did before was a device after all.
    pub fn success(&mut self, source: Source, user: &Text) {
        if let Some(users) = self.conduct.get_mut(&source) {
            users.retain(|known| known.name != *user);
        }
    }

    /// Sources remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.conduct.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conduct.is_empty()
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the failure down; returns its user.
fn note<'a>(users: &'a mut Vec<User>, event: &Event) -> &'a mut User {
    let at = users.iter().position(|user| user.name == event.user).unwrap_or_else(|| {
        if users.len() >= PEER_USERS_MAX {
            users.remove(0);
        }
        let seconds = VecDeque::new();
        users.push(User { name: event.user, stranger: true, failures: 0, seconds, latest_ns: 0, reported_ns: None });
        users.len() - 1
    });
    let user = &mut users[at];
    user.stranger = event.known != Known::User as u8;
    user.failures = user.failures.saturating_add(1);
    user.latest_ns = event.time_ns;
    let second = event.time_ns / SECOND_NS;
    user.seconds.retain(|(at, _)| second.saturating_sub(*at) < MINUTE_SECONDS);
    match user.seconds.back_mut() {
        Some((at, count)) if *at == second => *count = count.saturating_add(1),
        _ => user.seconds.push_back((second, 1)),
    }
    user
}

impl User {
    /// Why its failures of the last minute are no phone's.
    fn fails_like_no_phone(&self) -> Option<String> {
        let seconds = self.seconds.len();
        let failures: u32 = self.seconds.iter().map(|(_, count)| count).sum();
        let many = failures > PEER_FAILURES_PER_MINUTE_MAX && seconds >= PEER_BURST_SECONDS_MAX;
        (many || failures > PEER_FAILURES_AT_ONCE_MAX || seconds > PEER_SECONDS_PER_MINUTE_MAX)
            .then(|| format!("{failures} failures of one user in {seconds} seconds of a minute, as no phone makes"))
    }
}

/// Whether too many users that never authenticated from there failed within the window.
fn strangers(users: &[User], threshold: u32, window_ns: u64, now_ns: u64) -> Option<String> {
    let mut names = Vec::new();
    let mut failures = 0;
    for user in users.iter().filter(|user| user.stranger) {
        if now_ns.saturating_sub(user.latest_ns) <= window_ns {
            failures += user.failures;
            names.push(shown(&user.name).unwrap_or_else(|| "(no name)".to_owned()));
        }
    }
    (names.len() >= PEER_STRANGERS_MAX && failures >= u64::from(threshold))
        .then(|| format!("{} users failed that never authenticated from there: {}", names.len(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pack;
    use sip_fw_common::abi::{EventKind, Evidence, Method};

    const SECOND: u64 = 1_000_000_000;
    const OFFICE: Source = Source::v4(1);

    fn failure(peers: &mut Peers, user: &str, known: Known, at_ns: u64) -> Judgement {
        let event = Event {
            time_ns: at_ns,
            source: OFFICE,
            until_ns: 0,
            strikes: 1,
            status: 401,
            kind: EventKind::AuthFailure as u8,
            method: Method::Register as u8,
            evidence: Evidence::Proven as u8,
            service: 0,
            level: 0,
            tcp: 0,
            observed: 0,
            known: known as u8,
            _pad: [0; 2],
            user: pack(user),
            user_agent: Text::EMPTY,
        };
        peers.failure(&event, 5, 600 * SECOND)
    }

    #[test]
    fn an_old_password_for_days_is_a_device_reported_once_an_hour() {
        let mut peers = Peers::new();
        let mut reports = Vec::new();
        for n in 0..2 * 24 * 120 {
            match failure(&mut peers, "1000", Known::User, n * 30 * SECOND) {
                Judgement::Nothing => {}
                Judgement::DeviceFault { failures } => reports.push((n, failures)),
                Judgement::Attack { why } => panic!("{why}"),
            }
        }
        assert_eq!(reports.len(), 48);
        assert_eq!((reports[0], reports[1]), ((4, 5), (124, 125)));
    }

    #[test]
    fn a_new_phone_with_a_wrong_password_is_a_device_too() {
        let mut peers = Peers::new();
        for n in 0..1000 {
            let judged = failure(&mut peers, "1099", Known::Source, n * 5 * SECOND);
            assert!(!matches!(judged, Judgement::Attack { .. }), "{n}");
        }
    }

    #[test]
    fn all_phones_fail_at_once_after_a_change_of_passwords() {
        let mut peers = Peers::new();
        for round in 0..4 {
            for phone in 0..60 {
                let judged = failure(&mut peers, &format!("{phone}"), Known::User, round * 30 * SECOND + phone);
                assert!(!matches!(judged, Judgement::Attack { .. }));
            }
        }
    }

    #[test]
    fn fifteen_tries_of_one_typing_error_are_a_device() {
        let mut peers = Peers::new();
        for error in 0..4 {
            for n in 0..15 {
                let at_ns = error * 12 * SECOND + n * 150_000;
                assert!(!matches!(failure(&mut peers, "1000", Known::User, at_ns), Judgement::Attack { .. }));
            }
        }
    }

    #[test]
    fn a_hundred_lamps_at_once_are_a_device() {
        let mut peers = Peers::new();
        for n in 0..100 {
            assert!(!matches!(failure(&mut peers, "1000", Known::User, n * 10_000_000), Judgement::Attack { .. }));
        }
        peers.success(OFFICE, &pack("1000"));
        assert!(!matches!(failure(&mut peers, "1000", Known::User, 5 * SECOND), Judgement::Attack { .. }));
    }

    #[test]
    fn guessing_one_password_is_an_attack_within_a_minute() {
        for (every_ns, expected) in [(SECOND, 21), (SECOND / 10, 61), (SECOND / 100, 101)] {
            let mut peers = Peers::new();
            let first = (1..=500).find(|n| {
                matches!(failure(&mut peers, "1000", Known::User, (n - 1) * every_ns), Judgement::Attack { .. })
            });
            assert_eq!(first, Some(expected));
        }
    }

    #[test]
    fn strangers_are_an_attack_at_the_threshold() {
        let mut peers = Peers::new();
        let judged: Vec<_> =
            (0..5).map(|n| failure(&mut peers, &format!("{}", 100 + n % 3), Known::Source, n * SECOND)).collect();
        assert_eq!(judged[..4], vec![Judgement::Nothing; 4]);
        let Judgement::Attack { why } = &judged[4] else { panic!("{judged:?}") };
        assert_eq!(why, "3 users failed that never authenticated from there: 100, 101, 102");
    }

    #[test]
    fn success_settles() {
        let mut peers = Peers::new();
        for n in 0..100 {
            assert!(!matches!(failure(&mut peers, "1000", Known::User, n * SECOND), Judgement::Attack { .. }));
            if n % 10 == 9 {
                peers.success(OFFICE, &pack("1000"));
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut peers = Peers::new();
        for n in 0..1000_u64 {
            failure(&mut peers, &format!("{n}"), Known::User, n * 3600 * SECOND);
        }
        assert!(peers.conduct.get(&OFFICE).unwrap().len() <= PEER_USERS_MAX);
    }
}
