//! What the agent says of a crowd: events that found no room, messages of the kernel programs, the climb of the ladder.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sip_fw_e2e::actors::{Client, Guess, Guesser, NonceHabit};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, require_agent};

/// More events than the ring buffer of 1 MiB holds.
const CROWD: u32 = 10_000;

#[test]
fn lost_events_are_counted_and_told() {
    let unlimited = Policy { sip: "rate = 0\n".to_owned(), ..Policy::default() };
    let Some((bed, _registrar, agent)) = protected(&unlimited) else { return };
    let mut client =
        Client::dial(&bed.attacker, bed.attacker.address(Family::V4), bed.pbx.sip(Family::V4), Transport::Udp).unwrap();
    agent.signal(Signal::SIGSTOP);
    let mut request = client.request("REGISTER", "1000");
    for _ in 0..CROWD {
        request = request.next();
        request.extra = vec![
            "Authorization: Digest username=\"1000\", realm=\"pbx.test\", nonce=\"never-handed-out\", \
             uri=\"sip:pbx.test\", response=\"00000000000000000000000000000000\""
                .to_owned(),
        ];
        client.send(&request.bytes());
        assert!(client.receive(Instant::now() + Duration::from_secs(2)).is_some(), "unproven failures ban nobody");
    }
    agent.signal(Signal::SIGCONT);
    agent.wait_for_event("degraded", "events lost").unwrap();
    let status = agent.json(&["status", "--json"]).unwrap();
    let lost = status["agent"]["events_lost"].as_u64().unwrap();
    assert!(lost > 0 && lost < u64::from(CROWD), "{status}");
    assert_eq!(status["counters"]["failure-unproven"]["packets"], CROWD);
    assert!(agent.call(&["status"]).unwrap().stdout.contains(&format!("{lost} LOST")));
    agent.wait_for_event("auth-failure", "more unproven failures").unwrap();
}

#[test]
fn the_ladder_climbs_after_a_ban_that_ended() {
    let policy = Policy { ladder: vec!["1s", "10m"], ..Policy::default() };
    let Some((bed, _registrar, agent)) = protected(&policy) else { return };
    let source = bed.attacker.address(Family::V4).to_string();
    let explain = || agent.json(&["explain", &source, "--json"]).unwrap();
    let mut guesser = guesser(&bed);
    assert_eq!(guesser.guess_all(["a", "b", "c", "d", "e"]).0, 5);
    wait_for("the ban", PATIENCE, || explain()["ban"]["level"] == 1).unwrap();
    wait_for("the end of the ban", PATIENCE, || explain()["ban"]["state"] == "ended").unwrap();
    agent.wait_for_event("expire", "the ban is over").unwrap();
    assert_eq!((&explain()["strikes"]["count"], &explain()["next_ban"]["level"]), (&0.into(), &2.into()));
    assert_eq!(guesser.guess_all(["f", "g", "h", "i", "j", "k"]), (5, Guess::Silence));
    assert_eq!((&explain()["ban"]["level"], &explain()["ban"]["state"]), (&2.into(), &"active".into()));
    assert_eq!(explain()["now"]["service"], "drop");
}

#[test]
fn messages_of_the_kernel_programs() {
    let policy = Policy { arguments: vec!["--kernel-log", "debug"], ..Policy::default() };
    let Some((bed, _registrar, agent)) = protected(&policy) else { return };
    assert_eq!(guesser(&bed).guess("wrong"), Guess::Refused(401));
    wait_for("a message", PATIENCE, || agent.log().contains("proven failure 1 of threshold 5")).unwrap();
}

fn guesser(bed: &Bed) -> Guesser {
    let from = bed.attacker.address(Family::V4);
    Guesser::new(&bed.attacker, from, bed.pbx.sip(Family::V4), Transport::Udp, "1000", NonceHabit::Reuse).unwrap()
}

fn protected(policy: &Policy) -> Option<(Bed, Registrar, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let agent = Agent::start(binary, &bed, policy).unwrap();
    Some((bed, registrar, agent))
}
