//! Offices: many phones behind one address (sip-facts §5).

use super::{Scenario, everywhere, everywhere_at_paces, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::Secret;
use crate::judge::peer::{Peer, Way};
use crate::judge::phone::Phone;
use crate::judge::schedule::{DAY, HOUR, MILLISECOND, MINUTE, SECOND, every, once};

use super::guessing::{THRESHOLD, one_guess};

const PHONES: u64 = 60;

/// How soon a phone tries again.
const RETRIES: [(&str, u64); 3] = [("every 20 s", 20 * SECOND), ("every 30 s", 30 * SECOND), ("every minute", MINUTE)];
/// Between two phones when the power comes back.
const RETURNS: [(&str, u64); 3] =
    [("in half a second", 8 * MILLISECOND), ("in two seconds", 33 * MILLISECOND), ("in a minute", SECOND)];

pub fn all() -> Vec<Scenario> {
    let days =
        [(Dialect::Pjsip, Way::EVERY[0]), (Dialect::FreeSwitch, Way::EVERY[3]), (Dialect::Kamailio, Way::EVERY[1])];
    let mut scenarios: Vec<Scenario> = days
        .into_iter()
        .map(|(dialect, way)| {
            Scenario::new("old password for three days", "", dialect, way, |cast| old(cast, 30 * SECOND, 3 * DAY))
        })
        .collect();
    let more = [
        everywhere_at_paces("old password for three hours", &RETRIES, |cast, pace| old(cast, pace, 3 * HOUR)),
        everywhere_at_paces("60 known phones register", &RETURNS, |cast, pace| power(cast, pace, true)),
        everywhere_at_paces("60 phones of a new office register", &RETURNS, |cast, pace| power(cast, pace, false)),
        everywhere_at_paces("all passwords change, then the phones know", &RETRIES, change),
        everywhere_at_paces("new phones with wrong passwords in a known office", &RETRIES, new_phones),
        everywhere_at_paces("phone with a wrong user name in a known office", &RETRIES, wrong_name),
        everywhere("an office beside somebody who guesses", beside),
        everywhere("the phones of an office watch each other", watch),
        over("60 phones whose nonces are old and shared", &[Dialect::Kamailio], &Way::EVERY, shared),
    ];
    scenarios.extend(more.into_iter().flatten());
    scenarios
}

/// Its phones, each on a port of its own.
fn phones(cast: &mut Cast<'_>, office: Peer, count: u64) -> Vec<Phone> {
    (0..count).map(|n| Phone::new(&mut cast.bed, office.at_port(20_000 + n as u16), format!("{}", 1000 + n))).collect()
}

/// One phone fails again and again, the others go on.
fn old(cast: &mut Cast<'_>, pace: u64, length: u64) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, 11);
    for phone in &mut phones {
        phone.register(&mut cast.bed, Secret::Right);
    }
    let mut bad = phones.remove(0);
    cast.actor(every(MINUTE, pace, length / pace), move |bed| {
        bad.register(bed, Secret::Wrong(0));
    });
    for (n, mut phone) in phones.into_iter().enumerate() {
        cast.actor(every(n as u64 * 17 * SECOND, HOUR / 2, length / (HOUR / 2)), move |bed| {
            phone.ask_again(bed, "REGISTER", "", Secret::Right);
        });
    }
}

/// The power comes back: each phone registers and calls.
fn power(cast: &mut Cast<'_>, pace: u64, is_known: bool) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, PHONES);
    if is_known {
        phones[0].register(&mut cast.bed, Secret::Right);
    }
    for (n, mut phone) in phones.into_iter().enumerate() {
        let first = SECOND + n as u64 * pace;
        cast.actor(once(first), move |bed| {
            phone.register(bed, Secret::Right);
        });
    }
}

/// Every phone fails three times, then somebody has told it.
fn change(cast: &mut Cast<'_>, pace: u64) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, 30);
    for phone in &mut phones {
        phone.register(&mut cast.bed, Secret::Right);
    }
    for (n, mut phone) in phones.into_iter().enumerate() {
        let mut rounds = 0;
        cast.actor(every(HOUR + n as u64 * 100 * MILLISECOND, pace, 20), move |bed| {
            rounds += 1;
            phone.register(bed, if rounds <= 3 + n as u64 % 5 { Secret::Wrong(0) } else { Secret::Right });
        });
    }
}

fn new_phones(cast: &mut Cast<'_>, pace: u64) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, 12);
    for phone in phones.iter_mut().take(10) {
        phone.register(&mut cast.bed, Secret::Right);
    }
    for (n, mut phone) in phones.into_iter().skip(10).enumerate() {
        cast.actor(every(MINUTE + n as u64 * SECOND, pace, 120), move |bed| {
            phone.register(bed, Secret::Wrong(0));
        });
    }
}

fn wrong_name(cast: &mut Cast<'_>, pace: u64) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, 2);
    phones[0].register(&mut cast.bed, Secret::Right);
    let mut phone = phones.remove(1);
    phone.user = "reception".to_owned();
    cast.actor(every(MINUTE, pace, 200), move |bed| {
        phone.register(bed, Secret::Right);
    });
}

fn beside(cast: &mut Cast<'_>) {
    let office = cast.peer(Expect::Good);
    let mut phones = phones(cast, office, 10);
    for phone in &mut phones {
        phone.register(&mut cast.bed, Secret::Right);
    }
    for (n, mut phone) in phones.into_iter().enumerate() {
        cast.actor(every(MINUTE + n as u64 * 6 * SECOND, MINUTE, 5), move |bed| {
            phone.ask_again(bed, "REGISTER", "", Secret::Right);
        });
    }
    // In the seconds between theirs.
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(MINUTE + 3 * SECOND, 6 * SECOND, 50), move |bed| {
        guesses += 1;
        one_guess(bed, &mut guesser, "REGISTER", guesses);
    });
}

/// Lamps on every phone, all of them new at once.
fn watch(cast: &mut Cast<'_>) {
    let office = cast.peer(Expect::Good);
    let phones = phones(cast, office, 10);
    for (n, mut phone) in phones.into_iter().enumerate() {
        cast.actor(every(n as u64 * 500 * MILLISECOND, HOUR, 3), move |bed| {
            phone.register(bed, Secret::Right);
            for lamp in 0..10 {
                phone.ask(bed, "SUBSCRIBE", &format!("{}", 1000 + lamp), Secret::Right);
            }
        });
    }
}

/// A busy Kamailio hands every nonce to several, and never says stale: after an hour each phone fails once, unproven, and
/// succeeds at once with the next.
fn shared(cast: &mut Cast<'_>) {
    let office = cast.peer(Expect::Good);
    let busy = cast.peer(Expect::Good);
    let mut other = Phone::new(&mut cast.bed, busy, "1500");
    let phones = phones(cast, office, PHONES);
    cast.actor(Box::new((0..4).flat_map(|hour| (0..5).map(move |second| hour * HOUR + second * SECOND))), move |bed| {
        other.register(bed, Secret::Right);
    });
    for (n, mut phone) in phones.into_iter().enumerate() {
        cast.actor(every(n as u64 * 33 * MILLISECOND, HOUR, 4), move |bed| {
            phone.ask_again(bed, "REGISTER", "", Secret::Right);
        });
    }
}
