//! Services that are closed to all but those on a list: nobody else gets even an answer to a SYN.

use std::io::ErrorKind;
use std::net::SocketAddr;

use sip_fw_e2e::actors::{Client, Registration, Session};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::Echo;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::wire::{Direction, Opening, Tally};
use sip_fw_e2e::{Family, over_both_families};

use crate::stage::{Fate, Stage, access, opaque, policy, port};

const WEB: u16 = 443;

over_both_families!(only_the_office_gets_in, a_line_for_one_service_opens_no_other);

fn only_the_office_gets_in(family: Family) {
    let extra = opaque("web", "tcp/443", "deny") + &access("office", &[&family.net(1)], "", "allow");
    let Some(stage) = Stage::set(&policy("deny", extra)) else { return };
    let bed = &stage.scene.bed;
    let web = Echo::start(&bed.pbx, WEB).unwrap();
    let (office, attacker) = (bed.office.address(family), bed.attacker.address(family));

    let refused = Session::open(&bed.attacker, attacker, port(bed, family, WEB)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut, "{refused}");
    assert!(Client::dial(&bed.attacker, attacker, bed.pbx.sip(family), Transport::Tcp).is_err());
    assert_eq!(stage.register(&bed.attacker, family), Registration::Lost);

    let mut session = Session::open(&bed.office, bed.office.nth(family, 9), port(bed, family, WEB)).unwrap();
    assert!(session.carries(PATIENCE));
    assert_eq!(stage.register(&bed.office, family), Registration::Done);
    assert!(Client::dial(&bed.office, office, bed.pbx.sip(family), Transport::Tcp).is_ok());

    let openings = stage.scene.cable.openings().unwrap();
    let knocks = |to: u16| {
        let asked = |seen: &&Opening| seen.direction == Direction::Out && seen.source.ip() == attacker;
        openings.iter().filter(asked).filter(|seen| seen.destination.port() == to).count() as u64
    };
    assert!(knocks(WEB) >= 1 && knocks(5060) >= 1, "{openings:?}");
    let answered = |to| openings.iter().filter(|seen| seen.accepted && seen.destination.ip() == to).count();
    assert_eq!((answered(attacker), answered(bed.office.nth(family, 9)), answered(office)), (0, 1, 1), "{openings:?}");
    assert_eq!(web.accepted(), 1);
    assert_eq!(stage.scene.counted(attacker), Tally::default());
    assert_eq!(stage.registrar.counts().get(&attacker), None);

    stage.wait_for_count("others", "web", knocks(WEB));
    let messages = stage.scene.sent_by(attacker);
    assert!(messages > 1, "the phone repeats what is not answered");
    stage.wait_for_count("others", "sip", messages + knocks(5060));
    let allowed = stage.rule("office", "sip");
    assert!(allowed.packets >= 2 && allowed.bytes > 500 && allowed.last_match.is_some(), "{allowed:?}");
    let status = stage.scene.agent.json(&["status", "--json"]).unwrap();
    let denied = knocks(WEB) + messages + knocks(5060);
    assert_eq!(status["counters"]["denied"]["packets"], denied, "{status:#}");
    stage.scene.agent.wait_for_event("denied", "others").unwrap();
    let events = stage.scene.agent.events();
    let named = events.iter().filter(|event| event["event"] == "denied");
    assert!(named.clone().all(|event| event["source"] == source_name(attacker)), "{events:#?}");
    assert!(named.count() as u64 <= denied, "sampled");
    stage.scene.assert_nobody_banned();
}

fn a_line_for_one_service_opens_no_other(family: Family) {
    let extra = opaque("web", "tcp/443", "deny") + &access("phones", &[&family.net(1)], "sip", "allow");
    let Some(stage) = Stage::set(&policy("deny", extra)) else { return };
    let bed = &stage.scene.bed;
    let web = Echo::start(&bed.pbx, WEB).unwrap();
    // A port of no service is nobody's business.
    let other = Echo::start(&bed.pbx, 8443).unwrap();
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
    assert!(Session::open(&bed.office, bed.office.address(family), port(bed, family, WEB)).is_err());
    for host in [&bed.office, &bed.attacker] {
        let mut session = Session::open(host, host.address(family), port(bed, family, 8443)).unwrap();
        assert!(session.carries(PATIENCE));
    }
    assert_eq!((web.accepted(), other.accepted()), (0, 2));
    // What the pbx itself asks for comes back, though nobody out there is on the list.
    let elsewhere = Echo::start(&bed.carrier, 9000).unwrap();
    let to = SocketAddr::new(bed.carrier.address(family), 9000);
    assert!(Session::open(&bed.pbx, bed.pbx.address(family), to).unwrap().carries(PATIENCE));
    assert_eq!(elsewhere.accepted(), 1);
}
