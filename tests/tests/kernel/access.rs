//! Access rules in the kernel: the gate, trust, counters, known peers, rule sets that replace each other.

use sip_fw_agent::kernel::{Action, Loaded, now_ns};
use sip_fw_common::abi::{EventKind, PeerKey};
use sip_fw_common::reason::Reason;
use sip_fw_core::rules::{Action as Fate, Rule, RuleSet};

use crate::frames::{Path, UDP4, UDP6};
use crate::rig::{Ask, MINUTE, Reply, Rig, SECOND, source};

const DENIED: (Action, Reason) = (Action::Drop, Reason::Denied);
const TRUSTED: (Action, Reason) = (Action::Pass, Reason::Trusted);
const KEEP_ALIVE: (Action, Reason) = (Action::Pass, Reason::KeepAlive);

fn rule(action: Fate, nets: &[&str]) -> Rule {
    Rule { nets: nets.iter().map(|net| net.parse().unwrap()).collect(), learned: false, to: None, action }
}

fn knock(rig: &mut Rig, path: Path) -> (Action, Reason) {
    rig.arrive(&path.arriving(b"\r\n\r\n"))
}

#[test]
fn the_first_match_decides_for_each_service() {
    let web = Path { tcp: true, local_port: 443, ..UDP4 };
    let mut rig = Rig::new();
    rig.apply_rules(vec![
        Rule { to: Some(vec![1]), ..rule(Fate::Deny, &["192.0.2.0/24"]) },
        rule(Fate::Allow, &["192.0.2.7/32", "2001:db8:7::/64"]),
        rule(Fate::Deny, &["192.0.2.0/24", "2001:db8::/32"]),
    ]);
    assert_eq!(rig.arrive(&web.arriving(b"")), DENIED);
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE);
    assert_eq!(knock(&mut rig, UDP4.from(8)), DENIED);
    assert_eq!(knock(&mut rig, UDP6), KEEP_ALIVE);
    let ssh = Path { tcp: true, local_port: 22, ..UDP4.from(8) };
    assert_eq!(rig.arrive(&ssh.arriving(b"")), (Action::Pass, Reason::NoService), "no service, no gate");
    let matched = rig.run.tables.in_force().unwrap().unwrap().matched().unwrap();
    assert_eq!(matched.iter().map(|line| line.packets).collect::<Vec<_>>(), [0, 1, 2, 1, 0, 0]);
}

#[test]
fn a_default_of_deny_admits_the_listed_alone() {
    let mut rig = Rig::new();
    rig.plan.services[0].default = Fate::Deny;
    rig.apply_rules(vec![rule(Fate::Allow, &["192.0.2.7/32"])]);
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE);
    assert_eq!(knock(&mut rig, UDP4.from(8)), DENIED);
    assert_eq!(knock(&mut rig, UDP6), DENIED);
    rig.plan.settings.observe = 1;
    rig.apply();
    assert_eq!(knock(&mut rig, UDP6), (Action::Pass, Reason::WouldDrop));
}

#[test]
fn trust_comes_before_bans_and_is_not_inspected() {
    let mut rig = Rig::new();
    rig.apply_rules(vec![rule(Fate::Trust, &["192.0.2.7/32"]), rule(Fate::Deny, &["192.0.2.0/24"])]);
    rig.run.tables.put_ban(source(UDP4), &crate::drops::ban(u64::MAX)).unwrap();
    assert_eq!(knock(&mut rig, UDP4), TRUSTED);
    for _ in 0..10 {
        let (asked, _) = rig.exchange(UDP4, Ask::attempt("REGISTER", "n"), Reply::challenge(401, "n"));
        assert_eq!(asked, Reason::Trusted);
    }
    assert_eq!(rig.state(UDP4).attempts, 0);
    rig.plan.settings.scope_host = 1;
    rig.apply();
    let ssh = Path { tcp: true, local_port: 22, ..UDP4 };
    assert_eq!(rig.arrive(&ssh.arriving(b"")), TRUSTED, "trusted at every port");
}

#[test]
fn own_addresses_are_trusted_before_any_rule() {
    let mut rig = Rig::new();
    rig.plan.own = vec!["192.0.2.7".parse().unwrap()];
    rig.apply_rules(vec![rule(Fate::Deny, &["192.0.2.0/24"])]);
    assert_eq!(knock(&mut rig, UDP4), TRUSTED);
    assert_eq!(knock(&mut rig, UDP4.from(8)), DENIED);
}

#[test]
fn known_peers_pass_where_a_line_says_so() {
    let mut rig = Rig::with(|settings| settings.known_peer_ns = MINUTE);
    rig.fetch(UDP4, "n1");
    rig.exchange(UDP4, Ask::attempt("REGISTER", "n1"), Reply::plain(200));
    rig.plan.services[0].default = Fate::Deny;
    rig.apply_rules(vec![Rule { learned: true, ..rule(Fate::Allow, &[]) }]);
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE);
    assert_eq!(knock(&mut rig, UDP4.from(8)), DENIED);
    rig.wait(2 * MINUTE);
    assert_eq!(knock(&mut rig, UDP4), DENIED, "known no longer");
    rig.wait(0);
    rig.plan.rules.insert(0, rule(Fate::Deny, &["192.0.2.7/32"]));
    rig.apply();
    assert_eq!(knock(&mut rig, UDP4), DENIED, "the line before decides");
}

