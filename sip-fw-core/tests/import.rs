//! Bans from elsewhere: which change something, what they keep, and what is told of them.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{MINUTE_NS, SECOND_NS, active_ban, at, controller};
use sip_fw_common::abi::{Ban, Source};
use sip_fw_core::controller::{Command, Controller, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::source::Ipv6Prefix;
use sip_fw_core::time::Timestamp;

fn import(controller: &mut Controller, target: &str, ban: Ban, found: Option<Ban>) -> Option<Ban> {
    let target = Ipv6Prefix::DEFAULT.parse(target).unwrap();
    let admitted = Guard::default().admit(target, Ipv6Prefix::DEFAULT).unwrap();
    let takes = controller.takes(target, &ban, found.as_ref(), at(1000));
    let commands = controller.handle(Input::Import { admitted, ban, found }, at(1000));
    assert_eq!(takes, !commands.is_empty());
    match &commands[..] {
        [] => None,
        [Command::PutBan { ban, .. } | Command::PutPrefixBan { ban, .. }] => Some(*ban),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ban_goes_in_as_it_is_and_a_longer_one_is_kept() {
    let mut controller = controller();
    let ban = Ban { level: 2, ..active_ban(900, 2000) };
    assert_eq!(import(&mut controller, "203.0.113.9", ban, None), Some(Ban { packets: 0, bytes: 0, ..ban }));
    let alike = Ban { until_ns: ban.until_ns - SECOND_NS / 2, ..ban };
    assert_eq!(import(&mut controller, "203.0.113.9", ban, Some(alike)), None, "the same on another clock");
    assert_eq!(import(&mut controller, "203.0.113.9", ban, Some(active_ban(950, 3000))), None);
    let shorter = Ban { level: 3, packets: 7, bytes: 70, ..active_ban(950, 1500) };
    let expected = Ban { since_ns: 950 * SECOND_NS, level: 3, packets: 7, bytes: 70, ..ban };
    assert_eq!(import(&mut controller, "203.0.113.9", ban, Some(shorter)), Some(expected));
    let prefix = "203.0.113.0/24";
    assert!(!controller.has_banned(prefix.parse().unwrap()));
    assert!(import(&mut controller, prefix, ban, None).is_some());
    assert!(controller.has_banned(prefix.parse().unwrap()));
}

#[test]
fn of_a_ban_that_is_over_the_ladder_is_remembered() {
    let mut controller = controller();
    let over = Ban { level: 2, ..active_ban(800, 900) };
    assert!(import(&mut controller, "203.0.113.9", over, None).is_some());
    assert_eq!(import(&mut controller, "203.0.113.0/24", over, None), None, "prefixes have no ladder");
    assert_eq!(import(&mut controller, "203.0.113.9", Ban { level: 0, ..over }, None), None);
    let mut rules = common::rules();
    rules.settings.decay_ns = MINUTE_NS;
    controller.set_rules(rules);
    assert_eq!(import(&mut controller, "203.0.113.9", over, None), None, "it has faded");
}

#[test]
fn room_is_left_for_new_bans() {
    let mut controller = controller();
    assert_eq!((controller.bans_held(), controller.bans_before_full()), (0, 49_125));
    import(&mut controller, "203.0.113.9", active_ban(900, 2000), None).unwrap();
    import(&mut controller, "203.0.113.9", active_ban(900, 3000), Some(active_ban(900, 2000))).unwrap();
    import(&mut controller, "203.0.113.0/24", active_ban(900, 2000), None).unwrap();
    assert_eq!(controller.bans_held(), 1);
    let bans: Vec<_> = (0..9).map(|n| (Source::v4(n), active_ban(900, 2000))).collect();
    controller.handle(Input::Tick { bans, prefix_bans: Vec::new(), shuns: Vec::new() }, at(1001));
    assert_eq!(controller.bans_held(), 9);
}

#[test]
fn one_record_for_all_that_came_from_one_place() {
    let mut controller = controller();
    let told = |seconds: u64, reason: &str| {
        let record = Record::new(Timestamp { unix_ms: seconds as i64 * 1000 }, EventName::Ban);
        Command::Report(record.because(reason))
    };
    let imported = |count, why: &str| Input::Imported { count, why: why.to_owned() };
    let tick = || Input::Tick { bans: Vec::new(), prefix_bans: Vec::new(), shuns: Vec::new() };
    for _ in 0..3 {
        assert_eq!(controller.handle(imported(100, "a.json: spring"), at(1)), []);
    }
    let first = [told(2, "by operator: 300 bans imported from a.json: spring")];
    assert_eq!(controller.handle(imported(5, "b.txt"), at(2)), first);
    assert_eq!(controller.handle(tick(), at(3)), [told(3, "by operator: 5 bans imported from b.txt")]);
    assert_eq!(controller.handle(tick(), at(4)), []);
    assert_eq!(controller.handle(imported(1, "b.txt"), at(5)), []);
    let last = controller.handle(Input::Stopped { reason: "SIGTERM".to_owned() }, at(6));
    assert_eq!((&last[0], last.len()), (&told(6, "by operator: 1 bans imported from b.txt"), 2));
}

#[test]
fn when_thousands_end_at_once_the_log_is_not_flooded() {
    let mut controller = controller();
    let tick = |until: u64| {
        let bans = (0..5000).map(|n| (Source::v4(n), active_ban(900, until))).collect();
        Input::Tick { bans, prefix_bans: Vec::new(), shuns: Vec::new() }
    };
    controller.handle(tick(2000), at(1000));
    let commands = controller.handle(tick(2000), at(2001));
    let told = |command: &Command| match command {
        Command::Report(record) => record.reason.clone(),
        _ => None,
    };
    let told: Vec<_> = commands.iter().filter_map(told).collect();
    assert_eq!((told.len(), told.last().unwrap().as_str()), (257, "4744 more bans are over"));
    assert!(controller.handle(tick(2000), at(2002)).iter().all(|command| !matches!(command, Command::Report(_))));
}
