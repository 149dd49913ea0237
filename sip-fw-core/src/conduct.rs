//! What sources do that nobody authenticated from: names asked for and not followed up, numbers dialled under changing
//! prefixes, failures without proof. Anybody may forge such requests over UDP, so they only hold their source back for a
//! while; over TCP, where the PBX's answer proves the source, they count like failures.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;

use lru::LruCache;
use sip_fw_common::abi::{Event, Method, Source, Text};

use crate::limits::{
    ACCEPTED_SOURCES_MAX, CONDUCT_SOURCES_MAX, CONDUCT_WINDOW_NS, DIALLED_FORMS_MAX, DIALLED_MAX,
    DIALLED_SUFFIX_DIGITS, FOLLOW_UP_NS, NEXT_TRY_NS, PENDING_MAX, SWEEP_USERS_MAX, SWEEP_WINDOW_NS, UNANSWERED_MAX,
    UNANSWERED_USERS_MAX, UNPROVEN_USERS_MAX,
};
use crate::text::shown;

/// What the conduct of a source comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It asks for users and never follows up.
    Enumeration(String),
    /// It dials one number under many prefixes.
    DialScan(String),
    /// It fails, and nothing proves that it is itself who does.
    Unproven(String),
}

/// How sources behave that nobody authenticated from; the least recently active one is forgotten first.
#[derive(Debug)]
pub struct Conduct {
    trails: LruCache<Source, Trail>,
    /// When the PBX accepted something of a source last: a password, or a call without one. Junk makes no entry, so nobody is
    /// pushed out by it.
    accepted: LruCache<Source, u64>,
}

/// What one source did lately. Every list is bounded, the oldest goes first.
#[derive(Debug, Default)]
struct Trail {
    /// Requests without credentials that were challenged or refused, and not followed up.
    pending: VecDeque<(u64, Text)>,
    /// The same for OPTIONS, which nobody follows up.
    swept: VecDeque<(u64, Text)>,
    dialled: VecDeque<(u64, Text)>,
    /// Failures without proof since the last success, and when they began.
    unproven: u32,
    unproven_since_ns: u64,
    /// The same of each user.
    unproven_users: Vec<(Text, u32)>,
    /// It followed up a challenge, once at least.
    follows: bool,
}

