//! Killed at any moment, the agent leaves everything enforced, and the next one knows all of it.

use std::time::Duration;

use sip_fw_e2e::actors::Fleet;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::{Family, over_both_families, require};

use super::stage::{Wave, assert_all_banned, long_bans, protected, reboot};

const KILLS: u64 = 50;

over_both_families!(fifty_kills_at_random_moments_of_an_attack);

/// Fifty over each family: a hundred in all.
fn fifty_kills_at_random_moments_of_an_attack(family: Family) {
    if !require("sqlite3") {
        return;
    }
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    let fleet = Fleet::start(&scene.bed, &[family]).unwrap();
    fleet.wait_for_more(4).unwrap();
    let wave = Wave::start(&scene, family);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..KILLS {
        // From before its first system call to well after it is ready.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((random >> 33) % 900));
        scene.agent.kill9();
        scene.agent.begin().unwrap();
    }
    scene.agent.wait_until_ready().unwrap();
    wave.wait_for_more(2);
    let sources = wave.end(family);
    assert_all_banned(&scene, &sources);
    let tried = sources.len();

    // The kernel forgets everything; the store has all of it.
    scene.agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
    let banned =
        scene.agent.ask_store("SELECT source FROM bans WHERE until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')").unwrap();
    let banned: Vec<_> = banned.lines().collect();
    for source in &sources {
        assert!(banned.contains(&source_name(*source).as_str()), "{source} of {tried} is not in {banned:?}");
    }
    reboot(&scene.agent, &scene.bed.pbx);
    scene.agent.restart().unwrap();
    assert_all_banned(&scene, &sources);
    fleet.wait_for_more(4).unwrap();
    assert_eq!(fleet.stop().lost, 0);
}
