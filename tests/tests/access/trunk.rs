//! Known peers as they are learned from the wire: trunks that answer us, phones that prove their password, and nobody else.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use sip_fw_e2e::actors::{Client, Registration, Spoofer};
use sip_fw_e2e::agent::{Agent, PeerRow};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::{Request, Transport};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

use crate::stage::{Fate, Stage, access, policy};

/// An answer within the bed takes less than a millisecond.
const ANSWER: Duration = Duration::from_secs(3);

over_both_families!(
    a_trunk_that_answers_is_learned_and_let_in,
    a_trunk_is_learned_behind_a_closed_door,
    forged_answers_teach_nothing,
    phones_that_registered_are_let_in,
);

fn a_trunk_that_answers_is_learned_and_let_in(family: Family) {
    let Some(scene) = protected(&policy("allow", learned())) else { return };
    for method in ["REGISTER", "OPTIONS"] {
        assert!(ask_carrier(&scene.bed, family, method), "{method}");
    }
    let carrier = wait_for_peer(&scene, &source_name(scene.bed.carrier.address(family)));
    assert_eq!((carrier.kind.as_str(), carrier.user.as_deref()), ("upstream", None), "{carrier:?}");
    assert_eq!((carrier.transport.as_str(), carrier.service.as_str()), ("udp", "sip"), "{carrier:?}");
    assert!(carrier.learned.starts_with("answered our "), "{carrier:?}");
    assert_eq!(scene.agent.peers().unwrap().len(), 1);
    scene.agent.wait_for_event("peer-learned", "answered our ").unwrap();

    // Now the door is closed to all that are not known.
    scene.agent.configure(&policy("deny", learned())).unwrap();
    let outcome = scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_only_the_carrier_calls(scene, family);
}

fn a_trunk_is_learned_behind_a_closed_door(family: Family) {
    let Some(scene) = protected(&policy("deny", learned())) else { return };
    assert!(ask_carrier(&scene.bed, family, "OPTIONS"), "the answer to our own request gets in");
    wait_for_peer(&scene, &source_name(scene.bed.carrier.address(family)));
    assert_only_the_carrier_calls(scene, family);
}

fn forged_answers_teach_nothing(family: Family) {
    let Some(scene) = protected(&policy("allow", learned())) else { return };
    let bed = &scene.bed;
    let _mute = bed.carrier.namespace().open(|| UdpSocket::bind(bed.carrier.sip(family))).unwrap();
    let mut trunk = Client::open(&bed.pbx, bed.pbx.sip(family), bed.carrier.sip(family), Transport::Udp).unwrap();
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    for method in ["REGISTER", "OPTIONS", "INVITE"] {
        // The carrier says nothing: our request stays open, and somebody else knows its branch.
        let request = trunk.request(method, "1001");
        trunk.send(&request.bytes());
        for liar in [bed.spoofer.sip(family), bed.attacker.sip(family), SocketAddr::new(family.world(1), 5060)] {
            spoofer.send(liar, &answer_to(&request, &request.branch)).unwrap();
        }
        // In the carrier's name, but on a branch that was never ours.
        for n in 0..20 {
            spoofer.send(bed.carrier.sip(family), &answer_to(&request, &format!("z9hG4bKguess{n}"))).unwrap();
        }
    }
    drop(trunk);
    // What comes later is learned, so all of that has been looked at.
    let other = bed.office.sip(family);
    let _upstream = Registrar::start(&bed.office, Settings::standard()).unwrap();
    let mut honest = Client::open(&bed.pbx, bed.pbx.sip(family), other, Transport::Udp).unwrap();
    let request = honest.request("OPTIONS", "1001");
    assert_eq!(honest.transact(&request, ANSWER).unwrap().status(), Some(200));
    wait_for_peer(&scene, &source_name(other.ip()));
    assert_eq!(scene.agent.peers().unwrap().len(), 1, "{:#?}", scene.agent.peers());
}

