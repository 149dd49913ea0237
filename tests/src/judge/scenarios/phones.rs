//! Single phones that work (sip-facts §5): nothing of theirs may ever be held up.

use super::{Scenario, everywhere, everywhere_at_paces, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::{Answer, Secret};
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MILLISECOND, MINUTE, SECOND, every};

/// How often a phone registers.
const ROAMING: [(&str, u64); 3] =
    [("every minute", MINUTE), ("every half hour", 30 * MINUTE), ("every six hours", 6 * HOUR)];
const KEEP_ALIVES: [(&str, u64); 3] =
    [("every 5 s", 5 * SECOND), ("every 15 s", 15 * SECOND), ("every 30 s", 30 * SECOND)];
const INTERVALS: [(&str, u64); 3] = [("every second", SECOND), ("every minute", MINUTE), ("every hour", HOUR)];

pub fn all() -> Vec<Scenario> {
    let scenarios = [
        everywhere_at_paces("phone that keeps its nonce", &INTERVALS, |cast, pace| registers(cast, pace, true)),
        everywhere_at_paces("phone that keeps no nonce", &INTERVALS, |cast, pace| registers(cast, pace, false)),
        everywhere_at_paces("phone roams, registers anew", &ROAMING, |cast, pace| roams(cast, pace, false)),
        everywhere_at_paces("phone roams, keeps its nonce", &ROAMING, |cast, pace| roams(cast, pace, true)),
        everywhere("four typing errors, then right", errors),
        everywhere("four failures, a success, again and again", wavers),
        everywhere("fifteen tries at once of a phone that worked", tries),
        over("every packet three times", &Dialect::EVERY, &Way::UDP, retransmits),
        everywhere_at_paces("CRLF between registrations", &KEEP_ALIVES, keep_alive),
        everywhere("answers OPTIONS of the PBX", answers),
    ];
    let full = over("right password, contacts full", &[Dialect::Pjsip], &Way::EVERY, |cast| {
        cast.bed.pbx.contacts_full = true;
        registers(cast, 10 * SECOND, false);
    });
    scenarios.into_iter().flatten().chain(full).collect()
}

fn registers(cast: &mut Cast<'_>, interval: u64, keeps: bool) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    cast.actor(every(0, interval, 40), move |bed| {
        if keeps {
            phone.ask_again(bed, "REGISTER", "", Secret::Right);
        } else {
            phone.register(bed, Secret::Right);
        }
    });
}

/// A new address every three hours.
fn roams(cast: &mut Cast<'_>, pace: u64, keeps: bool) {
    let peers: Vec<_> = (0..10).map(|_| cast.peer(Expect::Good)).collect();
    let mut phone = Phone::new(&mut cast.bed, peers[0], "1000");
    let mut rounds = 0;
    cast.actor(every(0, pace, 60), move |bed| {
        phone.peer = peers[rounds / 6];
        rounds += 1;
        if keeps {
            phone.ask_again(bed, "REGISTER", "", Secret::Right);
        } else {
            phone.register(bed, Secret::Right);
        }
        phone.ask(bed, "INVITE", "1001", Secret::Right);
    });
}

fn errors(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut tries = 0;
    cast.actor(every(0, 20 * SECOND, 30), move |bed| {
        tries += 1;
        phone.register(bed, if tries <= 4 { Secret::Wrong(tries) } else { Secret::Right });
    });
}

fn wavers(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut tries = 0;
    cast.actor(every(0, 5 * SECOND, 50), move |bed| {
        tries += 1;
        phone.register(bed, if tries % 5 == 0 { Secret::Right } else { Secret::Wrong(tries) });
    });
}

/// One typing error is fifteen tries within two milliseconds for baresip.
fn tries(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    phone.register(&mut cast.bed, Secret::Right);
    let mut mistyped = phone.clone();
    cast.actor(every(HOUR, MILLISECOND / 8, 15), move |bed| {
        mistyped.attempt(bed, "REGISTER", "", Secret::Wrong(0));
    });
    cast.actor(every(HOUR + MINUTE, MINUTE, 5), move |bed| {
        phone.register(bed, Secret::Right);
    });
}

fn retransmits(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut rounds = 0;
    cast.actor(every(0, 10 * SECOND, 12), move |bed| {
        rounds += 1;
        let secret = if rounds % 4 == 0 { Secret::Right } else { Secret::Wrong(0) };
        for is_attempt in [false, true] {
            let request = if is_attempt {
                phone.request_with(bed, "REGISTER", "", secret)
            } else {
                phone.request(bed, "REGISTER", "")
            };
            let answer = phone.send(bed, &request);
            for pause in [500, 1000] {
                bed.wait(pause * MILLISECOND);
                bed.tell(peer, &request);
                if let Some(answer) = &answer {
                    bed.say(peer, &request, answer);
                }
            }
        }
    });
}

fn keep_alive(cast: &mut Cast<'_>, pace: u64) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    cast.actor(every(0, 30 * MINUTE, 8), move |bed| {
        phone.register(bed, Secret::Right);
    });
    let mut sent = 0;
    cast.actor(every(SECOND, pace, 400), move |bed| {
        sent += 1;
        bed.arrive(peer, if sent % 2 == 0 { b"\r\n\r\n" } else { b"\r\n" });
    });
}

/// What this host asks a phone, it does not ask an upstream.
fn answers(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    let mut pbx = phone.clone();
    cast.actor(every(0, 10 * MINUTE, 6), move |bed| {
        phone.register(bed, Secret::Right);
    });
    cast.actor(every(SECOND, MINUTE, 60), move |bed| {
        let request = pbx.request(bed, "OPTIONS", "1000");
        bed.leave(peer, request.text(&peer).as_bytes());
        bed.arrive(peer, Answer::plain(200).text(&request, &peer).as_bytes());
    });
}
