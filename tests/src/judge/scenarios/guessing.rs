//! Passwords guessed by somebody who is no known peer (sip-facts §3.3).

use super::{Scenario, everywhere, everywhere_at_every_speed};
use crate::judge::bed::Bed;
use crate::judge::cast::Cast;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::{Secret, Spelling};
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, SECOND, Speed, Times, every};

/// Failures that are enough.
pub const THRESHOLD: Expect = Expect::Banned(Limit::Proven(5));

const GUESSES: u64 = 40;
const METHODS: [&str; 6] = ["SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "BYE", "INVENTED"];
const SPELLINGS: [(Spelling, &str); 3] = [
    (Spelling::Small, "in small letters"),
    (Spelling::Folded, "in folded lines"),
    (Spelling::Short, "in short headers"),
];

pub fn all() -> Vec<Scenario> {
    [
        everywhere_at_every_speed("guesses one user", |cast, speed| {
            guess(cast, "REGISTER", every(0, speed.interval(), GUESSES), |_| "1000".to_owned());
        }),
        everywhere_at_every_speed("guesses many users", |cast, speed| {
            guess(cast, "REGISTER", every(0, speed.interval(), GUESSES), |n| format!("{}", 1000 + n % 13));
        }),
        everywhere_at_every_speed("guesses by INVITE", |cast, speed| {
            guess(cast, "INVITE", every(0, speed.interval(), GUESSES), |_| "1000".to_owned());
        }),
        everywhere("guesses users who do not exist", |cast| {
            guess(cast, "REGISTER", every(0, SECOND, GUESSES), |n| format!("admin{}", n % 7));
        }),
        everywhere("goes on for hours behind the bans", |cast| {
            guess(cast, "REGISTER", every(0, 10 * SECOND, 3 * HOUR / (10 * SECOND)), |_| "1000".to_owned());
        }),
        everywhere_at_every_speed("guesses beside a phone that works", beside_a_phone),
    ]
    .into_iter()
    .flatten()
    .chain(METHODS.into_iter().flat_map(|method| {
        everywhere(&format!("guesses by {method}"), move |cast| {
            guess(cast, method, every(0, SECOND, GUESSES), |_| "1000".to_owned());
        })
    }))
    .chain(SPELLINGS.into_iter().flat_map(|(spelling, name)| {
        everywhere(&format!("guesses {name}"), move |cast| {
            let peer = cast.peer(THRESHOLD);
            let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
            guesser.spelling = spelling;
            let mut guesses = 0;
            cast.actor(every(0, SECOND, GUESSES), move |bed| {
                guesses += 1;
                one_guess(bed, &mut guesser, "REGISTER", guesses);
            });
        })
    }))
    .collect()
}

/// Fetches a challenge for each guess.
fn guess(cast: &mut Cast<'_>, method: &'static str, times: Times, user: impl Fn(u64) -> String + 'static) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "");
    let mut guesses = 0;
    cast.actor(times, move |bed| {
        guesser.user = user(guesses);
        guesses += 1;
        one_guess(bed, &mut guesser, method, guesses);
    });
}

/// A challenge and a guess.
pub fn one_guess(bed: &mut Bed<'_>, guesser: &mut Phone, method: &'static str, number: u64) {
    let target = if method == "REGISTER" { "" } else { "1001" };
    guesser.ask(bed, method, target, Secret::Wrong(number));
}

fn beside_a_phone(cast: &mut Cast<'_>, speed: Speed) {
    // Half a second apart: a nonce that both got would prove nothing.
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    cast.actor(every(SECOND / 2, 60 * SECOND, 20), move |bed| {
        phone.register(bed, Secret::Right);
    });
    let first = 7 * SECOND;
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(first, speed.interval(), GUESSES), move |bed| {
        guesses += 1;
        one_guess(bed, &mut guesser, "REGISTER", guesses);
    });
}
