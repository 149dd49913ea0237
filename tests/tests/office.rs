//! An office whose phones work: one of them fails, or somebody guesses behind its address.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::actors::{Fleet, Guess, Guesser, NonceHabit};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

over_both_families!(one_bad_phone_bans_nobody, a_guesser_behind_the_office_is_banned);

fn one_bad_phone_bans_nobody(family: Family) {
    let Some((_registrar, scene, fleet)) = office() else { return };
    let mut phone = guesser(&scene, family);
    // Fewer than 20 a minute, as an impatient phone retries; three times the threshold.
    let passwords: Vec<_> = (0..15).map(|n| format!("old{n}")).collect();
    let refused = phone.guess_all(passwords.iter().map(String::as_str));
    assert_eq!(refused, (15, Guess::Refused(401)));
    fleet.wait_for_more(8).unwrap();
    assert_eq!(fleet.stop().lost, 0);
    scene.assert_nobody_banned();
    let said = scene.assert_agrees(scene.bed.office.address(family));
    assert_eq!((said.failures_proven, said.drops), (15, 0), "{said:?}");
    scene.agent.wait_for_event("device-fault", "since its last success").unwrap();
}

fn a_guesser_behind_the_office_is_banned(family: Family) {
    let Some((_registrar, scene, fleet)) = office() else { return };
    let mut guesser = guesser(&scene, family);
    let passwords: Vec<_> = (0..3000).map(|n| format!("{n:04}")).collect();
    let (refused, last) = guesser.guess_all(passwords.iter().map(String::as_str));
    assert_eq!(last, Guess::Silence, "after {refused} guesses");
    let name = sip_fw_e2e::family::source_name(scene.bed.office.address(family));
    wait_for("the ban", PATIENCE, || scene.agent.has_banned(&name).unwrap_or(false)).unwrap();
    // User space decides about known peers: a few answers are under way until its ban is written.
    assert!((101..250).contains(&refused), "{refused}");
    fleet.stop();
    scene.agent.wait_for_event("ban", "known peer, but").unwrap();
}

fn office() -> Option<(Registrar, Scene, Fleet)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let scene = Scene::protect(binary, bed, &Policy::default()).unwrap();
    let fleet = Fleet::start(&scene.bed, &Family::BOTH).unwrap();
    fleet.wait_for_more(8).unwrap();
    Some((registrar, scene, fleet))
}

fn guesser(scene: &Scene, family: Family) -> Guesser {
    let (host, pbx) = (&scene.bed.office, scene.bed.pbx.sip(family));
    Guesser::new(host, host.address(family), pbx, Transport::Udp, "1000", NonceHabit::Reuse).unwrap()
}
