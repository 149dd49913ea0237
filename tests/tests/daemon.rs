//! The daemon's life: signals, restarts, a second one beside it, and starts that fail.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_agent::kernel::Tables;
use sip_fw_common::abi::Live;
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Policy, require_agent};

const BANNED: &str = "203.0.113.9";

#[test]
fn sighup_takes_a_good_configuration_and_nothing_of_a_bad_one() {
    let Some((_bed, agent)) = started(&Policy::default()) else { return };
    let threshold = || agent.json(&["status", "--json"]).unwrap()["rules"]["threshold"].as_u64();
    agent.reconfigure("threshold = 5", "threshold = 7").unwrap();
    agent.signal(Signal::SIGHUP);
    agent.wait_for_event("rules-applied", "ban after 7 failures").unwrap();
    assert_eq!(threshold(), Some(7));

    agent.reconfigure("threshold = 7", "threshold = 0\nwat = 1").unwrap();
    agent.signal(Signal::SIGHUP);
    agent.wait_for_event("degraded", "ban.threshold: found 0").unwrap();
    agent.wait_for_event("degraded", "ban.wat: found an unknown key").unwrap();
    assert_eq!(threshold(), Some(7));

    agent.reconfigure("threshold = 0\nwat = 1", "threshold = 7").unwrap();
    agent.reconfigure("[ban]", "[limits]\nbans = 2048\n\n[ban]").unwrap();
    agent.signal(Signal::SIGHUP);
    agent.wait_for_event("degraded", "a change of limits needs a restart").unwrap();
    assert!(agent.is_running());
}

#[test]
fn sigterm_keeps_everything_enforced_and_a_restart_keeps_what_is_known() {
    let Some((bed, mut agent)) = started(&Policy::default()) else { return };
    assert_eq!(agent.call(&["ban", BANNED, "--for", "1h"]).unwrap().code, 0);
    let seed = live(&agent);
    agent.signal(Signal::SIGTERM);
    let end = agent.wait_for_end().unwrap();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("bans and programs stay in force"), "{}", end.stderr);
    assert!(agent.has_xdp(&bed.pbx).unwrap());
    let status = agent.json(&["status", "--json"]).unwrap();
    assert_eq!((&status["agent"]["running"], &status["bans_active"]), (&false.into(), &1.into()));
    assert_eq!(status["services"][0]["listen"], serde_json::json!(["udp/5060", "tcp/5060"]));
    agent.restart().unwrap();
    assert!(agent.has_banned(BANNED).unwrap());
    assert_eq!(live(&agent), seed, "what is live, with the secret of the hashes");
}

#[test]
fn on_exit_detach_leaves_nothing() {
    let Some((bed, mut agent)) = started(&Policy { on_exit: "detach", ..Policy::default() }) else { return };
    assert!(agent.has_xdp(&bed.pbx).unwrap());
    agent.signal(Signal::SIGTERM);
    let end = agent.wait_for_end().unwrap();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("nothing is enforced any more"), "{}", end.stderr);
    agent.wait_until_off(&bed.pbx).unwrap();
    assert!(!agent.pins().exists());
}

#[test]
fn a_second_agent_is_refused() {
    let Some((_bed, agent)) = started(&Policy::default()) else { return };
    let second = agent.call(&["run"]).unwrap();
    assert_eq!(second.code, 1, "{}", second.stderr);
    assert!(second.stderr.contains("another agent (pid "), "{}", second.stderr);
    // The same pins behind another socket.
    agent.reconfigure("control.sock", "other.sock").unwrap();
    let second = agent.call(&["run"]).unwrap();
    assert_eq!(second.code, 1, "{}", second.stderr);
    assert!(second.stderr.contains("uses these pins"), "{}", second.stderr);
    agent.reconfigure("other.sock", "control.sock").unwrap();
    assert!(agent.is_running());
}

