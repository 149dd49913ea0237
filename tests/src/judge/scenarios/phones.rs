//! Single phones that work (sip-facts §5): nothing of theirs may ever be held up.

use super::{Scenario, everywhere, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::{Answer, Secret};
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MILLISECOND, MINUTE, SECOND, every};

/// How often a phone registers.
const INTERVALS: [(&str, u64); 3] = [("every second", SECOND), ("every minute", MINUTE), ("every hour", HOUR)];

pub fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for dialect in Dialect::EVERY {
        for way in Way::EVERY {
            for (name, interval) in INTERVALS {
                scenarios.push(Scenario::new("phone that keeps its nonce", name, dialect, way, move |cast| {
                    registers(cast, interval, true);
                }));
                scenarios.push(Scenario::new("phone that keeps no nonce", name, dialect, way, move |cast| {
                    registers(cast, interval, false);
                }));
            }
        }
    }
    let more = [
        everywhere("phone roams, registers anew", |cast| roams(cast, false)),
        everywhere("phone roams, keeps its nonce", |cast| roams(cast, true)),
        everywhere("four typing errors, then right", errors),
        everywhere("four failures, a success, again and again", wavers),
        everywhere("fifteen tries at once of a phone that worked", tries),
        over("every packet three times", &Dialect::EVERY, &Way::UDP, retransmits),
        everywhere("CRLF every 15 seconds", keep_alive),
        everywhere("answers OPTIONS of the PBX", answers),
    ];
    scenarios.extend(more.into_iter().flatten());
    let full = over("right password, contacts full", &[Dialect::Pjsip], &Way::EVERY, |cast| {
        cast.bed.pbx.contacts_full = true;
        registers(cast, 10 * SECOND, false);
    });
    scenarios.extend(full);
    scenarios
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
fn roams(cast: &mut Cast<'_>, keeps: bool) {
    let peers: Vec<_> = (0..10).map(|_| cast.peer(Expect::Good)).collect();
    let mut phone = Phone::new(&mut cast.bed, peers[0], "1000");
    let mut rounds = 0;
    cast.actor(every(0, 30 * MINUTE, 60), move |bed| {
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

fn keep_alive(cast: &mut Cast<'_>) {
    let peer = cast.peer(Expect::Good);
    let mut phone = Phone::new(&mut cast.bed, peer, "1000");
    cast.actor(every(0, 30 * MINUTE, 8), move |bed| {
        phone.register(bed, Secret::Right);
    });
    let mut sent = 0;
    cast.actor(every(SECOND, 15 * SECOND, 400), move |bed| {
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
