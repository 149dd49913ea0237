//! Users tried one after the other, without credentials (sip-facts §3.1, §3.2), and what only looks like it.

use super::{Scenario, everywhere, everywhere_at_every_speed, everywhere_at_paces, over, over_at_speeds};
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::{Expect, Limit};
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{HOUR, MINUTE, SECOND, Speed, Times, every, once};

const OPTIONS_REFUSED: [Dialect; 1] = [Dialect::Pjsip];
/// chan_sip with `alwaysauthreject=no`.
const TELLING: [Dialect; 1] = [Dialect::ChanSip];

const MONITORS: [(&str, u64); 3] = [("every 10 s", 10 * SECOND), ("every minute", MINUTE), ("every hour", HOUR)];

pub fn all() -> Vec<Scenario> {
    let attacks = [
        everywhere_at_every_speed("enumerates by REGISTER", |cast, speed| {
            sweep(cast, "REGISTER", speed, |n| format!("{}", 100 + n));
        }),
        everywhere_at_every_speed("enumerates by INVITE", |cast, speed| {
            sweep(cast, "INVITE", speed, |n| format!("{}", 100 + n));
        }),
        everywhere_at_every_speed("enumerates by SUBSCRIBE", |cast, speed| {
            sweep(cast, "SUBSCRIBE", speed, |n| format!("{}", 100 + n));
        }),
        everywhere_at_every_speed("one user, never an answer to the challenge", |cast, speed| {
            sweep(cast, "REGISTER", speed, |_| "1000".to_owned());
        }),
        everywhere_at_every_speed("probes for injection", |cast, speed| {
            sweep(cast, "REGISTER", speed, |n| format!("'%20or%20{n}=1--"));
        }),
        over_at_speeds("enumerates a PBX that tells its users", &TELLING, &Way::EVERY, &Speed::EVERY, |cast, speed| {
            cast.bed.pbx.tells_users = true;
            sweep(cast, "REGISTER", speed, |n| format!("{}", 2000 + n));
        }),
        over_at_speeds(
            "sweeps by OPTIONS",
            &OPTIONS_REFUSED,
            &Way::EVERY,
            &[Speed::Fast, Speed::Steady],
            |cast, speed| {
                let expect = decided(cast, if speed == Speed::Fast { 90 } else { 36 });
                probe(cast, "OPTIONS", every(0, speed.interval(), 300), expect, |n| format!("{}", 100 + n));
            },
        ),
    ];
    let innocents = [
        everywhere("one OPTIONS of a survey", |cast| {
            probe(cast, "OPTIONS", once(0), Expect::Good, |_| "100".to_owned());
        }),
        everywhere_at_paces("a monitor's OPTIONS", &MONITORS, |cast, pace| {
            probe(cast, "OPTIONS", every(0, pace, 360), Expect::Good, |_| "ping".to_owned());
        }),
        over("a proxy's OPTIONS for 2000 users", &answering(), &Way::EVERY, |cast| {
            probe(cast, "OPTIONS", every(0, SECOND / 10, 2000), Expect::Good, |n| format!("{}", 1000 + n % 2000));
        }),
        everywhere("a phone that never gets a challenge answered, once an hour", |cast| {
            probe(cast, "REGISTER", every(0, HOUR, 24), Expect::Good, |_| "1000".to_owned());
        }),
    ];
    let attacks = attacks.into_iter().flatten();
    attacks.chain(innocents.into_iter().flatten()).collect()
}

fn answering() -> Vec<Dialect> {
    Dialect::EVERY.into_iter().filter(|dialect| !dialect.challenges_options()).collect()
}

/// A shun, or a ban where the answers prove the source.
pub fn decided(cast: &Cast<'_>, refused: u64) -> Expect {
    let limit = Limit::Refused(refused);
    if cast.bed.way().is_tcp() { Expect::Banned(limit) } else { Expect::Shunned(limit) }
}

fn sweep(cast: &mut Cast<'_>, method: &'static str, speed: Speed, user: impl Fn(u64) -> String + 'static) {
    // Ten or twenty that nobody followed up for four seconds, or a hundred at once; and the tick after that.
    let enough = match speed {
        Speed::Fast => 160,
        Speed::Steady => 27,
        Speed::Slow => 22,
    };
    let expect = decided(cast, enough);
    probe(cast, method, every(0, speed.interval(), 400), expect, user);
}

fn probe(
    cast: &mut Cast<'_>,
    method: &'static str,
    times: Times,
    expect: Expect,
    user: impl Fn(u64) -> String + 'static,
) {
    let peer = cast.peer(expect);
    let mut scanner = Phone::new(&mut cast.bed, peer, "");
    let mut tried = 0;
    cast.actor(times, move |bed| {
        scanner.user = user(tried);
        tried += 1;
        let target = if method == "REGISTER" { String::new() } else { scanner.user.clone() };
        scanner.plain(bed, method, &target);
    });
}
