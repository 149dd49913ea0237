//! What holds a source back without proof: shuns, message rates, scanner signatures; and what user space is told for it.

use sip_fw_agent::kernel::Action;
use sip_fw_common::abi::{Event, EventKind, Evidence, Rate, Shun, Signature, Signatures};
use sip_fw_common::reason::Reason;
use sip_fw_common::signature::key;

use crate::frames::{Path, TCP4, UDP4, UDP6};
use crate::rig::{Ask, MINUTE, Reply, Rig, SECOND, source};

fn told(rig: &mut Rig, kind: EventKind) -> Vec<Event> {
    rig.events().into_iter().filter(|event| event.kind == kind as u8).collect()
}

#[test]
fn a_shun_closes_sip_services_alone_and_ends_by_itself() {
    for path in [UDP4, TCP4, UDP6] {
        let mut rig = Rig::new();
        let now_ns = rig.now_ns();
        let shun = Shun { until_ns: now_ns + MINUTE, since_ns: now_ns, packets: 0, bytes: 0 };
        rig.run.tables.put_shun(source(path), &shun).unwrap();
        rig.live = rig.run.tables.live().unwrap();
        let frame = path.arriving(b"\r\n\r\n");
        assert_eq!(rig.arrive(&frame), (Action::Drop, Reason::Shunned));
        let counted = rig.run.tables.shun(source(path)).unwrap().unwrap();
        assert_eq!((counted.packets, counted.bytes), (1, frame.len() as u64));
        assert!(!rig.is_dropped(path.from(99)));
        let web = Path { tcp: true, local_port: 443, ..path };
        assert_eq!(rig.arrive(&web.arriving(b"")), (Action::Pass, Reason::Opaque));
        rig.plan.settings.observe = 1;
        rig.apply();
        assert_eq!(rig.arrive(&frame), (Action::Pass, Reason::WouldDrop));
        rig.plan.settings.observe = 0;
        rig.apply();
        rig.wait(2 * MINUTE);
        assert!(!rig.is_dropped(path));
    }
}

fn limited(rig: &mut Rig) {
    let rate = |per_second: u32, burst| Rate { interval_us: 1_000_000 / per_second, burst };
    rig.plan.services[0].rates = [rate(20, 100), rate(200, 1000)];
    rig.plan.settings.known_peer_ns = 60 * MINUTE;
    rig.apply();
    // The clock stands still: what passes at once is the burst.
    rig.live = rig.run.tables.live().unwrap();
    rig.live.fixed_now_ns = rig.now_ns();
    rig.run.tables.write_live(&rig.live).unwrap();
}

fn passing(rig: &mut Rig, path: Path, messages: u32) -> u32 {
    let frame = path.arriving(b"\r\n\r\n");
    (0..messages).filter(|_| rig.arrive(&frame).0 == Action::Pass).count() as u32
}

#[test]
fn a_source_that_sends_too_much_is_cut_to_its_rate() {
    for path in [UDP4, TCP4, UDP6] {
        let mut rig = Rig::new();
        limited(&mut rig);
        assert_eq!(passing(&mut rig, path, 300), 100);
        assert_eq!(rig.arrive(&path.arriving(b"\r\n\r\n")), (Action::Drop, Reason::Flood));
        assert_eq!(told(&mut rig, EventKind::Flood).len(), 1, "told once");
        assert_eq!(passing(&mut rig, path.from(99), 50), 50, "nobody else");
        rig.live.fixed_now_ns += SECOND;
        rig.run.tables.write_live(&rig.live).unwrap();
        assert_eq!(passing(&mut rig, path, 300), 20);
        if path.tcp {
            assert_eq!(passing_empty(&mut rig, path), 50, "segments without payload are no messages");
        }
    }
}

fn passing_empty(rig: &mut Rig, path: Path) -> u32 {
    let frame = path.arriving(b"");
    (0..50).filter(|_| rig.arrive(&frame).0 == Action::Pass).count() as u32
}

