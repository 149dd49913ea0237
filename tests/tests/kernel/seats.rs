//! Bans whose sources share a line of seats: more of them than seats.

use std::collections::BTreeMap;

use sip_fw_agent::kernel::TableSizes;
use sip_fw_common::abi::{UNTIL_LIFTED_NS, seat};

use crate::drops::ban;
use crate::frames::{Path, UDP4, UDP6};
use crate::rig::{MINUTE, Rig, SECOND, SIZES, source};

/// So few lines that many sources share one.
const FEW: TableSizes = TableSizes { bans: 16, ..SIZES };

/// Four sources of one line.
fn of_one_line(path: Path) -> [Path; 4] {
    let mut lines: BTreeMap<u32, Vec<Path>> = BTreeMap::new();
    for peer in 1..=250 {
        let path = path.from(peer);
        lines.entry(seat::line_of(source(path), seat::lines(FEW.bans))).or_default().push(path);
    }
    let shared = lines.into_values().find(|paths| paths.len() >= 4).unwrap();
    shared[..4].try_into().unwrap()
}

fn guess_until_banned(rig: &mut Rig, path: Path) {
    let nonce = format!("n{}", path.peer);
    rig.fetch(path, &nonce);
    for _ in 0..5 {
        rig.guess(path, &nonce);
    }
}

fn counted(rig: &Rig, path: Path) -> u64 {
    rig.run.tables.ban(source(path)).unwrap().unwrap().packets
}

#[test]
fn a_ban_without_a_seat_is_enforced_like_the_others() {
    for path in [UDP4, UDP6] {
        let mut rig = Rig::sized(&FEW, |_| {});
        let [first, second, third, fourth] = of_one_line(path);
        guess_until_banned(&mut rig, first);
        assert!(rig.is_dropped(first) && !rig.is_dropped(third), "a line with a free seat");
        rig.run.tables.put_ban(source(second), &ban(UNTIL_LIFTED_NS)).unwrap();
        assert!(rig.is_dropped(second) && !rig.is_dropped(third), "a full line, and nobody without a seat");
        guess_until_banned(&mut rig, third);
        for (path, drops) in [(first, 2), (second, 2), (third, 1)] {
            assert!(rig.is_dropped(path), "{path:?}");
            assert_eq!(counted(&rig, path), drops, "{path:?}");
        }
        assert!(!rig.is_dropped(fourth));

        rig.run.tables.lift_ban(source(second), rig.now_ns()).unwrap();
        assert!(!rig.is_dropped(second) && rig.is_dropped(third));
        assert_eq!(counted(&rig, second), 2);
        for gone in [first, second] {
            rig.run.tables.remove_ban(source(gone)).unwrap();
            assert!(!rig.is_dropped(gone) && rig.is_dropped(third), "a seat is given up");
        }

        rig.run.tables.put_ban(source(fourth), &ban(UNTIL_LIFTED_NS)).unwrap();
        assert!(rig.is_dropped(fourth) && !rig.is_dropped(first) && rig.is_dropped(third));
        assert_eq!(counted(&rig, fourth), 1, "not what was counted for who had its seat");
        let mut listed: Vec<_> = rig.run.tables.bans().unwrap().iter().map(|(_, ban)| ban.packets).collect();
        listed.sort_unstable();
        assert_eq!(listed, [1, 5], "fourth and third");

        rig.wait(MINUTE + SECOND);
        assert!(!rig.is_dropped(third) && rig.is_dropped(fourth), "one ends, one lasts until it is lifted");
    }
}

#[test]
fn a_longer_ban_goes_on_counting() {
    let mut rig = Rig::new();
    guess_until_banned(&mut rig, UDP4);
    assert!(rig.is_dropped(UDP4));
    rig.run.tables.put_ban(source(UDP4), &ban(UNTIL_LIFTED_NS)).unwrap();
    rig.wait(10 * MINUTE);
    assert!(rig.is_dropped(UDP4));
    assert_eq!(counted(&rig, UDP4), 2);
}

#[test]
fn the_next_ban_of_a_source_finds_its_seat() {
    let mut rig = Rig::new();
    guess_until_banned(&mut rig, UDP4);
    rig.wait(2 * MINUTE);
    assert!(!rig.is_dropped(UDP4));
    guess_until_banned(&mut rig, UDP4);
    rig.wait(2 * MINUTE);
    assert!(rig.is_dropped(UDP4), "ten minutes");
    assert_eq!(counted(&rig, UDP4), 1);
}