fn phones_that_registered_are_let_in(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", learned())) else { return };
    let (scene, bed) = (&stage.scene, &stage.scene.bed);
    assert_eq!(stage.register(&bed.office, family), Registration::Done);
    // Whoever is only challenged, or refused, is not known.
    let mut stranger =
        Client::dial(&bed.attacker, bed.attacker.address(family), bed.pbx.sip(family), Transport::Udp).unwrap();
    let first = stranger.request("REGISTER", "1001");
    let challenge = stranger.transact(&first, ANSWER).unwrap().challenge().unwrap();
    let mut second = first.next();
    second.extra = vec![challenge.answer("1001", "wrong", "REGISTER", &second.uri)];
    assert_eq!(stranger.transact(&second, ANSWER).unwrap().status(), Some(401));
    let phone = wait_for_peer(scene, &source_name(bed.office.address(family)));
    assert_eq!((phone.kind.as_str(), phone.user.as_deref()), ("user", Some("1001")), "{phone:?}");
    assert_eq!(phone.learned, "authenticated with proof");
    assert_eq!(scene.agent.peers().unwrap().len(), 1);

    scene.agent.configure(&policy("deny", learned())).unwrap();
    let outcome = scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.register(&bed.office, family), Registration::Done);
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Dropped);
}

fn learned() -> String {
    access("known", &["learned"], "sip", "allow")
}

/// Without a registrar: the pbx's SIP port is the trunk's.
fn protected(policy: &Policy) -> Option<Scene> {
    Some(Scene::protect(require_agent()?, Bed::new().unwrap(), policy).unwrap())
}

/// A request of the pbx from its SIP port to the carrier's; true if an answer came.
fn ask_carrier(bed: &Bed, family: Family, method: &str) -> bool {
    let _carrier = Registrar::start(&bed.carrier, Settings::standard()).unwrap();
    let mut trunk = Client::open(&bed.pbx, bed.pbx.sip(family), bed.carrier.sip(family), Transport::Udp).unwrap();
    let request = trunk.request(method, "1001");
    trunk.transact(&request, ANSWER).is_some()
}

/// With the registrar in the trunk's place: calls of the carrier reach it, those of others do not.
fn assert_only_the_carrier_calls(scene: Scene, family: Family) {
    let registrar = Registrar::start(&scene.bed.pbx, Settings::standard()).unwrap();
    let stage = Stage { scene, registrar };
    let bed = &stage.scene.bed;
    let mut carrier =
        Client::dial(&bed.carrier, bed.carrier.address(family), bed.pbx.sip(family), Transport::Udp).unwrap();
    let invite = carrier.request("INVITE", "0049301234");
    assert_eq!(carrier.transact(&invite, ANSWER).map(|answer| answer.status()), Some(Some(407)));
    let mut stranger =
        Client::dial(&bed.attacker, bed.attacker.address(family), bed.pbx.sip(family), Transport::Udp).unwrap();
    let invite = stranger.request("INVITE", "0049301234");
    assert!(stranger.transact(&invite, Duration::from_secs(1)).is_none());
    assert_eq!(stage.scene.counted(bed.attacker.address(family)).requests, 0);
    assert!(stage.scene.sent_by(bed.attacker.address(family)) >= 1);
    assert_eq!(stage.fate_of(&bed.carrier, family), Fate::Passes);
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Dropped);
}

fn answer_to(request: &Request, branch: &str) -> Vec<u8> {
    let Request { method, call_id, cseq, .. } = request;
    format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP pbx.test;branch={branch}\r\nFrom: <sip:1001@pbx.test>;tag=a\r\n\
         To: <sip:1001@pbx.test>;tag=b\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[track_caller]
fn wait_for_peer(scene: &Scene, source: &str) -> PeerRow {
    let find = |agent: &Agent| agent.peers().unwrap().into_iter().find(|peer| peer.source == source);
    let found = wait_for("a known peer", PATIENCE, || find(&scene.agent).is_some());
    assert!(found.is_ok(), "{source} is not among {:#?}", scene.agent.peers());
    find(&scene.agent).unwrap()
}