#[test]
fn a_bad_configuration_attaches_nothing() {
    let Some((bed, agent)) = prepared(&Policy::default()) else { return };
    agent.reconfigure("mode = \"enforce\"", "mode = \"enforec\"\ncolour = 1").unwrap();
    agent.reconfigure("threshold = 5", "threshold = 0").unwrap();
    let run = agent.call(&["run"]).unwrap();
    assert_eq!(run.code, 2, "{}", run.stderr);
    for fault in ["toml:2: mode: found \"enforec\"", "toml:3: colour: found an unknown key", "ban.threshold: found 0"] {
        assert!(run.stderr.contains(fault), "nothing about {fault}:\n{}", run.stderr);
    }
    agent.wait_until_off(&bed.pbx).unwrap();
    assert!(!agent.pins().exists());
}

#[test]
fn a_failed_first_start_leaves_nothing() {
    let Some((bed, agent)) = prepared(&Policy::default()) else { return };
    let other = occupied(&bed);
    agent.reconfigure("\"]\nmode", "\", \"other0\"]\nmode").unwrap();
    let run = agent.call(&["run"]).unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("other0: another XDP program is attached to it"), "{}", run.stderr);
    agent.wait_until_off(&bed.pbx).unwrap();
    assert!(!agent.pins().exists());
    assert_eq!(other.call(&["detach"]).unwrap().code, 0);

    agent.reconfigure("pbx0\", \"other0", "nope0").unwrap();
    let run = agent.call(&["run"]).unwrap();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("nope0"), "{}", run.stderr);
    assert!(!agent.pins().exists());
}

#[test]
fn a_failed_restart_keeps_what_is_enforced() {
    let Some((bed, mut agent)) = started(&Policy::default()) else { return };
    assert_eq!(agent.call(&["ban", BANNED]).unwrap().code, 0);
    agent.kill9();
    let other = occupied(&bed);
    agent.reconfigure("\"]\nmode", "\", \"other0\"]\nmode").unwrap();
    assert_eq!(agent.call(&["run"]).unwrap().code, 1);
    assert!(agent.has_xdp(&bed.pbx).unwrap());
    assert!(agent.has_banned(BANNED).unwrap());
    assert_eq!(other.call(&["detach"]).unwrap().code, 0);
}

#[test]
fn an_interface_that_left_the_configuration_is_let_go() {
    let Some((bed, mut agent)) = prepared(&Policy::default()) else { return };
    bed.pbx.namespace().ip_batch("link add other0 type veth peer name other1\nlink set other0 up\n").unwrap();
    agent.reconfigure("\"]\nmode", "\", \"other0\"]\nmode").unwrap();
    agent.restart().unwrap();
    let attached = |agent: &Agent| agent.json(&["status", "--json"]).unwrap()["attachments"].as_array().unwrap().len();
    assert_eq!(attached(&agent), 2);
    agent.kill9();
    agent.reconfigure(", \"other0\"", "").unwrap();
    agent.restart().unwrap();
    assert_eq!(attached(&agent), 1);
    agent.wait_for_event("detached", "other0: no longer in the configuration").unwrap();
    assert!(agent.has_xdp(&bed.pbx).unwrap());
}

