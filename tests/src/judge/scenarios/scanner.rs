//! Scanners that say so (sip-facts §3.1, §4.1): not one packet of theirs goes on.

use super::{Scenario, everywhere_at_every_speed, over};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::{Expect, Limit};
use crate::judge::message::Secret;
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{MILLISECOND, SECOND, every};

const NAMES: [&str; 12] = [
    "friendly-scanner",
    "FRIENDLY-SCANNER",
    "sipvicious",
    "SIPVicious 0.3.4",
    "sipcli/v1.8",
    "VaxSIPUserAgent/3.5",
    "pplsip",
    "sundayddr",
    "sip-scan",
    "sipsak 0.9.7",
    "SIPSAK 0.9.6",
    "sipcli/v2.0",
];

const LIKE_SCANNERS: [&str; 5] =
    ["Yealink SIP-T46S", "Linphone/5.2 friendly-scanner", "sipcliente 2", "Asterisk PBX 20.5", "FPBX-16.0.40"];

pub fn all() -> Vec<Scenario> {
    let mut scenarios = everywhere_at_every_speed("scanner at its pace", |cast, speed| {
        scan(cast, Some("friendly-scanner"), "100", speed.interval());
    });
    for name in NAMES {
        scenarios.extend(over(&format!("scanner \"{name}\""), &[Dialect::Pjsip], &Way::EVERY, move |cast| {
            scan(cast, Some(name), "100", 100 * MILLISECOND);
        }));
    }
    scenarios.extend(over("scanner that is only called sipvicious", &[Dialect::Kamailio], &Way::EVERY, |cast| {
        scan(cast, None, "sipvicious", 100 * MILLISECOND);
    }));
    for name in LIKE_SCANNERS {
        scenarios.extend(over(&format!("no scanner: \"{name}\""), &[Dialect::Pjsip], &Way::EVERY, move |cast| {
            let peer = cast.peer(Expect::Good);
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            phone.user_agent = Some(name);
            cast.actor(every(0, 30 * SECOND, 5), move |bed| {
                phone.register(bed, Secret::Right);
            });
        }));
    }
    scenarios
}

fn scan(cast: &mut Cast<'_>, name: Option<&'static str>, user: &'static str, pace: u64) {
    let peer = cast.peer(Expect::Shunned(Limit::Packets(0)));
    let mut scanner = Phone::new(&mut cast.bed, peer, user);
    scanner.user_agent = name;
    let mut sent = 0;
    cast.actor(every(0, pace, 50), move |bed| {
        sent += 1;
        scanner.plain(bed, if sent % 2 == 0 { "REGISTER" } else { "OPTIONS" }, "");
    });
}
