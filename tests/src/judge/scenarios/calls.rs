//! Calls, subscriptions and messages of phones that work.

use super::{Scenario, everywhere, everywhere_at_every_speed, everywhere_at_paces, over_at_speeds};
use crate::judge::bed::Bed;
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::{Answer, Secret};
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MINUTE, SECOND, Speed, every};

/// Between two refreshes of all lamps.
const RESTS: [(&str, u64); 3] = [("every 10 s", 10 * SECOND), ("every minute", MINUTE), ("every hour", 60 * MINUTE)];

pub fn all() -> Vec<Scenario> {
    [
        everywhere_at_every_speed("calls", calls),
        everywhere_at_every_speed("calls that are cancelled", cancelled),
        everywhere("calls to numbers that do not exist", unknown_numbers),
        everywhere_at_paces("a new phone watches 24 others", &RESTS, watches),
        everywhere("thirty lamps at once on an old nonce", lamps_at_once),
        calls_forbidden(),
        everywhere("messages and presence", |cast| {
            let peer = cast.peer(Expect::Good);
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            cast.actor(every(0, 3 * SECOND, 40), move |bed| {
                phone.ask(bed, "MESSAGE", "1001", Secret::Right);
                phone.ask(bed, "PUBLISH", "1000", Secret::Right);
            });
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn calls(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    cast.actor(every(SECOND, speed.interval(), 60), move |bed| {
        phone.ask(bed, "INVITE", "1001", Secret::Right);
    });
}

fn cancelled(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    cast.actor(every(SECOND, speed.interval(), 30), move |bed| cancel(bed, &mut phone));
}

/// INVITE, challenge, INVITE, ringing, CANCEL with the same credentials, and both answers.
fn cancel(bed: &mut Bed<'_>, phone: &mut Phone) {
    let peer = phone.peer;
    phone.plain(bed, "INVITE", "1001");
    let invite = phone.request_with(bed, "INVITE", "1001", Secret::Right);
    bed.tell(peer, &invite);
    bed.say(peer, &invite, &Answer::plain(100));
    bed.say(peer, &invite, &Answer::plain(180));
    let cancel = invite.cancel();
    bed.tell(peer, &cancel);
    bed.say(peer, &cancel, &Answer::plain(200));
    bed.say(peer, &invite, &Answer::plain(487));
    bed.tell(peer, &invite.ack());
}

/// The PBX takes the password and refuses the call.
fn calls_forbidden() -> Vec<Scenario> {
    let slow =
        over_at_speeds("calls that are forbidden", &Dialect::EVERY, &Way::EVERY, &[Speed::Slow], |cast, speed| {
            forbidden(cast, speed, true);
        });
    let fast =
        over_at_speeds("many calls that are forbidden", &CHALLENGING, &Way::EVERY, &[Speed::Steady], |cast, speed| {
            forbidden(cast, speed, true);
        });
    let only = over_at_speeds("calls of a closed account", &CHALLENGING, &Way::EVERY, &[Speed::Slow], |cast, speed| {
        forbidden(cast, speed, false);
    });
    // Their forms of nonces do not tell how they refuse a password: the operator does.
    let told = fast.into_iter().chain(only).map(Scenario::refusing_by_challenge);
    slow.into_iter().chain(told).collect()
}

/// They refuse a wrong password with another challenge.
const CHALLENGING: [Dialect; 2] = [Dialect::Kamailio, Dialect::OpenSips];

fn forbidden(cast: &mut Cast<'_>, speed: Speed, registers: bool) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    if registers {
        phone.register(&mut cast.bed, Secret::Right);
    }
    cast.actor(every(MINUTE, speed.interval(), 60), move |bed| {
        phone.ask(bed, "INVITE", "888001", Secret::Right);
    });
}

/// Every subscription is refreshed at the same moment with the nonce of the last time; what it is answered, each learns
/// for itself.
fn lamps_at_once(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    cast.actor(every(HOUR, HOUR, 4), move |bed| {
        let mut dialogs: Vec<_> = (0..30).map(|lamp| (phone.clone(), format!("{}", 1100 + lamp))).collect();
        for (dialog, target) in &mut dialogs {
            dialog.attempt(bed, "SUBSCRIBE", target, Secret::Right);
        }
        for (dialog, target) in &mut dialogs {
            dialog.attempt(bed, "SUBSCRIBE", target, Secret::Right);
        }
        phone.register(bed, Secret::Right);
    });
}

fn unknown_numbers(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    let mut dialled = 0;
    cast.actor(every(MINUTE, 5 * SECOND, 40), move |bed| {
        dialled += 1;
        phone.ask(bed, "INVITE", &format!("999{dialled}"), Secret::Right);
    });
}

/// Every lamp is a subscription of its own, and every one of them is challenged.
fn watches(cast: &mut Cast<'_>, rest: u64) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    cast.actor(every(SECOND, rest, 5), move |bed| {
        let mut asked = Vec::new();
        for lamp in 0..24 {
            let mut dialog = phone.clone();
            dialog.plain(bed, "SUBSCRIBE", &format!("{}", 1100 + lamp));
            asked.push(dialog);
        }
        for (lamp, mut dialog) in asked.into_iter().enumerate() {
            dialog.attempt(bed, "SUBSCRIBE", &format!("{}", 1100 + lamp), Secret::Right);
        }
    });
}
