//! Packets in somebody else's name (sip-facts §3.6): nobody is banned for what others send.

use super::{Scenario, over_at_speeds};
use crate::judge::bed::Bed;
use crate::judge::cast::Cast;
use crate::judge::dialect::Dialect;
use crate::judge::expect::Expect;
use crate::judge::message::{Answer, Secret};
use crate::judge::peer::{Peer, Way};
use crate::judge::phone::{Held, Phone};
use crate::judge::schedule::{MILLISECOND, MINUTE, SECOND, Speed, every};

const FORGERIES: u64 = 60;

/// Whose name.
#[derive(Clone, Copy)]
enum Victim {
    /// Somebody who never was here.
    Stranger,
    /// A phone that works.
    Phone,
    /// A carrier that this host asks.
    Carrier,
}

/// What is forged.
#[derive(Clone, Copy)]
enum Forgery {
    /// Requests without credentials, so that the answers hit the victim.
    Plain,
    /// Credentials on a nonce that nobody made.
    Junk,
    /// Credentials on a nonce that the forger fetched himself.
    Fetched,
    /// The same, and the PBX is first made to send one to the victim in that second.
    SentAndFetched,
    /// The name of a scanner.
    Scanner,
    /// One number behind many prefixes.
    Dial,
}

const VICTIMS: [(Victim, &str); 3] =
    [(Victim::Stranger, "a stranger"), (Victim::Phone, "a phone"), (Victim::Carrier, "a carrier")];

pub fn all() -> Vec<Scenario> {
    use Forgery::{Dial, Fetched, Junk, Plain, Scanner, SentAndFetched};
    let kinds = [
        (Plain, "requests", &Speed::EVERY[..]),
        (Junk, "credentials", &Speed::EVERY[..]),
        (Fetched, "credentials on a fetched nonce", &Speed::EVERY[..]),
        (SentAndFetched, "credentials on a nonce of that second", &Speed::EVERY[..]),
        (Scanner, "a scanner", &Speed::EVERY[..]),
        (Dial, "calls", &Speed::EVERY[..]),
    ];
    let mut scenarios = Vec::new();
    for (victim, name) in VICTIMS {
        for (forgery, what, speeds) in kinds {
            let what = format!("{what} in the name of {name}");
            scenarios.extend(over_at_speeds(&what, &Dialect::EVERY, &Way::UDP, speeds, move |cast, speed| {
                forge(cast, victim, forgery, speed);
            }));
        }
        let what = format!("segments without a connection in the name of {name}");
        scenarios.extend(over_at_speeds(
            &what,
            &Dialect::EVERY,
            &Way::EVERY[2..],
            &Speed::EVERY,
            move |cast, speed| {
                forge(cast, victim, Junk, speed);
            },
        ));
    }
    scenarios
}

fn forge(cast: &mut Cast<'_>, victim: Victim, forgery: Forgery, speed: Speed) {
    let length = FORGERIES * speed.interval() + 10 * SECOND;
    let victim = engage(cast, victim, length);
    let own = cast.peer(Expect::Any);
    let mut own = Phone::new(&mut cast.bed, own, "1000");
    let mut forger = Phone::new(&mut cast.bed, victim, "1000");
    let mut forged = 0;
    // In the middle of a second: what he fetches comes in the same one.
    cast.actor(every(5 * SECOND + 100 * MILLISECOND, speed.interval(), FORGERIES), move |bed| {
        forged += 1;
        one(bed, forgery, &mut forger, &mut own, forged);
    });
}

fn one(bed: &mut Bed<'_>, forgery: Forgery, forger: &mut Phone, own: &mut Phone, number: u64) {
    let victim = forger.peer;
    match forgery {
        Forgery::Plain => {
            forger.user = format!("{}", 1000 + number);
            let request = forger.request(bed, "REGISTER", "");
            bed.forge(victim, &request);
        }
        Forgery::Junk => {
            forger.held = Some(Held { nonce: format!("{number:032x}"), is_proxy: false });
            spend(bed, forger, number);
        }
        Forgery::Fetched => {
            own.plain(bed, "REGISTER", "");
            forger.held.clone_from(&own.held);
            spend(bed, forger, number);
        }
        Forgery::SentAndFetched => {
            let request = forger.request(bed, "REGISTER", "");
            bed.forge(victim, &request);
            own.plain(bed, "REGISTER", "");
            forger.held.clone_from(&own.held);
            spend(bed, forger, number);
        }
        Forgery::Scanner => {
            forger.user_agent = Some("friendly-scanner");
            let request = forger.request(bed, "OPTIONS", "100");
            bed.forge(victim, &request);
        }
        Forgery::Dial => {
            let request = forger.request(bed, "INVITE", &format!("{number}00442039967796"));
            bed.forge(victim, &request);
        }
    }
}

fn spend(bed: &mut Bed<'_>, forger: &mut Phone, number: u64) {
    let guess = forger.request_with(bed, "REGISTER", "", Secret::Wrong(number));
    bed.forge(forger.peer, &guess);
}

/// The victim, and what it does itself meanwhile.
fn engage(cast: &mut Cast<'_>, victim: Victim, length: u64) -> Peer {
    let known_peer = !matches!(victim, Victim::Stranger);
    let peer = cast.peer(Expect::Forged { known_peer });
    match victim {
        Victim::Stranger => {}
        Victim::Phone => {
            let mut phone = Phone::new(&mut cast.bed, peer, "1000");
            phone.register(&mut cast.bed, Secret::Right);
            let interval = length / 8;
            cast.actor(every(interval, interval, 9), move |bed| {
                phone.ask_again(bed, "REGISTER", "", Secret::Right);
            });
        }
        Victim::Carrier => {
            let mut pbx = Phone::new(&mut cast.bed, peer, "pbx");
            cast.actor(every(0, MINUTE, 1 + length / MINUTE), move |bed| {
                let request = pbx.request(bed, "OPTIONS", "");
                bed.leave(peer, request.text(&peer).as_bytes());
                bed.arrive(peer, Answer::plain(200).text(&request, &peer).as_bytes());
            });
        }
    }
    peer
}
