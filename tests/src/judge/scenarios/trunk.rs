//! Carriers: this host registers to them and calls them, and they call it (sip-facts §5, §0 fact 3).

use super::{Scenario, everywhere_at_every_speed, everywhere_at_paces, over_at_speeds};
use crate::SIP_PORT;
use crate::judge::bed::Bed;
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::{Answer, Secret};
use crate::judge::peer::{Peer, Way};
use crate::judge::phone::{Held, Phone};
use crate::judge::schedule::{MILLISECOND, MINUTE, SECOND, Speed, every};

/// Between two of a carrier's OPTIONS: every user each minute, each ten minutes, each hour and a half.
const QUALIFIES: [(&str, u64); 3] = [("33/s", 30 * MILLISECOND), ("3/s", 300 * MILLISECOND), ("1 in 3 s", 3 * SECOND)];

pub fn all() -> Vec<Scenario> {
    [
        everywhere_at_every_speed("carrier that this host registers to", |cast, speed| {
            asked(cast, "REGISTER", 401, 200, speed);
        }),
        everywhere_at_every_speed("carrier that refuses this host", |cast, speed| {
            asked(cast, "REGISTER", 401, 403, speed)
        }),
        everywhere_at_every_speed("carrier that this host calls", |cast, speed| asked(cast, "INVITE", 407, 404, speed)),
        everywhere_at_every_speed("carrier calls without credentials", |cast, speed| {
            let peer = carrier(cast);
            cast.bed.pbx.trunks.insert(peer.source());
            calls(cast, peer, speed);
        }),
        over_at_speeds(
            "carrier whose calls are challenged",
            &Dialect::EVERY,
            &Way::UDP,
            &Speed::EVERY,
            |cast, speed| {
                let peer = carrier(cast);
                calls(cast, peer, speed);
            },
        ),
        everywhere_at_every_speed("carrier that only calls, and was never asked", |cast, speed| {
            let peer = cast.peer(Expect::Good);
            cast.bed.pbx.trunks.insert(peer.source());
            calls(cast, peer, speed);
        }),
        everywhere_at_paces("carrier asks after 2000 users", &QUALIFIES, |cast, pace| {
            let peer = carrier(cast);
            let mut carrier = Phone::new(&mut cast.bed, peer, "carrier");
            let mut asked = 0;
            cast.actor(every(MINUTE, pace, 2000), move |bed| {
                asked += 1;
                carrier.plain(bed, "OPTIONS", &format!("{}", 1000 + asked % 2000));
            });
        }),
        everywhere_at_every_speed("a call of this host comes back to it", returns),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// This host's end of a flow to an upstream: from the SIP port over UDP, from any port over TCP.
fn towards(peer: Peer) -> Peer {
    let local_port = if peer.is_tcp() { 45_678 } else { peer.local_port };
    Peer { port: SIP_PORT, local_port, ..peer }
}

/// A carrier that answers this host's OPTIONS every minute.
fn carrier(cast: &mut Cast<'_>) -> Peer {
    let peer = cast.peer(Expect::Good);
    let mut pbx = Phone::new(&mut cast.bed, towards(peer), "pbx");
    cast.actor(every(0, MINUTE, 30), move |bed| asks(bed, &mut pbx, "OPTIONS", &[200]));
    peer
}

/// This host asks, and is answered.
fn asks(bed: &mut Bed<'_>, pbx: &mut Phone, method: &'static str, statuses: &[u16]) {
    let peer = pbx.peer;
    for status in statuses {
        let request = pbx.request_with(bed, method, "442071838750", Secret::Right);
        bed.leave(peer, request.text(&peer).as_bytes());
        bed.wait(20 * MILLISECOND);
        let nonce = matches!(status, 401 | 407).then(|| format!("carrier{}", bed.token()));
        let answer = Answer { nonce, ..Answer::plain(*status) };
        bed.arrive(peer, answer.text(&request, &peer).as_bytes());
        if let Some(nonce) = answer.nonce {
            pbx.held = Some(Held { nonce, is_proxy: *status == 407 });
        }
    }
}

fn asked(cast: &mut Cast<'_>, method: &'static str, first: u16, then: u16, speed: Speed) {
    let peer = cast.peer(Expect::Good);
    let mut pbx = Phone::new(&mut cast.bed, towards(peer), "pbx");
    cast.actor(every(0, speed.interval(), 60), move |bed| asks(bed, &mut pbx, method, &[first, then]));
}

/// Calls for numbers of this host, of which one in six does not exist.
fn calls(cast: &mut Cast<'_>, peer: Peer, speed: Speed) {
    let mut carrier = Phone::new(&mut cast.bed, peer, "");
    carrier.user_agent = None;
    let mut calls = 0;
    // Over TCP this host does not know whom it asked: no more than a new source may send.
    let count = if speed == Speed::Fast { 40 } else { 120 };
    cast.actor(every(MINUTE, speed.interval(), count), move |bed| {
        carrier.user = format!("+4420{:08}", 71_838_750 + calls * 7919 % 9_999_991);
        let number = if calls % 6 == 5 { format!("999{calls:04}") } else { format!("1{:03}", calls % 400) };
        calls += 1;
        carrier.plain(bed, "INVITE", &number);
    });
}

/// A router sends this host's own call back to it, where it is challenged.
fn returns(cast: &mut Cast<'_>, speed: Speed) {
    let peer = cast.peer(Expect::Good);
    let mut pbx = Phone::new(&mut cast.bed, towards(peer), "1000");
    cast.actor(every(0, speed.interval(), 15), move |bed| {
        let call = pbx.request(bed, "INVITE", "1001");
        bed.leave(pbx.peer, call.text(&pbx.peer).as_bytes());
        bed.ask(peer, &call);
        bed.arrive(pbx.peer, Answer::plain(401).text(&call, &pbx.peer).as_bytes());
    });
}