#[test]
fn a_known_peer_may_send_more() {
    let mut rig = Rig::new();
    limited(&mut rig);
    rig.fetch(UDP4, "n1");
    rig.exchange(UDP4, Ask::attempt("REGISTER", "n1"), Reply::plain(200));
    assert_eq!(passing(&mut rig, UDP4, 3000), 98 + 1000);
}

#[test]
fn a_million_sources_cost_nobody_his_place() {
    let mut rig = Rig::new();
    limited(&mut rig);
    rig.fetch(UDP4, "n1");
    rig.exchange(UDP4, Ask::attempt("REGISTER", "n1"), Reply::plain(200));
    rig.run.tables.put_ban(source(UDP4.from(66)), &crate::drops::ban(u64::MAX)).unwrap();
    let banned = UDP4.from(66).arriving(b"x");
    let drop_ns = |rig: &Rig| {
        let mut times: Vec<_> = (0..15).map(|_| rig.run.time_ingress(&banned, 20_000).unwrap().as_nanos()).collect();
        times.sort_unstable();
        times[7]
    };
    let before = drop_ns(&rig);
    let mut frame = UDP6.arriving(b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\n\r\n");
    for number in 0..1_000_000_u32 {
        // The source address of IPv6, behind 14 bytes of Ethernet and 8 of its own header.
        frame[22 + 2..22 + 6].copy_from_slice(&number.to_be_bytes());
        assert_eq!(rig.run.ingress(&frame).unwrap(), Action::Pass);
    }
    assert!(rig.run.tables.ban(source(UDP4.from(66))).unwrap().is_some());
    let after = drop_ns(&rig);
    assert!(after < 3 * before.max(50), "a drop took {before} ns before, and {after} ns after");
    let known = rig.run.tables.peers().unwrap();
    assert!(known.iter().any(|(key, _)| key.source == source(UDP4)));
}

#[test]
fn a_scanners_signature_drops_the_message() {
    let mut rig = Rig::new();
    let signature = |text: &str, whole| Signature::new(text.as_bytes(), whole).unwrap();
    let mut table = std::collections::BTreeMap::new();
    for signature in [signature("friendly-scanner", false), signature("smap", true), signature("\"sipvicious\"", false)]
    {
        let mut alike = Signatures::NONE;
        alike.list[0] = signature;
        table.insert(key(&signature.words), alike);
    }
    rig.run.tables.set_signatures(&table).unwrap();
    rig.live = rig.run.tables.live().unwrap();
    let message = |agent: &str, from: &str| {
        format!(
            "REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK-{agent}{}\r\nFrom: {from}\r\nTo: <sip:1@pbx>\r\n\
             User-Agent: {agent}\r\nContent-Length: 0\r\n\r\n",
            from.len()
        )
    };
    let good = "<sip:1@pbx>;tag=a";
    for (agent, from, expected) in [
        ("friendly-scanner", good, Reason::Scanner),
        ("Friendly-Scanner/2", good, Reason::Scanner),
        ("smap", good, Reason::Scanner),
        ("smap 1", good, Reason::Request),
        ("Yealink", "\"sipvicious\"<sip:100@1.1.1.1>;tag=b", Reason::Scanner),
        ("Yealink", good, Reason::Request),
        ("friendly", good, Reason::Request),
    ] {
        let (action, reason) = rig.arrive(&UDP4.arriving(message(agent, from).as_bytes()));
        assert_eq!(reason, expected, "{agent} {from}");
        assert_eq!(action == Action::Drop, expected == Reason::Scanner);
    }
    let events = told(&mut rig, EventKind::Scanner);
    assert_eq!(events[0].user_agent.as_bytes(), b"friendly-scanner");
    rig.plan.settings.observe = 1;
    rig.apply();
    assert_eq!(rig.arrive(&UDP6.arriving(message("smap", good).as_bytes())), (Action::Pass, Reason::Request));
    assert_eq!(told(&mut rig, EventKind::Scanner).len(), 1);
}

#[test]
fn refused_requests_without_credentials_are_told_with_the_user_they_ask_for() {
    let mut rig = Rig::with(|settings| settings.known_peer_ns = MINUTE);
    for (method, status, user) in [
        ("REGISTER", 401, "1000"),
        ("INVITE", 407, "9011442039967796"),
        ("INVITE", 404, "9011442039967796"),
        ("SUBSCRIBE", 403, "9011442039967796"),
    ] {
        let branch = rig.branch();
        let asked = Ask::plain(method).text(&branch).replace("sip:pbx SIP", "sip:9011442039967796@pbx SIP");
        rig.arrive(&UDP4.arriving(asked.as_bytes()));
        let reply =
            if status < 403 || status == 407 { Reply::challenge(status, "fresh") } else { Reply::plain(status) };
        rig.leave(&UDP4.leaving(reply.text(method, &branch).as_bytes()));
        let events = told(&mut rig, EventKind::Refused);
        assert_eq!(events.len(), 1, "{method} {status}");
        assert_eq!((events[0].user.as_bytes(), events[0].evidence), (user.as_bytes(), Evidence::Unproven as u8));
    }
    for (method, status, expected) in [("INVITE", 200, 1), ("OPTIONS", 200, 0), ("INVITE", 486, 0)] {
        rig.exchange(UDP4, Ask::plain(method), Reply::plain(status));
        let events = rig.events();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Accepted as u8).count(), expected);
        assert_eq!(events.len(), expected, "{method} {status}");
    }
    rig.exchange(TCP4, Ask::plain("REGISTER"), Reply::challenge(401, "n"));
    assert_eq!(told(&mut rig, EventKind::Refused)[0].evidence, Evidence::Proven as u8);
    // Of known peers nothing is told.
    rig.fetch(UDP4, "n1");
    rig.exchange(UDP4, Ask::attempt("REGISTER", "n1"), Reply::plain(200));
    rig.events();
    rig.exchange(UDP4, Ask::plain("INVITE"), Reply::plain(404));
    assert_eq!(rig.events(), []);
}

