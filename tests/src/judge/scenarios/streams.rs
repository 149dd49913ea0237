//! TCP is a stream: a message may begin anywhere in a segment, and end in another.

use super::{Scenario, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::Secret;
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{MINUTE, SECOND, every};

/// Twenty answers to what could not be read, over TCP, without a success.
const UNREAD: Expect = Expect::Banned(Limit::Packets(100));

pub fn all() -> Vec<Scenario> {
    let tcp = &Way::EVERY[2..];
    let attacks = [
        over("each guess behind an OPTIONS in one segment", &Dialect::EVERY, tcp, together),
        over("each guess in two segments", &Dialect::EVERY, tcp, |cast| pieces(cast, UNREAD, false)),
    ];
    let innocents = [
        over("a phone's attempts in two segments", &Dialect::EVERY, tcp, |cast| pieces(cast, Expect::Good, true)),
        over("a new phone watches 24 others, in two segments each", &Dialect::EVERY, tcp, watches),
    ];
    attacks.into_iter().chain(innocents).flatten().collect()
}

fn together(cast: &mut Cast<'_>) {
    let peer = cast.peer(UNREAD);
    let mut guesser = Phone::new(&mut cast.bed, peer, "1000");
    let mut guesses = 0;
    cast.actor(every(0, SECOND, 40), move |bed| {
        guesses += 1;
        guesser.plain(bed, "REGISTER", "");
        let first = guesser.request(bed, "OPTIONS", "1001");
        let second = guesser.request_with(bed, "REGISTER", "", Secret::Wrong(guesses));
        bed.ask_both(peer, &first, &second);
    });
}

fn pieces(cast: &mut Cast<'_>, expect: Expect, is_right: bool) {
    let peer = cast.peer(expect);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut tries = 0;
    cast.actor(every(0, if is_right { MINUTE } else { SECOND }, 40), move |bed| {
        tries += 1;
        phone.plain(bed, "REGISTER", "");
        let secret = if is_right { Secret::Right } else { Secret::Wrong(tries) };
        let request = phone.request_with(bed, "REGISTER", "", secret);
        bed.ask_in_pieces(peer, &request);
    });
}

fn watches(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut lamp = 0;
    cast.actor(every(0, SECOND / 10, 24), move |bed| {
        lamp += 1;
        let target = format!("{}", 1100 + lamp);
        phone.plain(bed, "SUBSCRIBE", &target);
        let request = phone.request_with(bed, "SUBSCRIBE", &target, Secret::Right);
        bed.ask_in_pieces(peer, &request);
    });
}