#[test]
fn an_interface_that_comes_back_is_protected_again() {
    let Some((bed, mut agent)) = prepared(&Policy::default()) else { return };
    let add = "link add other0 type veth peer name other1\nlink set other0 up\n";
    bed.pbx.namespace().ip_batch(add).unwrap();
    agent.reconfigure("\"]\nmode", "\", \"other0\"]\nmode").unwrap();
    agent.restart().unwrap();
    let ingress = |agent: &Agent| {
        let status = agent.json(&["status", "--json"]).unwrap();
        let found = status["attachments"].as_array().unwrap().iter().find(|found| found["interface"] == "other0");
        found.unwrap()["ingress"].as_str().unwrap().to_owned()
    };
    let times = |agent: &Agent, name: &str, reason: &str| {
        let said = |event: &&Value| event["event"] == name && event["reason"].as_str().unwrap().contains(reason);
        agent.events().iter().filter(said).count()
    };
    assert_eq!(ingress(&agent), "native");

    bed.pbx.namespace().ip_batch("link del other0\n").unwrap();
    assert_eq!(ingress(&agent), "none", "status does not wait for a tick");
    agent.wait_for_event("degraded", "other0 went away").unwrap();
    bed.pbx.namespace().ip_batch(add).unwrap();
    wait_for("other0 to be attached again", PATIENCE, || times(&agent, "attached", "other0") == 2).unwrap();
    assert_eq!(ingress(&agent), "native");

    // Between two ticks.
    bed.pbx.namespace().ip_batch(&format!("link del other0\n{add}")).unwrap();
    wait_for("other0 to be attached once more", PATIENCE, || times(&agent, "attached", "other0") == 3).unwrap();
    assert_eq!((times(&agent, "degraded", "other0"), times(&agent, "degraded", "")), (2, 2), "{}", agent.log());
    let mut ip = Command::new("ip");
    ip.args(["-json", "-details", "link", "show", "dev", "other0"]);
    let mut ip = bed.pbx.spawn(ip).unwrap();
    assert!(ip.wait(PATIENCE).unwrap().success() && ip.stdout().contains("\"xdp\""), "{}", ip.stdout());
    assert!(agent.has_xdp(&bed.pbx).unwrap());

    // Whoever takes everything off while it is gone gets nothing back.
    bed.pbx.namespace().ip_batch("link del other0\n").unwrap();
    wait_for("other0 to be missed", PATIENCE, || times(&agent, "degraded", "other0") == 3).unwrap();
    agent.signal(Signal::SIGSTOP);
    assert_eq!(agent.call(&["detach"]).unwrap().code, 0);
    bed.pbx.namespace().ip_batch(add).unwrap();
    agent.signal(Signal::SIGCONT);
    let end = agent.wait_for_end().unwrap();
    assert!(end.code == 6 && end.stderr.contains("nothing is enforced any more"), "{}", end.stderr);
    assert!(!agent.pins().exists());
}

#[test]
fn a_detach_beside_a_stuck_agent_detaches_and_the_agent_says_so() {
    let Some((bed, mut agent)) = started(&Policy::default()) else { return };
    agent.signal(Signal::SIGSTOP);
    let detach = agent.call(&["detach"]).unwrap();
    assert_eq!(detach.code, 0, "{}", detach.stderr);
    agent.wait_until_off(&bed.pbx).unwrap();
    agent.signal(Signal::SIGCONT);
    let end = agent.wait_for_end().unwrap();
    assert_eq!(end.code, 6, "{}", end.stderr);
    assert!(end.stderr.contains("nothing is enforced any more"), "{}", end.stderr);
}

#[test]
fn a_detach_through_the_agent_is_told_to_those_who_follow() {
    let Some((bed, mut agent)) = started(&Policy::default()) else { return };
    let mut follower = agent.spawn(&["events", "--follow", "--since", "1h", "--json"]).unwrap();
    wait_for("the follower", PATIENCE, || follower.stdout().contains("agent-started")).unwrap();
    assert_eq!(agent.call(&["detach"]).unwrap().code, 0);
    assert_eq!(follower.wait(PATIENCE).unwrap().code(), Some(4));
    assert!(follower.stdout().contains("\"detached\""), "{}", follower.stdout());
    assert_eq!(agent.wait_for_end().unwrap().code, 6);
    agent.wait_until_off(&bed.pbx).unwrap();
}

/// What the kernel holds beside the rule set.
fn live(agent: &Agent) -> Live {
    Tables::open(agent.pins()).unwrap().live().unwrap()
}

fn started(policy: &Policy) -> Option<(Bed, Agent)> {
    let (bed, mut agent) = prepared(policy)?;
    agent.restart().unwrap();
    Some((bed, agent))
}

/// Another firewall on an interface other0 of the bed's pbx: an agent with pins of its own, to be detached in the end.
fn occupied(bed: &Bed) -> Agent {
    bed.pbx.namespace().ip_batch("link add other0 type veth peer name other1\nlink set other0 up\n").unwrap();
    let mut other = Agent::prepare(require_agent().unwrap(), bed, &Policy::default()).unwrap();
    other.reconfigure("pbx0", "other0").unwrap();
    other.reconfigure(&format!("{}\"", bed.name), &format!("{}-other\"", bed.name)).unwrap();
    other.restart().unwrap();
    other
}

fn prepared(policy: &Policy) -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, policy).unwrap();
    Some((bed, agent))
}
