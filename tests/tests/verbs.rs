//! Every verb with an agent and on the pins alone: what it says and how it ends.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Policy, require, require_agent};

#[test]
fn with_an_agent() {
    let Some((_bed, agent)) = started() else { return };
    every_verb(&agent);
    let mut follower = agent.spawn(&["events", "--follow", "--json"]).unwrap();
    // A follower without --since gets nothing of the past: ban until it is there.
    wait_for("the follower to see a ban", PATIENCE, || {
        assert_eq!(agent.call(&["ban", "192.0.2.77", "--reason", "because"]).unwrap().code, 0);
        follower.stdout().contains("by operator: because")
    })
    .unwrap();
    follower.kill9();
    assert_eq!(agent.call(&["events", "--since", "1h"]).unwrap().code, 0);
}

#[test]
fn on_the_pins_alone() {
    let Some((_bed, mut agent)) = started() else { return };
    if !require("sqlite3") {
        return;
    }
    let started = "SELECT count(*) FROM events WHERE event = 'agent-started'";
    wait_for("the first event to be on disk", PATIENCE, || agent.ask_store(started).is_ok_and(|n| n == "1")).unwrap();
    agent.kill9();
    every_verb(&agent);
    let events = agent.call(&["events"]).unwrap();
    assert!(events.code == 0 && events.stdout.contains("agent-started"), "{}{}", events.stdout, events.stderr);
    assert_eq!(agent.call(&["events", "--follow"]).unwrap().code, 4);
}

#[test]
fn on_nothing() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    for line in
        ["status", "bans", "sources", "events", "ban 203.0.113.9", "unban --all", "explain 203.0.113.9", "detach"]
    {
        let outcome = agent.call(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (4, ""), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.starts_with("sip-fw: no agent answers at "), "{line}: {}", outcome.stderr);
    }
    assert_eq!(agent.call(&["check"]).unwrap().code, 0);
    assert_eq!(agent.call(&["check", "/nonexistent"]).unwrap().code, 2);
}

fn every_verb(agent: &Agent) {
    let own = "10.98.0.1";
    for (line, code, said) in [
        ("bans", 0, "no bans"),
        ("sources", 0, "no sources"),
        ("unban 203.0.113.9", 3, "203.0.113.9 is not banned"),
        ("unban --all", 3, "nothing is banned"),
        ("explain 203.0.113.9", 3, "unknown"),
        ("explain 203.0.113.0/24", 2, "one address"),
        ("ban 203.0.113.9 --for 1h", 0, "203.0.113.9 is banned for 1h, until "),
        ("ban 203.0.113.9", 0, "203.0.113.9 is banned for 1h (level 1), until "),
        ("ban 198.51.100.0/24 --permanent", 0, "198.51.100.0/24 is banned until it is lifted"),
        ("ban 2001:db8::7", 0, "2001:db8::/64 is banned for 1m (level 1)"),
        ("ban 2001:db8::7/128", 2, "use 2001:db8::/64"),
        ("ban 127.0.0.1", 5, "loopback"),
        ("ban 0.0.0.0/0", 5, "wider than /8"),
        ("ban ff02::1", 5, "multicast"),
        ("bans", 0, "198.51.100.0/24  until lifted"),
        ("explain 198.51.100.7", 0, "banned until lifted"),
        ("explain 203.0.113.9", 0, "to a service: dropped; to any other port: passed"),
        ("explain 203.0.113.9 --service sip", 0, "packets   to sip (udp/5060, tcp/5060): dropped\n"),
        ("explain 203.0.113.9 --service pis", 2, "there is no service \"pis\"; there is: sip"),
        ("unban 198.51.100.7", 3, "but 198.51.100.0/24 is: sip-fw unban 198.51.100.0/24"),
        ("unban 203.0.113.9", 0, "203.0.113.9 is free"),
        ("explain 203.0.113.9", 0, "not banned, but it was"),
        ("bans --ended", 0, "ended"),
        ("status", 0, "inspected  sip: udp/5060, tcp/5060"),
        ("status", 0, "not read"),
        ("status", 0, "none lost"),
        ("check", 0, "valid"),
        ("unban --all", 0, "2001:db8::/64 is free"),
        ("ban --for 1h", 2, "required"),
        ("wat", 2, "unrecognized"),
    ] {
        let outcome = agent.call(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.code, code, "{line}: {text}");
        assert!(text.contains(said), "{line}: expected {said:?} in: {text}");
    }
    let refused = agent.call(&["ban", own]).unwrap();
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    for line in [["status", "--json"], ["bans", "--json"], ["sources", "--json"], ["check", "--json"]] {
        assert_eq!(agent.json(&line).unwrap()["schema"], 1, "{line:?}");
    }
}

fn started() -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let agent = Agent::start(binary, &bed, &Policy::default()).unwrap();
    Some((bed, agent))
}