impl Conduct {
    /// Nobody did anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_size(CONDUCT_SOURCES_MAX)
    }

    /// The same for so many sources.
    #[must_use]
    pub fn with_size(sources: NonZeroUsize) -> Self {
        Self { trails: LruCache::new(sources), accepted: LruCache::new(ACCEPTED_SOURCES_MAX) }
    }

    /// A request without credentials was challenged or refused.
    pub fn refused(&mut self, event: &Event) -> Option<Finding> {
        let now_ns = event.time_ns;
        let trail = self.trails.get_or_insert_mut(event.source, Trail::default);
        let method = Method::from_number(event.method).unwrap_or(Method::Other);
        if method == Method::Options {
            note(&mut trail.swept, (now_ns, event.user), PENDING_MAX, now_ns, SWEEP_WINDOW_NS);
        } else {
            note(&mut trail.pending, (now_ns, event.user), PENDING_MAX, now_ns, CONDUCT_WINDOW_NS);
        }
        if method == Method::Invite && is_number(&event.user) {
            note(&mut trail.dialled, (now_ns, event.user), DIALLED_MAX, now_ns, CONDUCT_WINDOW_NS);
        }
        // A trunk that is known by its address calls without credentials, and not every number exists.
        if self.accepted.peek(&event.source).is_some_and(|at| now_ns.saturating_sub(*at) <= CONDUCT_WINDOW_NS) {
            return trail.dial_scan();
        }
        trail.dial_scan().or_else(|| trail.enumeration(now_ns)).or_else(|| trail.sweep())
    }

    /// Whether the PBX accepted something of this source within `for_ns`: what somebody forges in its name must not hold it
    /// back.
    #[must_use]
    pub fn is_accepted(&self, source: Source, now_ns: u64, for_ns: u64) -> bool {
        self.accepted.peek(&source).is_some_and(|at| now_ns.saturating_sub(*at) < for_ns)
    }

    /// A request with credentials of this user was answered.
    pub fn followed_up(&mut self, source: Source, user: &Text) {
        let Some(trail) = self.trails.get_mut(&source) else { return };
        let before = trail.pending.len();
        trail.pending.retain(|(_, asked)| asked != user);
        if trail.pending.len() == before {
            // The name that authenticates need not be the one that is asked for.
            trail.pending.pop_front();
        }
        trail.follows = true;
    }

    /// Somebody succeeded there with a password, whether it proves the source or not.
    pub fn succeeded(&mut self, source: Source, now_ns: u64) {
        self.accepted(source, now_ns);
        if let Some(trail) = self.trails.get_mut(&source) {
            *trail = Trail { follows: true, ..Trail::default() };
        }
    }

    /// A request without credentials succeeded there.
    pub fn accepted(&mut self, source: Source, now_ns: u64) {
        self.accepted.put(source, now_ns);
    }

    /// A failure without proof. `threshold` of them within the window come to something.
    pub fn unproven(&mut self, event: &Event, threshold: u32, window_ns: u64) -> Option<Finding> {
        let now_ns = event.time_ns;
        let trail = self.trails.get_or_insert_mut(event.source, Trail::default);
        if trail.unproven == 0 || now_ns.saturating_sub(trail.unproven_since_ns) > window_ns {
            (trail.unproven, trail.unproven_since_ns) = (0, now_ns);
            trail.unproven_users.clear();
        }
        trail.unproven = trail.unproven.saturating_add(1);
        let of_user = trail.unproven_of(&event.user);
        // An office whose nonces are old fails all at once, each phone for itself, and succeeds at the next try.
        let lasts = now_ns.saturating_sub(trail.unproven_since_ns) >= NEXT_TRY_NS;
        (of_user >= threshold || trail.unproven >= threshold && lasts)
            .then(|| Finding::Unproven(format!("{} auth failures without proof", trail.unproven)))
    }

    /// Begins anew with a source: it was held back for what it did.
    pub fn forget(&mut self, source: Source) {
        if let Some(trail) = self.trails.get_mut(&source) {
            *trail = Trail::default();
        }
    }

    /// Sources remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trails.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trails.is_empty()
    }
}

impl Default for Conduct {
    fn default() -> Self {
        Self::new()
    }
}

impl Trail {
    /// Counts a failure without proof of a user; gives how many it has now.
    fn unproven_of(&mut self, user: &Text) -> u32 {
        if let Some((_, count)) = self.unproven_users.iter_mut().find(|(name, _)| name == user) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.unproven_users.len() >= UNPROVEN_USERS_MAX {
            self.unproven_users.remove(0);
        }
        self.unproven_users.push((*user, 1));
        1
    }

    /// Many users asked for, or many challenges, and nobody came back with a password.
    fn enumeration(&self, now_ns: u64) -> Option<Finding> {
        let overdue = || self.pending.iter().filter(|(at, _)| now_ns.saturating_sub(*at) >= FOLLOW_UP_NS);
        let users = names(overdue().map(|(_, user)| user));
        let unanswered = overdue().count();
        if users.len() >= UNANSWERED_USERS_MAX {
            return Some(Finding::Enumeration(format!(
                "{} users asked for, none followed up: {}",
                users.len(),
                some(&users)
            )));
        }
        if unanswered >= UNANSWERED_MAX {
            return Some(Finding::Enumeration(format!("{unanswered} challenges unanswered")));
        }
        let at_once = self.pending.len() >= PENDING_MAX && !self.follows;
        at_once.then(|| Finding::Enumeration(format!("{} challenges at once, none answered", self.pending.len())))
    }

    fn sweep(&self) -> Option<Finding> {
        let users = names(self.swept.iter().map(|(_, user)| user));
        (users.len() >= SWEEP_USERS_MAX).then(|| {
            Finding::Enumeration(format!("OPTIONS to {} users within a minute: {}", users.len(), some(&users)))
        })
    }