#[test]
fn what_is_not_confirmed_lapses_in_the_kernel() {
    let mut rig = Rig::new();
    rig.apply_rules(vec![rule(Fate::Deny, &["192.0.2.7/32"])]);
    assert_eq!(knock(&mut rig, UDP4), DENIED);
    rig.plan.rules.clear();
    rig.plan.generation += 1;
    let trial = Loaded::load(&RuleSet::compile(&rig.plan).unwrap()).unwrap();
    rig.run.tables.put_in_force_until(&trial, now_ns() + 600 * SECOND).unwrap();
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE);
    rig.live = rig.run.tables.live().unwrap();
    rig.wait(601 * SECOND);
    assert_eq!(knock(&mut rig, UDP4), DENIED, "nobody confirmed");
    rig.live.clock_offset_ns = 0;
    rig.run.tables.write_live(&rig.live).unwrap();
    rig.run.tables.confirm_rule_set().unwrap();
    rig.live = rig.run.tables.live().unwrap();
    rig.wait(601 * SECOND);
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE, "confirmed");
}

#[test]
fn denied_packets_are_sampled() {
    let mut rig = Rig::new();
    rig.apply_rules(vec![rule(Fate::Deny, &["192.0.2.7/32"])]);
    for _ in 0..100 {
        assert_eq!(knock(&mut rig, UDP4), DENIED);
    }
    let events: Vec<_> = rig.events().into_iter().filter(|event| event.kind == EventKind::Denied as u8).collect();
    assert!((1..20).contains(&events.len()), "{}", events.len());
    assert_eq!((events[0].source, events[0].strikes), (source(UDP4), 1));
}

#[test]
fn an_upstream_is_learned_from_the_answer_to_our_request_alone() {
    let mut rig = Rig::with(|settings| settings.known_peer_ns = MINUTE);
    let options = Ask::plain("OPTIONS");
    let key = PeerKey { source: source(UDP4), user: PeerKey::UPSTREAM };
    // An answer to nothing, and the answer of somebody else, teach nothing.
    assert_eq!(
        rig.arrive(&UDP4.arriving(Reply::plain(200).text("OPTIONS", "z9hG4bK-a").as_bytes())).1,
        Reason::ResponseIn
    );
    assert_eq!(rig.leave(&UDP4.leaving(options.text("z9hG4bK-b").as_bytes())), Reason::OutUnjudged);
    rig.arrive(&UDP4.from(8).arriving(Reply::plain(200).text("OPTIONS", "z9hG4bK-b").as_bytes()));
    rig.arrive(&UDP4.arriving(Reply::plain(200).text("OPTIONS", "z9hG4bK-c").as_bytes()));
    assert_eq!(rig.run.tables.peers().unwrap(), []);
    rig.arrive(&UDP4.arriving(Reply::plain(401).text("OPTIONS", "z9hG4bK-b").as_bytes()));
    assert!(rig.run.tables.peer(key).unwrap().is_some());
    assert_eq!(rig.run.tables.peers().unwrap().len(), 2, "the upstream, and the source itself");
    assert_eq!(rig.events().iter().filter(|event| event.kind == EventKind::PeerLearned as u8).count(), 1);
}

#[test]
fn whom_this_host_asks_may_answer_while_it_waits() {
    let mut rig = Rig::new();
    rig.plan.services[0].default = Fate::Deny;
    rig.apply();
    assert_eq!(knock(&mut rig, UDP4), DENIED);
    for (method, seconds) in [("BYE", 32), ("OPTIONS", 32), ("INVITE", 240)] {
        rig.leave(&UDP4.leaving(Ask::plain(method).text("z9hG4bK-a").as_bytes()));
        assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE, "{method}");
        assert_eq!(knock(&mut rig, UDP4.from(8)), DENIED, "{method}");
        rig.wait((seconds - 1) * SECOND);
        assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE, "{method}");
        rig.wait(2 * SECOND);
        assert_eq!(knock(&mut rig, UDP4), DENIED, "{method}");
    }
    rig.leave(&UDP4.leaving(Ask::plain("INVITE").text("z9hG4bK-a").as_bytes()));
    rig.leave(&UDP4.leaving(Ask::plain("OPTIONS").text("z9hG4bK-b").as_bytes()));
    rig.wait(200 * SECOND);
    assert_eq!(knock(&mut rig, UDP4), KEEP_ALIVE, "a short wait does not end a long one");
    rig.wait(60 * SECOND);
    rig.leave(&UDP4.leaving(Ask::plain("ACK").text("z9hG4bK-a").as_bytes()));
    assert_eq!(knock(&mut rig, UDP4), DENIED, "nobody answers an ACK");
}
