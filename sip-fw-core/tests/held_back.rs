//! Shuns, slow and distributed guesses, crowds: the controller's commands.

mod common;

use common::{MINUTE_NS, SECOND_NS, active_ban, at, controller, event, rules};
use sip_fw_common::abi::{Event, EventKind, Evidence, Method, Shun, Source};
use sip_fw_core::controller::{Command, Controller, Input, Rules};
use sip_fw_core::record::EventName;
use sip_fw_core::text::pack;

const SOURCE: Source = Source::v4(0xcb00_7109);

fn unproven(kind: EventKind, seconds: u64) -> Event {
    Event { evidence: Evidence::Unproven as u8, ..event(kind, SOURCE, seconds) }
}

fn tick(shuns: &[(Source, Shun)]) -> Input {
    Input::Tick { bans: Vec::new(), prefix_bans: Vec::new(), shuns: shuns.to_vec() }
}

fn names(commands: &[Command]) -> Vec<EventName> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Report(record) => Some(record.event),
            _ => None,
        })
        .collect()
}

fn shun_of(commands: &[Command]) -> Option<Shun> {
    commands.iter().find_map(|command| match command {
        Command::PutShun { source: SOURCE, shun } => Some(*shun),
        _ => None,
    })
}

#[test]
fn a_shun_is_renewed_while_its_source_goes_on_and_ends_after_ten_minutes() {
    let mut controller = controller();
    let said = controller.handle(Input::Kernel(unproven(EventKind::Scanner, 100)), at(100));
    assert_eq!(names(&said), [EventName::Scanner, EventName::Shun]);
    let mut shun = shun_of(&said).unwrap();
    assert_eq!((shun.since_ns, shun.until_ns), (100 * SECOND_NS, 160 * SECOND_NS));
    assert_eq!(controller.handle(Input::Kernel(unproven(EventKind::Scanner, 101)), at(101)), [], "once");
    let mut ended_at = None;
    for second in 102..1000 {
        shun.packets += 1;
        let said = controller.handle(tick(&[(SOURCE, shun)]), at(second));
        if let Some(renewed) = shun_of(&said) {
            shun = Shun { until_ns: renewed.until_ns, ..shun };
        } else if said.contains(&Command::RemoveShun { source: SOURCE }) {
            assert_eq!(names(&said), [EventName::Expire]);
            ended_at = Some(second);
            break;
        }
    }
    assert_eq!(ended_at, Some(700));
    assert!(shun_of(&controller.handle(Input::Kernel(unproven(EventKind::Scanner, 701)), at(701))).is_some(), "anew");
}

#[test]
fn a_shun_whose_source_is_silent_ends_after_a_minute() {
    let mut controller = controller();
    let shun = shun_of(&controller.handle(Input::Kernel(unproven(EventKind::Scanner, 100)), at(100))).unwrap();
    assert_eq!(controller.handle(tick(&[(SOURCE, shun)]), at(159)), []);
    let said = controller.handle(tick(&[(SOURCE, shun)]), at(160));
    assert!(said.contains(&Command::RemoveShun { source: SOURCE }), "{said:?}");
}

#[test]
fn whoever_is_known_or_accepted_is_never_shunned() {
    let week = Rules {
        settings: sip_fw_common::abi::Settings { known_peer_ns: 7 * 24 * 60 * MINUTE_NS, ..rules().settings },
        ..rules()
    };
    let scanner = unproven(EventKind::Scanner, 200);
    let mut known = Controller::new(week.clone());
    let said = known.handle(Input::Kernel(Event { known: 1, ..scanner }), at(200));
    assert_eq!((names(&said), shun_of(&said)), (vec![EventName::Scanner], None));
    let mut accepted = Controller::new(week);
    accepted
        .handle(Input::Kernel(Event { method: Method::Invite as u8, ..unproven(EventKind::Accepted, 100) }), at(100));
    assert_eq!(shun_of(&accepted.handle(Input::Kernel(scanner), at(200))), None);
    for prefix in 0..9 {
        let user = pack(&format!("{prefix}442039967796"));
        let call = Event { method: Method::Invite as u8, user, ..unproven(EventKind::Refused, 300 + prefix) };
        assert_eq!(shun_of(&accepted.handle(Input::Kernel(call), at(300 + prefix))), None);
    }
}

