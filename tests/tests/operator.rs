//! The operator's commands against a running agent: ban, unban, explain, check, detach, events, and their exit codes.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs;

use serde_json::Value;
use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit, Phone, Registration};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::ACCOUNTS;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

over_both_families!(ban_and_unban_by_hand, an_unbanned_attacker_starts_anew, detach_lets_everything_through);

fn ban_and_unban_by_hand(family: Family) {
    let Some((_registrar, scene)) = protected() else { return };
    let office = scene.bed.office.address(family);
    let ban = scene.agent.call(&["ban", &office.to_string(), "--for", "1h"]).unwrap();
    assert_eq!(ban.code, 0, "{}", ban.stderr);
    assert!(scene.agent.has_banned(&source_name(office)).unwrap());
    assert_eq!(register(&scene, family), Registration::Lost);
    let explained = scene.agent.call(&["explain", &office.to_string(), "--json"]).unwrap();
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    assert!(serde_json::from_str::<Value>(&explained.stdout).is_ok(), "{}", explained.stdout);
    let unban = scene.agent.call(&["unban", &office.to_string()]).unwrap();
    assert_eq!(unban.code, 0, "{}", unban.stderr);
    scene.assert_nobody_banned();
    assert_eq!(register(&scene, family), Registration::Done);
    assert_eq!(scene.agent.call(&["unban", &office.to_string()]).unwrap().code, 3);
}

fn an_unbanned_attacker_starts_anew(family: Family) {
    let Some((_registrar, scene)) = protected() else { return };
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = Guesser::new(
        &scene.bed.attacker,
        attacker,
        scene.bed.pbx.sip(family),
        Transport::Udp,
        "1000",
        NonceHabit::Fresh,
    )
    .unwrap();
    let passwords = ["a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(guesser.guess_all(passwords), (5, Guess::Silence));
    scene.assert_banned_after(attacker, 5);
    wait_for("the ban in the agent's log of events", PATIENCE, || {
        events(&scene).iter().any(|event| event["event"] == "ban" && event["source"] == source_name(attacker).as_str())
    })
    .unwrap();
    let unban = scene.agent.call(&["unban", "--all"]).unwrap();
    assert_eq!(unban.code, 0, "{}", unban.stderr);
    assert_eq!(guesser.guess("wrong"), Guess::Refused(401));
}

fn detach_lets_everything_through(family: Family) {
    let Some((_registrar, mut scene)) = protected() else { return };
    let office = scene.bed.office.address(family).to_string();
    assert_eq!(scene.agent.call(&["ban", &office, "--for", "1h"]).unwrap().code, 0);
    assert_eq!(register(&scene, family), Registration::Lost);
    scene.agent.kill9();
    let detach = scene.agent.call(&["detach"]).unwrap();
    assert_eq!(detach.code, 0, "{}", detach.stderr);
    assert_eq!(register(&scene, family), Registration::Done);
}

#[test]
fn a_bad_configuration_is_refused_with_every_fault() {
    let Some((_registrar, scene)) = protected() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    fs::write(&file, "interfaces = [\"eth0\"]\nmode = \"enforec\"\ncolour = 1\n\n[ban]\nthreshold = 0\n").unwrap();
    let check = scene.agent.call(&["check", &file.to_string_lossy()]).unwrap();
    assert_eq!(check.code, 2, "{}", check.stderr);
    let said = format!("{}{}", check.stdout, check.stderr);
    for fault in ["enforec", "colour", "threshold"] {
        assert!(said.contains(fault), "nothing about {fault}:\n{said}");
    }
}

/// The events that the daemon wrote to stderr as JSON lines.
fn events(scene: &Scene) -> Vec<Value> {
    scene.agent.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn register(scene: &Scene, family: Family) -> Registration {
    let bed = &scene.bed;
    Phone::new(&bed.office, bed.office.address(family), bed.pbx.sip(family), Transport::Udp, ACCOUNTS[1])
        .unwrap()
        .register()
}

fn protected() -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    Some((registrar, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}
