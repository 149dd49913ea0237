//! Guesses that stay below every window: slow, in bursts with long pauses, from many sources (sip-facts §3.3).

use super::{Scenario, everywhere};
use crate::judge::cast::Cast;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::Secret;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MILLISECOND, MINUTE, SECOND, Times, bursts, every, once};

use super::guessing::one_guess;

/// Failures within a day that are enough, however far apart.
const SLOW: Expect = Expect::Banned(Limit::Proven(20));
/// Sources that fail for one user that are enough.
const DISTRIBUTED: Expect = Expect::Banned(Limit::Together(8));

pub fn all() -> Vec<Scenario> {
    let slow = [
        everywhere("one guess every 20 minutes", |cast| guess(cast, every(0, 20 * MINUTE, 60))),
        everywhere("one guess every 65 minutes", |cast| guess(cast, every(0, 65 * MINUTE, 24))),
        everywhere("bursts of four every eleven minutes", |cast| {
            guess(cast, bursts(4, 20 * MILLISECOND, 11 * MINUTE, 20));
        }),
    ];
    let slow = slow.into_iter().flatten();
    let distributed = [
        everywhere("twelve sources guess one user", |cast| distributed(cast, 1)),
        everywhere("twelve sources guess one user twice each", |cast| distributed(cast, 2)),
    ];
    let distributed = distributed.into_iter().flatten();
    let prefix = [
        everywhere("five neighbours, four guess", |cast| neighbours(cast, false)),
        everywhere("five neighbours, four guess, one is a phone", |cast| neighbours(cast, true)),
    ];
    let prefix = prefix.into_iter().flatten();
    slow.chain(distributed).chain(prefix).chain(everywhere("one user fails at eight known sites", travelling)).collect()
}

fn guess(cast: &mut Cast<'_>, times: Times) {
    let peer = cast.peer(SLOW);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(times, move |bed| {
        guesses += 1;
        one_guess(bed, &mut guesser, "REGISTER", guesses);
    });
}

fn distributed(cast: &mut Cast<'_>, guesses: u64) {
    for source in 0..12 {
        let peer = cast.peer(DISTRIBUTED);
        let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
        cast.actor(every(source * 31 * MINUTE, 6 * HOUR, guesses), move |bed| {
            let secret = Secret::Wrong(bed.token());
            guesser.register(bed, secret);
        });
    }
}

/// The fourth ban of a site closes it, unless a known peer is there.
fn neighbours(cast: &mut Cast<'_>, with_phone: bool) {
    let guessers = cast.bed.neighbours(5, Expect::Banned(Limit::Proven(5)));
    let fifth = guessers[4];
    cast.bed.join(fifth, if with_phone { Expect::Good } else { Expect::Banned(Limit::Packets(0)) });
    let mut phone = Phone::new(&mut cast.bed, fifth, "1001");
    if with_phone {
        cast.actor(every(0, 28 * SECOND, 4), move |bed| {
            phone.register(bed, Secret::Right);
        });
    } else {
        cast.actor(once(60 * SECOND), move |bed| {
            phone.register(bed, Secret::Wrong(1));
        });
    }
    for (n, peer) in guessers.into_iter().take(4).enumerate() {
        let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
        let mut guesses = 0;
        cast.actor(every(31 * SECOND + n as u64 * 5 * SECOND, SECOND, 5), move |bed| {
            guesses += 1;
            one_guess(bed, &mut guesser, "REGISTER", guesses);
        });
    }
}

/// A user's phones have an old password at sites where he authenticated before.
fn travelling(cast: &mut Cast<'_>) {
    for site in 0..8 {
        let peer = cast.peer(Expect::Good);
        let mut phone = Phone::new(&mut cast.bed, peer, "1000");
        let mut rounds = 0;
        cast.actor(every(site * 7 * SECOND, HOUR, 10), move |bed| {
            rounds += 1;
            let secret = if rounds < 3 { Secret::Right } else { Secret::Wrong(0) };
            phone.register(bed, secret);
        });
    }
}