#[test]
fn what_is_proven_bans() {
    let mut controller = controller();
    let mut all = Vec::new();
    for prefix in 0..5 {
        let user = pack(&format!("{prefix}442039967796"));
        let call =
            Event { method: Method::Invite as u8, user, tcp: 1, strikes: 0, ..event(EventKind::Refused, SOURCE, 100) };
        all.extend(controller.handle(Input::Proven { event: call, found: None }, at(100)));
    }
    assert_eq!(names(&all), [EventName::DialScan, EventName::Ban]);
    assert!(matches!(all[1], Command::PutBan { source: SOURCE, .. }));
}

#[test]
fn twenty_failures_within_a_day_ban_and_eight_sources_of_one_user() {
    let mut slow = controller();
    let fail = |controller: &mut Controller, source, seconds| {
        let failure = event(EventKind::AuthFailure, source, seconds);
        controller.handle(Input::Proven { event: failure, found: None }, at(seconds))
    };
    let banned = (1..=40).find(|n| names(&fail(&mut slow, SOURCE, n * 1200)).contains(&EventName::Ban));
    assert_eq!(banned, Some(20));
    let mut distributed = controller();
    for source in 1..8 {
        assert_eq!(names(&fail(&mut distributed, Source::v4(source), 100)), [EventName::AuthFailure]);
    }
    let said = fail(&mut distributed, Source::v4(8), 100);
    let bans = said.iter().filter(|command| matches!(command, Command::PutBan { .. })).count();
    assert_eq!((bans, names(&said)[1]), (8, EventName::DistributedGuessing));
}

#[test]
fn four_banned_neighbours_ban_their_prefix_unless_somebody_is_spared() {
    for spared in [None, Some("198.51.100.9 is a known peer".to_owned())] {
        let mut controller = controller();
        let neighbour = |number: u32| Source::v4(0xc633_6400 | number);
        for number in 1..=4 {
            assert_eq!(controller.crowded(neighbour(number)), None);
            let ban = Event { until_ns: 400 * SECOND_NS, ..event(EventKind::Ban, neighbour(number), 100) };
            controller.handle(Input::Kernel(ban), at(100));
        }
        let prefix = controller.crowded(neighbour(4)).unwrap();
        assert_eq!(prefix.to_string(), "198.51.100.0/24");
        let said = controller.handle(Input::Crowd { prefix, spared: spared.clone() }, at(100));
        let put = said.iter().any(|command| matches!(command, Command::PutPrefixBan { .. }));
        assert_eq!(put, spared.is_none(), "{said:?}");
        assert_eq!(names(&said)[0], EventName::DistributedGuessing);
        assert_eq!(controller.crowded(neighbour(4)), None, "asked once");
        // Operators' bans make no crowd.
        let by_operator =
            |number: u32| (neighbour(number), sip_fw_common::abi::Ban { origin: 2, ..active_ban(100, 900) });
        let bans = (1..=4).map(by_operator).collect();
        controller.handle(Input::Tick { bans, prefix_bans: Vec::new(), shuns: Vec::new() }, at(200));
        assert_eq!(controller.crowded(neighbour(4)), None);
    }
}

#[test]
fn neighbours_are_those_of_the_prefix_alone() {
    let ipv6 = |network: u64| Source::v6(0x2001_0db8_0000_0000 | network, u64::MAX);
    // Two at the ends of a /48, and one on either side of it; IPv4 beside them.
    let sources = [ipv6(0x7_0000), ipv6(0x7_ffff), ipv6(0x6_ffff), ipv6(0x8_0000), Source::v4(0xc633_64ff)];
    let mut controller = controller();
    let mut ban = |source| {
        let ban = Event { until_ns: 400 * SECOND_NS, ..event(EventKind::Ban, source, 100) };
        controller.handle(Input::Kernel(ban), at(100));
        controller.crowded(source)
    };
    assert_eq!(sources.map(&mut ban), [None; 5]);
    assert_eq!(ban(ipv6(0x7_0001)), None);
    assert_eq!(ban(ipv6(0x7_8000)).unwrap().to_string(), "2001:db8:7::/48");
}