    /// One number under changing prefixes: what looks for a way out of a dial plan.
    fn dial_scan(&self) -> Option<Finding> {
        let mut forms: HashMap<&[u8], BTreeSet<&[u8]>> = HashMap::new();
        for (_, number) in &self.dialled {
            let digits = digits(number);
            let suffix = &digits[digits.len() - DIALLED_SUFFIX_DIGITS..];
            forms.entry(suffix).or_default().insert(digits);
        }
        let (suffix, forms) = forms.into_iter().max_by_key(|(suffix, forms)| (forms.len(), *suffix))?;
        (forms.len() >= DIALLED_FORMS_MAX).then(|| {
            let shown: Vec<_> =
                forms.iter().take(DIALLED_FORMS_MAX).map(|form| String::from_utf8_lossy(form)).collect();
            let suffix = String::from_utf8_lossy(suffix);
            Finding::DialScan(format!("…{suffix} dialled under {} prefixes: {}", forms.len(), shown.join(", ")))
        })
    }
}

/// Adds to a bounded list, and drops what is older than the window.
fn note(list: &mut VecDeque<(u64, Text)>, entry: (u64, Text), max: usize, now_ns: u64, window_ns: u64) {
    list.retain(|(at, _)| now_ns.saturating_sub(*at) <= window_ns);
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(entry);
}

fn names<'a>(users: impl Iterator<Item = &'a Text>) -> BTreeSet<&'a [u8]> {
    users.map(Text::as_bytes).collect()
}

/// The first few names, for people.
fn some(users: &BTreeSet<&[u8]>) -> String {
    const SHOWN: usize = 8;
    let pack = |user: &&&[u8]| {
        let mut text = Text::EMPTY;
        text.bytes[..user.len()].copy_from_slice(user);
        shown(&text)
    };
    let mut names: Vec<_> = users.iter().take(SHOWN).filter_map(|user| pack(&user)).collect();
    if users.len() > SHOWN {
        names.push("…".to_owned());
    }
    names.join(", ")
}

fn digits(number: &Text) -> &[u8] {
    let bytes = number.as_bytes();
    bytes.strip_prefix(b"+").unwrap_or(bytes)
}

