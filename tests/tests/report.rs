//! `sip-fw report` after a real attack: its figures are those of the wire and the PBX, and its page is drawn by a browser.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs;

use serde_json::Value;
use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit, Phone, Registration};
use sip_fw_e2e::browser::{self, CHROMIUM};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::ACCOUNTS;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Agent, Bed, Family, Policy, Scene, require, require_agent};

/// A database in which nobody of the bed is in any country.
const COUNTRIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sip-fw-agent/tests/data/countries.mmdb");

#[test]
fn figures_are_those_of_the_wire() {
    let Some((_registrar, scene)) = attacked() else { return };
    let report = scene.agent.json(&["report", "--since", "1h", "--json", "--country-db", COUNTRIES]).unwrap();
    let attackers = Family::BOTH.map(|family| scene.bed.attacker.address(family));
    let failures: usize = attackers.iter().map(|attacker| scene.counted(*attacker).failures).sum();
    assert_eq!(report["schema"], 1);
    assert_eq!((&report["attacks"], &report["kinds"]["auth-failure"]), (&failures.into(), &failures.into()));
    let bans = scene.agent.bans().unwrap();
    assert_eq!(report["bans"]["total"], bans.len());
    assert_eq!(report["bans"]["by_level"]["1"], bans.len());
    for attacker in attackers {
        let name = source_name(attacker);
        let row = find(&report["sources"], "source", &name);
        assert_eq!((&row["attacks"], &row["bans"]), (&scene.counted(attacker).failures.into(), &1.into()), "{name}");
    }
    for (user, attacks) in [("1000", 5), ("admin", 5)] {
        assert_eq!(find(&report["users"], "user", user)["attacks"], attacks, "{report}");
    }
    for network in ["10.98.2.0/24", "fd98:2::/48"] {
        assert_eq!(find(&report["networks"], "network", network)["sources"], 1, "{report}");
    }
    assert_eq!(find(&report["countries"], "country", "unknown")["attacks"], failures);
    let sum = |list: &str, key: &str| -> u64 {
        report[list].as_array().unwrap().iter().map(|item| item[key].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("hours", "attacks"), failures as u64);
    assert_eq!(sum("hours", "sign_ins"), scene.counted(scene.bed.office.address(Family::V4)).successes as u64);
    assert_eq!(sum("days", "bans"), bans.len() as u64);

    let text = scene.agent.call(&["report"]).unwrap();
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(text.stdout.starts_with(&format!("{failures} attacks by 2 sources within 7d.\n")), "{}", text.stdout);
}

#[test]
fn the_page_is_drawn_by_a_browser_that_asks_nobody_for_anything() {
    if !require(CHROMIUM) {
        return;
    }
    let Some((_registrar, scene)) = attacked() else { return };
    let page = scene.agent.folder().join("report.html");
    let outcome = scene.agent.call(&["report", "--since", "7d", "--html", &page.to_string_lossy()]).unwrap();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
    let written = fs::read_to_string(&page).unwrap();
    for reference in ["src=", "href=", "url(", "@import", "<script", "http://", "https://"] {
        assert!(!written.contains(reference), "{reference} in {written}");
    }
    let document = browser::document(&page).unwrap();
    let attacker = scene.bed.attacker.address(Family::V4).to_string();
    for part in [attacker.as_str(), "10 attacks by 2 sources within 7d.", "fd98:2::/48", "admin", "step 1"] {
        assert!(document.contains(part), "{part:?} is not in {document}");
    }
    assert!(document.contains("<title>sip-fw: the last 7d</title>"), "{document}");

    let png = scene.agent.folder().join("report.png");
    let picture = browser::screenshot(&page, &png, 1000, 2600).unwrap();
    // The colour of the columns of the one kind, of the bars beside numbers, and of letters and paper.
    let pixels = |colour: u32| picture.colours.get(&colour).copied().unwrap_or(0);
    let (column, letters, paper) = (pixels(0x0969da), pixels(0x1f2328), pixels(0xffffff));
    assert!(column > 5_000, "{column} pixels of columns and bars");
    assert!(letters > 500, "{letters} pixels of letters");
    assert!(paper > 1_000_000, "{paper} pixels of paper");
    // For people who want to look at it.
    if let Some(keep) = std::env::var_os("SIP_FW_KEEP_SCREENSHOT") {
        fs::copy(&png, keep).unwrap();
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let outcome = agent.call(&["report"]).unwrap();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (4, ""), "{}", outcome.stderr);
    let outcome = agent.call(&["report", "--country-db", "/nonexistent"]).unwrap();
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("/nonexistent cannot be read"), "{}", outcome.stderr);
}

#[track_caller]
fn find<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let found = list.as_array().and_then(|items| items.iter().find(|item| item[key] == name));
    found.unwrap_or_else(|| panic!("no {key} {name:?} in {list}"))
}

/// Two attackers were banned, and a phone registered.
fn attacked() -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let scene = Scene::protect(binary, bed, &Policy::default()).unwrap();
    for (family, user) in [(Family::V4, "1000"), (Family::V6, "admin")] {
        let (from, pbx) = (scene.bed.attacker.address(family), scene.bed.pbx.sip(family));
        let mut guesser =
            Guesser::new(&scene.bed.attacker, from, pbx, Transport::Udp, user, NonceHabit::Reuse).unwrap();
        assert_eq!(guesser.guess_all(["a", "b", "c", "d", "e", "f", "g"]), (5, Guess::Silence));
        scene.assert_banned_after(from, 5);
    }
    let (from, pbx) = (scene.bed.office.address(Family::V4), scene.bed.pbx.sip(Family::V4));
    let mut phone = Phone::new(&scene.bed.office, from, pbx, Transport::Udp, ACCOUNTS[1]).unwrap();
    assert_eq!(phone.register(), Registration::Done);
    wait_for("the agent to tell of all of it", PATIENCE, || {
        let told = |name: &str| scene.agent.events().iter().filter(|event| event["event"] == name).count();
        (told("ban"), told("auth-failure"), told("auth-success")) == (2, 10, 1)
    })
    .unwrap();
    Some((registrar, scene))
}
