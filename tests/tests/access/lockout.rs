//! A change that would cut off who works here now is refused, unless it is forced or undoes itself.

use std::time::Duration;

use nix::sys::signal::Signal;
use sip_fw_e2e::actors::{Registration, Session};
use sip_fw_e2e::agent::Outcome;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{Dns, Echo};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Family, Policy, over_both_families};

use crate::stage::{Fate, Stage, access, opaque, policy, port};

const SSH: u16 = 22;

/// How long a session may be silent: three repetitions of TCP and more.
const SILENCE: Duration = Duration::from_secs(3);

over_both_families!(
    a_live_session_is_not_cut,
    a_live_session_can_be_cut_by_a_default,
    a_cut_session_comes_back_when_nobody_confirms,
    a_phone_that_registered_lately_is_not_cut,
    the_way_out_is_not_cut,
);

fn a_live_session_is_not_cut(family: Family) {
    let Some(stage) = with_ssh() else { return };
    let bed = &stage.scene.bed;
    let _sshd = Echo::start(&bed.pbx, SSH).unwrap();
    let mut session = Session::open(&bed.office, bed.office.nth(family, 9), port(bed, family, SSH)).unwrap();
    assert!(session.carries(PATIENCE));
    let generation = stage.generation();
    let agent = &stage.scene.agent;
    agent.configure(&ssh_policy(access("cut-office", &[&family.net(1)], "ssh", "deny"))).unwrap();

    let refused = agent.apply(&[]).unwrap();
    assert_refused(&refused, &[&bed.office.nth(family, 9).to_string(), "cut-office"]);
    agent.signal(Signal::SIGHUP);
    agent.wait_for_event("degraded", "not applied").unwrap();
    agent.wait_for_event("degraded", "cut-office").unwrap();
    assert!(session.carries(PATIENCE));
    assert_eq!(stage.generation(), generation);

    let forced = agent.apply(&["--force"]).unwrap();
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert!(!session.carries(SILENCE), "a line denies the office");
    assert!(stage.generation() > generation);
    // The phones of the office are another service.
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
}

fn a_live_session_can_be_cut_by_a_default(family: Family) {
    let Some(stage) = with_ssh() else { return };
    let bed = &stage.scene.bed;
    let _sshd = Echo::start(&bed.pbx, SSH).unwrap();
    let mut session = Session::open(&bed.office, bed.office.address(family), port(bed, family, SSH)).unwrap();
    let agent = &stage.scene.agent;
    let closed = |lines: String| policy("allow", opaque("ssh", "tcp/22", "deny") + &lines);
    agent.configure(&closed(access("elsewhere", &[&family.net(4)], "ssh", "allow"))).unwrap();
    assert_refused(&agent.apply(&[]).unwrap(), &[&bed.office.address(family).to_string(), "others"]);
    assert!(session.carries(PATIENCE));
    // With the office on the list there is nothing to fear.
    agent.configure(&closed(access("office", &[&family.net(1)], "ssh", "allow"))).unwrap();
    let outcome = agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(session.carries(PATIENCE));
    assert!(Session::open(&bed.attacker, bed.attacker.address(family), port(bed, family, SSH)).is_err());
}

fn a_cut_session_comes_back_when_nobody_confirms(family: Family) {
    let Some(stage) = with_ssh() else { return };
    let bed = &stage.scene.bed;
    let _sshd = Echo::start(&bed.pbx, SSH).unwrap();
    let mut session = Session::open(&bed.office, bed.office.address(family), port(bed, family, SSH)).unwrap();
    stage.scene.agent.configure(&ssh_policy(access("cut-office", &[&family.net(1)], "ssh", "deny"))).unwrap();
    let outcome = stage.scene.agent.apply(&["--confirm-within", "6s"]).unwrap();
    assert_eq!(outcome.code, 0, "undone by itself, so not refused: {}", outcome.stderr);
    assert!(!session.carries(Duration::from_secs(1)));
    // What was written meanwhile comes late, and TCP waits longer from time to time.
    assert!(session.carries(4 * PATIENCE));
}

fn a_phone_that_registered_lately_is_not_cut(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let (bed, agent) = (&stage.scene.bed, &stage.scene.agent);
    assert_eq!(stage.register(&bed.office, family), Registration::Done);
    let office = source_name(bed.office.address(family));
    wait_for("the phone among the peers", PATIENCE, || agent.peers().unwrap().iter().any(|peer| peer.source == office))
        .unwrap();
    for (closed, line) in [
        (policy("allow", access("cut-office", &[&family.net(1)], "sip", "deny")), "cut-office"),
        (policy("deny", access("carrier", &[&family.net(4)], "sip", "allow")), "others"),
    ] {
        agent.configure(&closed).unwrap();
        assert_refused(&agent.apply(&[]).unwrap(), &[office.trim_end_matches("/64"), "1001", line]);
        assert_eq!(stage.register(&bed.office, family), Registration::Done);
    }
    let forced = agent.apply(&["--force"]).unwrap();
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Dropped);
}

fn the_way_out_is_not_cut(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let (bed, agent) = (&stage.scene.bed, &stage.scene.agent);
    let gateway = bed.carrier.address(family);
    let everywhere = if family == Family::V4 { "0.0.0.0/0" } else { "::/0" };
    let route = format!("route add {everywhere} via {gateway} dev {} onlink\n", bed.pbx.interface());
    bed.pbx.namespace().ip_batch(&route).unwrap();
    let dns = format!("dns_servers = [\"{}\"]\n", Dns::address(&bed.spoofer, family));
    for (network, who) in [(4, gateway), (3, bed.spoofer.address(family))] {
        let lines = access("too-much", &[&family.net(network)], "", "deny");
        agent.configure(&Policy { top: dns.clone(), ..policy("allow", lines) }).unwrap();
        assert_refused(&agent.apply(&[]).unwrap(), &[&who.to_string(), "too-much"]);
        assert_eq!(stage.fate_of(&bed.carrier, family), Fate::Passes);
    }
    // A default that closes a service does not close the way out.
    agent.configure(&Policy { top: dns, ..policy("deny", String::new()) }).unwrap();
    let outcome = agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.fate_of(&bed.carrier, family), Fate::Dropped);
}

fn with_ssh() -> Option<Stage> {
    Stage::set(&ssh_policy(String::new()))
}

fn ssh_policy(lines: String) -> Policy {
    policy("allow", opaque("ssh", "tcp/22", "allow") + &lines)
}

#[track_caller]
fn assert_refused(outcome: &Outcome, named: &[&str]) {
    assert_eq!(outcome.code, 5, "{outcome:?}");
    for word in named {
        assert!(outcome.stderr.contains(word), "nothing about {word}: {}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("--force"), "no way out is told: {}", outcome.stderr);
}
