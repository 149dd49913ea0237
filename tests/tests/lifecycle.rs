//! What is enforced does not depend on the agent being alive; observe mode enforces nothing.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::actors::{Fleet, Guess, Guesser, NonceHabit};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

over_both_families!(
    a_ban_outlives_the_agent_and_is_known_to_the_next_one,
    the_kernel_bans_while_no_agent_is_alive,
    observe_mode_counts_and_drops_nothing,
);

fn a_ban_outlives_the_agent_and_is_known_to_the_next_one(family: Family) {
    let Some((_registrar, mut scene)) = protected(&Policy::default()) else { return };
    let fleet = Fleet::start(&scene.bed, &[family]).unwrap();
    fleet.wait_for_more(4).unwrap();
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = guesser(&scene, family);
    assert_eq!(guess(&mut guesser, 20), (5, Guess::Silence));
    scene.assert_banned_after(attacker, 5);

    scene.agent.kill9();
    assert!(!scene.agent.is_running());
    shout(&scene, &mut guesser, family);
    scene.assert_silenced_after(attacker, 5);

    scene.agent.restart().unwrap();
    assert!(scene.agent.has_banned(&source_name(attacker)).unwrap());
    shout(&scene, &mut guesser, family);
    scene.assert_banned_after(attacker, 5);
    fleet.wait_for_more(6).unwrap();
    assert_eq!(fleet.stop().lost, 0);
}

fn the_kernel_bans_while_no_agent_is_alive(family: Family) {
    let Some((_registrar, mut scene)) = protected(&Policy::default()) else { return };
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = guesser(&scene, family);
    assert_eq!(guess(&mut guesser, 2), (2, Guess::Refused(401)));
    scene.agent.kill9();
    assert_eq!(guess(&mut guesser, 20), (3, Guess::Silence));
    shout(&scene, &mut guesser, family);
    scene.assert_silenced_after(attacker, 5);
    // `sources` is the agent's to tell: ask the next one.
    scene.agent.restart().unwrap();
    scene.assert_banned_after(attacker, 5);
}

fn observe_mode_counts_and_drops_nothing(family: Family) {
    let Some((_registrar, scene)) = protected(&Policy { mode: "observe", ..Policy::default() }) else { return };
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = guesser(&scene, family);
    assert_eq!(guess(&mut guesser, 20), (20, Guess::Refused(401)));
    let said = scene.assert_agrees(attacker);
    assert_eq!((said.failures_proven, said.drops), (20, 0), "{said:?}");
    assert_eq!(scene.sent_by(attacker), scene.counted(attacker).requests as u64);
}

fn shout(scene: &Scene, guesser: &mut Guesser, family: Family) {
    let attacker = scene.bed.attacker.address(family);
    let before = scene.sent_by(attacker);
    for n in 0..30 {
        guesser.shout(&format!("{n:05}"));
    }
    scene.wait_until_sent(attacker, before + 30);
}

fn guess(guesser: &mut Guesser, count: u32) -> (u64, Guess) {
    let passwords: Vec<_> = (0..count).map(|n| format!("{n:04}")).collect();
    guesser.guess_all(passwords.iter().map(String::as_str))
}

fn protected(policy: &Policy) -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    Some((registrar, Scene::protect(binary, bed, policy).unwrap()))
}

fn guesser(scene: &Scene, family: Family) -> Guesser {
    let from = scene.bed.attacker.address(family);
    Guesser::new(&scene.bed.attacker, from, scene.bed.pbx.sip(family), Transport::Udp, "1000", NonceHabit::Reuse)
        .unwrap()
}
