//! Guesses that prove nothing: a nonce that others got too, or none that was ever handed out. Over TCP the answers prove
//! the source instead.

use super::{Scenario, over_at_speeds};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::Secret;
use crate::judge::peer::Way;
use crate::judge::phone::{Held, Phone};
use crate::judge::schedule::{SECOND, Speed, every};

const FREE_NONCE: [Dialect; 3] = [Dialect::FreeSwitch, Dialect::OpenSips, Dialect::Kamailio];
/// They refuse a nonce that they never made as they refuse a wrong password.
const JUNK_IS_REFUSED: [Dialect; 4] = [Dialect::Pjsip, Dialect::ChanSip, Dialect::Kamailio, Dialect::ThreeCx];
const SHARING: [Dialect; 1] = [Dialect::Kamailio];

pub fn all() -> Vec<Scenario> {
    let shared = over_at_speeds("guesses with nonces that others got", &SHARING, &Way::EVERY, &Speed::EVERY, shared);
    let foreign =
        over_at_speeds("guesses with nonces of another address", &FREE_NONCE, &Way::EVERY, &Speed::EVERY, foreign);
    let junk = over_at_speeds("guesses with nonces of its own", &JUNK_IS_REFUSED, &Way::EVERY, &Speed::EVERY, junk);
    [shared, foreign, junk].into_iter().flatten().collect()
}

/// A shun without proof, a ban with.
fn expectation(cast: &Cast<'_>) -> Expect {
    if cast.bed.way().is_tcp() { Expect::Banned(Limit::Proven(5)) } else { Expect::Shunned(Limit::Unproven(5)) }
}

/// Somebody else fetches the nonce of the same second.
fn shared(cast: &mut Cast<'_>, speed: Speed) {
    let (expect, other) = (expectation(cast), cast.peer(Expect::Any));
    let peer = cast.peer(expect);
    let mut other = Phone::new(&mut cast.bed, other, "1001");
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, speed.interval(), 40), move |bed| {
        guesses += 1;
        other.register(bed, Secret::Right);
        guesser.ask(bed, "REGISTER", "", Secret::Wrong(guesses));
    });
}

/// A second address fetches the nonces.
fn foreign(cast: &mut Cast<'_>, speed: Speed) {
    let (expect, other) = (expectation(cast), cast.peer(Expect::Any));
    let peer = cast.peer(expect);
    let mut other = Phone::new(&mut cast.bed, other, "1000");
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, speed.interval(), 40), move |bed| {
        guesses += 1;
        if guesses == 1 {
            // A known peer may send more.
            other.register(bed, Secret::Right);
        }
        other.plain(bed, "REGISTER", "");
        guesser.held.clone_from(&other.held);
        guesser.attempt(bed, "REGISTER", "", Secret::Wrong(guesses));
    });
}

fn junk(cast: &mut Cast<'_>, speed: Speed) {
    let expect = expectation(cast);
    let peer = cast.peer(expect);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(SECOND, speed.interval(), 40), move |bed| {
        guesses += 1;
        guesser.held = Some(Held { nonce: format!("{guesses:032x}"), is_proxy: false });
        guesser.attempt(bed, "REGISTER", "", Secret::Wrong(guesses));
    });
}
