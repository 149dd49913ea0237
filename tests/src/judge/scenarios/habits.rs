//! What tools and clever people do to guess unseen.

use super::guessing::{THRESHOLD, one_guess};
use std::net::{IpAddr, Ipv6Addr};

use super::{Scenario, everywhere, everywhere_at_every_speed, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::message::{Request, Secret};
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{MILLISECOND, MINUTE, SECOND, Speed, bursts, every};

pub fn all() -> Vec<Scenario> {
    [
        everywhere_at_every_speed("reuses a nonce while it lasts", reuse),
        everywhere_at_every_speed("svcrack: one Call-ID and CSeq, counted branch", svcrack),
        everywhere("all guesses on one branch", one_branch),
        everywhere("each guess sent three times", retransmits),
        everywhere("plain request on the branch of each guess", covers),
        everywhere("OPTIONS with credentials between guesses", options_between),
        over("thirty guesses before the first answer", &REUSABLE, &Way::EVERY, volley),
        over("another address of its /64 for each guess", &Dialect::EVERY, &[Way::EVERY[1], Way::EVERY[3]], |cast| {
            moves(cast, true);
        }),
        everywhere("another port for each guess", |cast| moves(cast, false)),
        everywhere("bursts of four every five minutes", |cast| {
            let peer = cast.peer(THRESHOLD);
            let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
            let mut guesses = 0;
            cast.actor(bursts(4, 20 * MILLISECOND, 5 * MINUTE, 20), move |bed| {
                guesses += 1;
                one_guess(bed, &mut guesser, "REGISTER", guesses);
            });
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// They take a nonce more than once.
const REUSABLE: [Dialect; 4] = [Dialect::Pjsip, Dialect::FreeSwitch, Dialect::Kamailio, Dialect::ThreeCx];

/// All on their way before anything is decided.
fn volley(cast: &mut Cast<'_>) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    cast.actor(every(0, 2 * MINUTE, 3), move |bed| {
        guesser.plain(bed, "REGISTER", "");
        let secret = |number| Secret::Wrong(number);
        let guesses: Vec<_> = (0..30).map(|n| guesser.request_with(bed, "REGISTER", "", secret(n))).collect();
        let passed: Vec<_> = guesses.into_iter().filter(|guess| bed.tell(peer, guess)).collect();
        for guess in passed {
            bed.answered(peer, &guess);
        }
        guesser.plain(bed, "REGISTER", "");
    });
}

fn moves(cast: &mut Cast<'_>, within_the_prefix: bool) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 40), move |bed| {
        guesses += 1;
        guesser.peer = peer.at_port(40_000 + guesses);
        if let (true, IpAddr::V6(address)) = (within_the_prefix, peer.address) {
            guesser.peer.address = IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() + u128::from(guesses)));
        }
        one_guess(bed, &mut guesser, "REGISTER", u64::from(guesses));
    });
}

/// Answers the nonce it holds until a new one comes.
fn reuse(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, speed.interval(), 60), move |bed| {
        guesses += 1;
        if guesser.held.is_none() {
            guesser.plain(bed, "REGISTER", "");
        }
        guesser.attempt(bed, "REGISTER", "", Secret::Wrong(guesses));
    });
}

fn svcrack(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    guesser.user_agent = None;
    let first = guesser.request(&mut cast.bed, "REGISTER", "");
    let mut sent = 0;
    let mut is_challenge_due = true;
    cast.actor(every(0, speed.interval(), 80), move |bed| {
        sent += 1;
        let credentials = if is_challenge_due { None } else { guesser.credentials(Secret::Wrong(sent)) };
        let request = Request { branch: format!("z9hG4bK-{}", 3_000_000 + sent), credentials, ..first.clone() };
        let answer = guesser.send(bed, &request);
        is_challenge_due = answer.is_none_or(|answer| answer.nonce.is_none());
    });
}

fn one_branch(cast: &mut Cast<'_>) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 40), move |bed| {
        guesses += 1;
        guesser.plain(bed, "REGISTER", "");
        let guess = guesser.request_with(bed, "REGISTER", "", Secret::Wrong(guesses));
        guesser.send(bed, &Request { branch: "z9hG4bKthe.same".to_owned(), ..guess });
    });
}

fn retransmits(cast: &mut Cast<'_>) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 40), move |bed| {
        guesses += 1;
        guesser.plain(bed, "REGISTER", "");
        let guess = guesser.request_with(bed, "REGISTER", "", Secret::Wrong(guesses));
        bed.tell(peer, &guess);
        bed.tell(peer, &guess);
        guesser.send(bed, &guess);
    });
}

fn covers(cast: &mut Cast<'_>) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 40), move |bed| {
        guesses += 1;
        guesser.plain(bed, "REGISTER", "");
        let guess = guesser.request_with(bed, "REGISTER", "", Secret::Wrong(guesses));
        let plain = Request { credentials: None, ..guess.clone() };
        bed.tell(peer, &plain);
        guesser.send(bed, &guess);
        bed.tell(peer, &plain);
    });
}

fn options_between(cast: &mut Cast<'_>) {
    let peer = cast.peer(THRESHOLD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 60), move |bed| {
        guesses += 1;
        one_guess(bed, &mut guesser, "REGISTER", guesses);
        guesser.attempt(bed, "OPTIONS", "1000", Secret::Wrong(guesses));
    });
}