/// Whether it is a number with enough digits to tell a target from its prefix.
fn is_number(user: &Text) -> bool {
    let digits = digits(user);
    digits.len() > DIALLED_SUFFIX_DIGITS && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pack;
    use sip_fw_common::abi::{EventKind, Evidence, Known};

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400 * SECOND;

    fn asked(ms: u64, method: Method, user: &str) -> Event {
        Event {
            time_ns: ms * 1_000_000,
            source: Source::v4(1),
            until_ns: 0,
            strikes: 0,
            status: 401,
            kind: EventKind::Refused as u8,
            method: method as u8,
            evidence: Evidence::Unproven as u8,
            service: 0,
            level: 0,
            tcp: 0,
            observed: 0,
            known: Known::Nobody as u8,
            _pad: [0; 2],
            user: pack(user),
            user_agent: Text::EMPTY,
        }
    }

    /// Asks for users, one every so many milliseconds; the number of the one that was found to be too many.
    fn ask_for(users: impl Iterator<Item = String>, every_ms: u64, method: Method) -> Option<usize> {
        let mut conduct = Conduct::new();
        let mut users = users.enumerate();
        users.find_map(|(number, user)| {
            conduct.refused(&asked(number as u64 * every_ms, method, &user)).map(|_| number + 1)
        })
    }

    #[test]
    fn enumeration_at_any_speed() {
        let users = || (100..).map(|number: u32| number.to_string()).take(1000);
        assert_eq!(ask_for(users(), 5000, Method::Register), Some(11), "ten that are overdue");
        assert_eq!(ask_for(users(), 1, Method::Register), Some(PENDING_MAX), "at once");
        assert_eq!(ask_for(users(), 90_000, Method::Register), None, "too slow to tell within the window");
        let one = || std::iter::repeat_n("100".to_owned(), 1000);
        assert_eq!(ask_for(one(), 20_000, Method::Invite), Some(21));
        assert_eq!(ask_for(one(), 60_000, Method::Register), None);
        assert_eq!(ask_for(users(), 1000, Method::Options), Some(SWEEP_USERS_MAX));
        assert_eq!(ask_for(users(), 3000, Method::Options), None, "as a proxy keeps alive");
    }

    #[test]
    fn an_office_that_follows_up_is_none() {
        let mut conduct = Conduct::new();
        for phone in 0..60 {
            assert_eq!(conduct.refused(&asked(phone * 10, Method::Register, &phone.to_string())), None);
        }
        for phone in 0..60 {
            conduct.followed_up(Source::v4(1), &pack(&phone.to_string()));
        }
        for phone in 0..60 {
            assert_eq!(conduct.refused(&asked(10_000 + phone, Method::Register, &phone.to_string())), None);
        }
    }

    #[test]
    fn whoever_was_accepted_is_for_a_while() {
        let mut conduct = Conduct::new();
        assert!(!conduct.is_accepted(Source::v4(1), 0, DAY));
        conduct.succeeded(Source::v4(1), 0);
        assert!(conduct.is_accepted(Source::v4(1), DAY - 1, DAY) && !conduct.is_accepted(Source::v4(1), DAY, DAY));
        let mut found =
            (0..100).filter_map(|number| conduct.refused(&asked(number * 5000, Method::Register, &number.to_string())));
        assert_eq!(found.next(), None, "not every number exists");
    }

    #[test]
    fn one_number_under_changing_prefixes() {
        let prefixes = ["", "0", "00", "011", "900", "9011"];
        let numbers = || prefixes.iter().map(|prefix| format!("{prefix}442039967796"));
        assert_eq!(ask_for(numbers(), 35_000, Method::Invite), Some(5));
        let others = || (0..9).map(|number| format!("44203996{number}796"));
        assert_eq!(ask_for(others(), 35_000, Method::Invite), None, "other numbers");
        let short = || prefixes.iter().map(|prefix| format!("{prefix}1001"));
        assert_eq!(ask_for(short(), 35_000, Method::Invite), None, "extensions");
        let spelled =
            || ["+442039967796", "442039967796", "00442039967796", "02039967796"].map(str::to_owned).into_iter();
        assert_eq!(ask_for(spelled(), 1000, Method::Invite), None, "somebody tries how to write a number");
    }

    #[test]
    fn failures_without_proof() {
        let mut conduct = Conduct::new();
        let mut next = 0;
        let mut fail = |seconds: u64| {
            next += 1;
            conduct.unproven(&asked(seconds * 1000, Method::Register, &next.to_string()), 5, 600 * SECOND)
        };
        for _ in 0..60 {
            assert_eq!(fail(0), None, "all at once");
        }
        assert_eq!(fail(700), None);
        for second in 701..704 {
            assert_eq!(fail(second), None);
        }
        assert_eq!(fail(704), Some(Finding::Unproven("5 auth failures without proof".to_owned())));
        assert_eq!(fail(1400), None);
        let mut one = Conduct::new();
        let guess = |_: &u32| one.unproven(&asked(0, Method::Register, "1000"), 5, 600 * SECOND).is_some();
        assert_eq!((1..=9).find(guess), Some(5), "one user, at once");
    }

    #[test]
    fn everything_is_bounded() {
        let mut conduct = Conduct::with_size(NonZeroUsize::MIN);
        for number in 0..10_000_u64 {
            for method in [Method::Invite, Method::Options] {
                conduct.refused(&asked(number, method, &format!("{}", 10_000_000 + number)));
            }
            conduct.unproven(&asked(number, Method::Invite, "1"), 5, SECOND);
        }
        let trail = conduct.trails.peek(&Source::v4(1)).unwrap();
        assert!(trail.pending.len() <= PENDING_MAX && trail.swept.len() <= PENDING_MAX);
        assert!(trail.dialled.len() <= DIALLED_MAX);
        for number in 0..100_000 {
            conduct.accepted(Source::v4(number), 0);
        }
        assert_eq!((conduct.len(), conduct.accepted.len()), (1, ACCEPTED_SOURCES_MAX.get()));
    }
}
