//! Floods and what no PBX understands (sip-facts §3.7).

use super::{Scenario, everywhere_at_paces, over};
use crate::judge::bed::Bed;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::Secret;
use crate::judge::peer::Way;
use crate::judge::phone::Phone;
use crate::judge::schedule::{MILLISECOND, SECOND, every};

const UNKNOWN: Expect = Expect::Limited { burst: 100, per_second: 20 };
const KNOWN: Expect = Expect::Limited { burst: 1000, per_second: 200 };
const ONE: [Dialect; 1] = [Dialect::FreeSwitch];

/// Each of them faster than an unknown source may.
const FLOODS: [(&str, u64); 3] = [("500/s", 2 * MILLISECOND), ("100/s", 10 * MILLISECOND), ("30/s", 33 * MILLISECOND)];

const ODDITIES: [&[u8]; 8] = [
    b"\r\n\r\n",
    b"\0\0\0\0",
    b"x",
    b"REGISTER",
    b"REGISTER sip:pbx SIP/2.0\r\n\r\n",
    b"OPTIONS sip:100@pbx SIP/9.9\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCSeq: 1 REGISTER\r\n\r\n",
];

pub fn all() -> Vec<Scenario> {
    let floods = [
        everywhere_at_paces("flood of OPTIONS", &FLOODS, |cast, pace| {
            let peer = cast.peer(UNKNOWN);
            let mut source = Phone::new(&mut cast.bed, peer, "1000");
            cast.actor(every(0, pace, 500), move |bed| {
                source.plain(bed, "OPTIONS", "");
            });
        }),
        everywhere_at_paces("flood of what is no SIP", &FLOODS, |cast, pace| {
            let peer = cast.peer(UNKNOWN);
            cast.actor(every(0, pace, 500), move |bed| {
                bed.arrive(peer, b"\x01\x02\x03\x04 nothing that anybody speaks");
            });
        }),
        everywhere_at_paces("flood of CRLF", &FLOODS, |cast, pace| {
            let peer = cast.peer(UNKNOWN);
            cast.actor(every(0, pace, 500), move |bed| {
                bed.arrive(peer, b"\r\n\r\n");
            });
        }),
        over("flood of a known peer", &ONE, &Way::EVERY, |cast| {
            let peer = cast.peer(KNOWN);
            let mut source = Phone::new(&mut cast.bed, peer, "1000");
            source.register(&mut cast.bed, Secret::Right);
            cast.actor(every(SECOND, MILLISECOND, 4000), move |bed| {
                bed.arrive(peer, b"\r\n\r\n");
            });
        }),
    ];
    let oddities = [
        over("what no PBX understands", &Dialect::EVERY, &Way::EVERY, |cast| {
            let peer = cast.peer(Expect::Good);
            let mut sent = 0;
            cast.actor(every(0, SECOND, 64), move |bed| {
                bed.arrive(peer, ODDITIES[sent % ODDITIES.len()]);
                sent += 1;
            });
        }),
        over("messages of every length", &Dialect::EVERY, &Way::EVERY, |cast| {
            let peer = cast.peer(Expect::Good);
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            let mut length = 0;
            cast.actor(every(0, SECOND, 48), move |bed| {
                length += 61;
                cut(bed, &mut phone, length % 420);
                phone.user_agent = None;
                phone.register(bed, Secret::Right);
            });
        }),
        over("a known peer's 900 packets at once", &ONE, &Way::EVERY, |cast| {
            let peer = cast.peer(Expect::Good);
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            phone.register(&mut cast.bed, Secret::Right);
            cast.actor(every(SECOND, MILLISECOND / 10, 900), move |bed| {
                bed.arrive(peer, b"\r\n\r\n");
            });
        }),
    ];
    let floods = floods.into_iter().flatten();
    floods.chain(oddities.into_iter().flatten()).collect()
}

/// The beginning of a request.
fn cut(bed: &mut Bed<'_>, phone: &mut Phone, length: usize) {
    let text = phone.request(bed, "INVITE", "1001").text(&phone.peer);
    bed.arrive(phone.peer, &text.as_bytes()[..length.min(text.len())]);
}
