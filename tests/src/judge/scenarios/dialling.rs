//! One number dialled behind every prefix (sip-facts §3.4), and calls that only look like it.

use super::enumeration::decided;
use super::{Scenario, everywhere, everywhere_at_every_speed};
use crate::judge::cast::Cast;
use crate::judge::expect::Expect;
use crate::judge::message::Secret;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MINUTE, SECOND, Speed, every};

const PREFIXES: [&str; 16] =
    ["", "+", "00", "000", "011", "900", "9011", "9", "90011", "0000", "850", "851", "852", "8011", "7", "99900"];

pub fn all() -> Vec<Scenario> {
    let attacks = [
        everywhere_at_every_speed("dials one number behind prefixes, PBX open", |cast, speed| {
            cast.bed.pbx.is_open = true;
            dial(cast, speed, true);
        }),
        everywhere_at_every_speed("dials one number behind prefixes, PBX asks", |cast, speed| dial(cast, speed, false)),
    ];
    let innocents = [
        everywhere_at_every_speed("toll fraud after a theft: nothing to see", theft),
        everywhere("a registered phone dials one number in many ways", |cast| {
            let peer = cast.peer(Expect::Good);
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            phone.register(&mut cast.bed, Secret::Right);
            let mut dialled = 0;
            cast.actor(every(MINUTE, 10 * SECOND, 16), move |bed| {
                phone.ask(bed, "INVITE", &format!("{}442039967796", PREFIXES[dialled % 16]), Secret::Right);
                dialled += 1;
            });
        }),
    ];
    let attacks = attacks.into_iter().flatten();
    attacks.chain(innocents.into_iter().flatten()).collect()
}

fn dial(cast: &mut Cast<'_>, speed: Speed, is_open: bool) {
    // Five numbers, a second until somebody looks, and four for an answer to the challenge.
    let enough = match speed {
        Speed::Fast if is_open => 56,
        Speed::Fast => 260,
        Speed::Steady if !is_open => 12,
        Speed::Steady | Speed::Slow => 7,
    };
    let expect = decided(cast, enough);
    let peer = cast.peer(expect);
    let mut scanner = Phone::new(&mut cast.bed, peer, "1000");
    scanner.user_agent = Some("PortSIP VoIP SDK 11.2");
    let mut dialled = 0;
    cast.actor(every(0, speed.interval(), 400), move |bed| {
        let prefix = PREFIXES[dialled % PREFIXES.len()];
        let round = dialled / PREFIXES.len();
        dialled += 1;
        let padding = if round == 0 { String::new() } else { format!("{round}") };
        scanner.plain(bed, "INVITE", &format!("{prefix}{padding}442039967796"));
    });
}

/// Short calls with a stolen password are calls (sip-facts §3.5).
fn theft(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(Expect::Good);
    let mut thief = Phone::new(&mut cast.bed, peer, "1000");
    thief.register(&mut cast.bed, Secret::Right);
    let mut dialled = 0;
    cast.actor(every(HOUR, speed.interval(), 200), move |bed| {
        dialled += 1;
        thief.ask(bed, "INVITE", &format!("00882{dialled:07}"), Secret::Right);
    });
}
