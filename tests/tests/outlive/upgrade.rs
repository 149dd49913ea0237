//! A new version, or tables of another size, take the place of what is there while an attack goes on: not one packet passes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sip_fw_common::abi::{Ban, BanOrigin, OLDEST_VERSION, Source, VERSION, map};
use sip_fw_e2e::actors::Fleet;
use sip_fw_e2e::{Family, Policy, Scene, over_both_families};

use super::stage::{THRESHOLD, Wave, assert_all_banned, guess_until_banned, guesser_at, long_bans, protected};

over_both_families!(other_sizes_while_an_attack_goes_on, an_earlier_version_is_replaced_while_an_attack_goes_on);

fn other_sizes_while_an_attack_goes_on(family: Family) {
    let smaller = Policy {
        extra: "[limits]\nbans = 1024\nstrikes = 2048\npeers = 4096\nnonces = 2048\n".to_owned(),
        ..long_bans()
    };
    replaced_under_load(family, |scene| scene.agent.configure(&smaller).unwrap());
}

fn an_earlier_version_is_replaced_while_an_attack_goes_on(family: Family) {
    // Its layout is the same but for the seats, which it had not: what is pinned under its number is what its build left.
    replaced_under_load(family, |scene| {
        let version = |version: u32| scene.agent.pins().join(format!("v{version}"));
        std::fs::remove_file(version(VERSION).join("maps").join(map::SEATS)).unwrap();
        std::fs::rename(version(VERSION), version(OLDEST_VERSION)).unwrap();
    });
}

/// A banned source shouts all the time, others guess, phones register; agents come and go.
fn replaced_under_load(family: Family, change: impl FnOnce(&Scene)) {
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    let fleet = Fleet::start(&scene.bed, &[family]).unwrap();
    fleet.wait_for_more(4).unwrap();
    let peers = scene.agent.peers().unwrap().len();
    let banned = scene.bed.attacker.nth(family, 254);
    let mut shouter = guesser_at(&scene, banned, family);
    assert_eq!(guess_until_banned(&mut shouter), THRESHOLD as u64);
    let stop = Arc::new(AtomicBool::new(false));
    let shouting = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut sent = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                shouter.shout(&format!("{sent:05}"));
                sent += 1;
                std::thread::yield_now();
            }
            sent
        }
    });
    let wave = Wave::start(&scene, family);
    wave.wait_for_more(1);

    scene.agent.kill9();
    change(&scene);
    scene.agent.restart().unwrap();
    assert!(scene.agent.has_xdp(&scene.bed.pbx).unwrap());
    assert_eq!(folders(scene.agent.pins()), [format!("v{VERSION}")], "nothing is left of what was there");
    assert!(!scene.agent.pins().join(format!("v{VERSION}/old")).exists());
    wave.wait_for_more(2);

    let mut sources = wave.end(family);
    stop.store(true, Ordering::Relaxed);
    let sent = shouting.join().unwrap();
    assert!(sent > 1000, "{sent}");
    sources.push(banned);
    assert_all_banned(&scene, &sources);
    assert_eq!(scene.agent.peers().unwrap().len(), peers, "known peers go on");
    fleet.wait_for_more(4).unwrap();
    assert_eq!(fleet.stop().lost, 0);
}

#[test]
fn an_unknown_version_is_refused_with_the_way_out() {
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    let attacker = scene.bed.attacker.nth(Family::V4, 1);
    assert_eq!(guess_until_banned(&mut guesser_at(&scene, attacker, Family::V4)), THRESHOLD as u64);
    scene.assert_banned_after(attacker, THRESHOLD);
    scene.agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
    let version = |version: u32| scene.agent.pins().join(format!("v{version}"));
    std::fs::rename(version(VERSION), version(VERSION + 1)).unwrap();
    let run = scene.agent.call(&["run"]).unwrap();
    assert!(
        run.code == 1 && run.stderr.contains("another version") && run.stderr.contains("sip-fw detach"),
        "{}",
        run.stderr
    );
    // It still enforces; and the way out loses no ban.
    assert!(scene.agent.has_xdp(&scene.bed.pbx).unwrap());
    assert_eq!(scene.agent.call(&["detach"]).unwrap().code, 0);
    scene.agent.wait_until_off(&scene.bed.pbx).unwrap();
    scene.agent.restart().unwrap();
    assert_all_banned(&scene, &[attacker]);
}

#[test]
fn a_smaller_table_keeps_the_bans_that_last_longest_and_says_so() {
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    let tables = |scene: &Scene| sip_fw_agent::kernel::Tables::open(scene.agent.pins()).unwrap();
    let now_ns = sip_fw_agent::kernel::now_ns();
    for n in 0..1500_u32 {
        let until_ns = now_ns + u64::from(n + 1) * 3_600_000_000_000;
        let ban = Ban { level: 1, ..Ban::new(BanOrigin::Operator, now_ns, until_ns) };
        tables(&scene).put_ban(Source::v4(0x6440_0000 + n), &ban).unwrap();
    }
    scene.agent.kill9();
    scene.agent.configure(&Policy { extra: "[limits]\nbans = 1024\n".to_owned(), ..long_bans() }).unwrap();
    scene.agent.restart().unwrap();
    scene.agent.wait_for_event("degraded", "476 entries of the tables before did not fit").unwrap();
    let kept = tables(&scene).bans().unwrap();
    assert_eq!(kept.len(), 1024);
    assert!(kept.iter().all(|(source, _)| source.as_v4().unwrap() >= 0x6440_0000 + 476));
}

fn folders(pins: &Path) -> Vec<String> {
    let mut found: Vec<_> =
        std::fs::read_dir(pins).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    found
}