#[test]
fn over_tcp_an_answer_to_what_could_not_be_read_is_told() {
    let mut rig = Rig::new();
    assert_eq!(rig.arrive(&TCP4.arriving(b"ontent-Length: 0\r\n\r\nREGISTER sip:pbx SIP/2.0\r\n")).1, Reason::Unparsed);
    for (status, kind) in [(401, EventKind::Refused), (403, EventKind::Refused), (200, EventKind::Accepted)] {
        assert_eq!(
            rig.leave(&TCP4.leaving(Reply::plain(status).text("REGISTER", "b").as_bytes())),
            Reason::OutUnmatched
        );
        let events = told(&mut rig, kind);
        assert_eq!((events.len(), events[0].evidence), (1, Evidence::Proven as u8));
    }
    rig.leave(&UDP4.leaving(Reply::plain(401).text("REGISTER", "b").as_bytes()));
    assert_eq!(rig.events(), [], "over UDP it may be the answer to a forged request");
}

#[test]
fn an_upstream_is_learned_over_tcp_from_any_port_of_this_host() {
    let called = Path { local_port: 45_000, peer_port: 5060, ..TCP4 };
    an_upstream_is_learned(
        &mut Rig::with(|settings| (settings.known_peer_ns, settings.scope_host) = (MINUTE, 1)),
        called,
    );
    an_upstream_is_learned(&mut Rig::with(|settings| settings.known_peer_ns = MINUTE), called);
}

fn an_upstream_is_learned(rig: &mut Rig, called: Path) {
    let register = Ask::plain("REGISTER");
    assert_eq!(rig.leave(&called.leaving(register.text("z9hG4bK-1").as_bytes())), Reason::OutUnjudged);
    let answer = Reply::challenge(401, "n").text("REGISTER", "z9hG4bK-1");
    assert_eq!(rig.arrive(&called.arriving(answer.as_bytes())).1, Reason::NoService);
    assert_eq!(told(rig, EventKind::PeerLearned).len(), 1);
    // What is no answer to this host's request teaches nothing, and is not judged.
    let other = called.from(8);
    rig.arrive(&other.arriving(answer.as_bytes()));
    rig.arrive(&other.arriving(register.text("z9hG4bK-2").as_bytes()));
    assert_eq!(rig.leave(&other.leaving(answer.as_bytes())), Reason::OutUnjudged);
    assert_eq!(rig.events(), []);
}
