//! Guesses from an address where somebody authenticated: an infected computer in an office, or an attacker with one
//! account of his own.

use super::guessing::one_guess;
use super::{Scenario, at_speeds, everywhere_at_every_speed};
use crate::judge::cast::Cast;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::Secret;
use crate::judge::peer::Peer;
use crate::judge::phone::Phone;
use crate::judge::schedule::{MINUTE, SECOND, Speed, every};

/// Failures of one user that no phone makes: in more than twenty seconds of a minute, or more than a hundred.
const fn one_user(speed: Speed) -> u64 {
    if matches!(speed, Speed::Fast) { 101 } else { 21 }
}
const RATES: [Speed; 2] = [Speed::Fast, Speed::Steady];

pub fn all() -> Vec<Scenario> {
    [
        everywhere_at_every_speed("office guesses users of others", |cast, speed| {
            let office = office(cast, 10, Expect::Banned(Limit::Proven(5)));
            guess(cast, office, speed, |n| format!("{}", 1500 + n % 10));
        }),
        everywhere_at_every_speed("account holder guesses users of others", |cast, speed| {
            let office = office(cast, 1, Expect::Banned(Limit::Proven(5)));
            guess(cast, office, speed, |n| format!("{}", 1500 + n % 4));
        }),
        at_speeds("office guesses one user of others", &RATES, |cast, speed| {
            let office = office(cast, 10, Expect::Banned(Limit::Proven(one_user(speed))));
            guess(cast, office, speed, |_| "1500".to_owned());
        }),
        at_speeds("office guesses one of its own users", &RATES, |cast, speed| {
            let office = office(cast, 10, Expect::Banned(Limit::Proven(one_user(speed))));
            guess(cast, office, speed, |_| "1003".to_owned());
        }),
        at_speeds("office guesses its own users in turn", &[Speed::Fast], |cast, speed| {
            let office = office(cast, 5, Expect::Banned(Limit::Proven(5 * 101)));
            guess(cast, office, speed, |n| format!("{}", 1000 + n % 5));
        }),
        at_speeds("account holder succeeds between guesses", &RATES, between),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Enough of them at any speed.
const fn guesses_at(speed: Speed) -> u64 {
    if matches!(speed, Speed::Fast) { 600 } else { 150 }
}

/// An address with so many phones, registered before the guesses begin.
fn office(cast: &mut Cast<'_>, phones: u64, expect: Expect) -> Peer {
    let office = cast.peer(expect);
    for n in 0..phones {
        let port = 30_000 + n as u16;
        let mut phone = Phone::new(&mut cast.bed, office.at_port(port), format!("{}", 1000 + n));
        cast.actor(every(n * SECOND, MINUTE, 1), move |bed| {
            phone.register(bed, Secret::Right);
        });
    }
    office
}

fn guess(cast: &mut Cast<'_>, office: Peer, speed: Speed, user: impl Fn(u64) -> String + 'static) {
    let mut guesser = Phone::new(&mut cast.bed, office.at_port(50_000), "");
    let mut guesses = 0;
    cast.actor(every(MINUTE, speed.interval(), guesses_at(speed)), move |bed| {
        guesser.user = user(guesses);
        guesses += 1;
        one_guess(bed, &mut guesser, "REGISTER", guesses);
    });
}

/// Success with one's own account says nothing about the guesses at another.
fn between(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(Expect::Banned(Limit::Proven(one_user(speed))));
    let mut own = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesser = Phone::new(&mut cast.bed, peer, "1500");
    let mut guesses = 0;
    cast.actor(every(0, speed.interval(), guesses_at(speed)), move |bed| {
        guesses += 1;
        own.register(bed, Secret::Right);
        one_guess(bed, &mut guesser, "REGISTER", guesses);
    });
}
