//! The controller's commands, exactly.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MINUTE_NS, SECOND_NS, active_ban, at, controller, event, rules};
use sip_fw_common::abi::{Ban, BanOrigin, Event, EventKind, Evidence, Source, UNTIL_LIFTED_NS};
use sip_fw_core::controller::{BanLength, Command, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::source::{Ipv6Prefix, Target};
use sip_fw_core::text::pack;
use sip_fw_core::time::{Timestamp, Until};

const SOURCE: Source = Source::v4(0xcb00_7109);

fn bare(seconds: u64, event: EventName) -> Record {
    Record::new(Timestamp { unix_ms: seconds as i64 * 1000 }, event)
}

fn of_source(seconds: u64, event: EventName) -> Record {
    Record { source: Some("203.0.113.9".to_owned()), ..bare(seconds, event) }
}

fn of_packet(seconds: u64, event: EventName, evidence: &str) -> Record {
    Record {
        service: Some("sip".to_owned()),
        method: Some("REGISTER".to_owned()),
        user: Some("1000".to_owned()),
        user_agent: Some("friendly-scanner".to_owned()),
        evidence: Some(evidence.to_owned()),
        ..of_source(seconds, event)
    }
}

fn tick(bans: &[(Source, Ban)]) -> Input {
    Input::Tick { bans: bans.to_vec(), prefix_bans: Vec::new(), shuns: Vec::new() }
}

fn target(text: &str) -> Target {
    Ipv6Prefix::DEFAULT.parse(text).unwrap()
}

fn ban_input(text: &str, length: BanLength, found: Option<Ban>) -> Input {
    let admitted = Guard::default().admit(target(text), Ipv6Prefix::DEFAULT).unwrap();
    Input::Ban { admitted, length, reason: Some("because".to_owned()), found }
}

#[test]
fn a_failure_is_reported() {
    let failure = event(EventKind::AuthFailure, SOURCE, 100);
    assert_eq!(
        controller().handle(Input::Kernel(failure), at(100)),
        [Command::Report(Record {
            strikes: Some(3),
            ..of_packet(100, EventName::AuthFailure, "proven").because("answered 401, proven, strike 3 of 5")
        })]
    );
}

#[test]
fn unproven_failures_are_bounded_and_counted() {
    let mut controller = controller();
    let failure = Event { evidence: Evidence::Unproven as u8, ..event(EventKind::AuthFailure, SOURCE, 100) };
    let mut said = 0;
    for _ in 0..452 {
        let failed =
            |command: &Command| matches!(command, Command::Report(told) if told.event == EventName::AuthFailure);
        said += controller.handle(Input::Kernel(failure), at(100)).iter().filter(|command| failed(command)).count();
    }
    assert_eq!(said, 40);
    assert_eq!(
        controller.handle(Input::Kernel(Event { time_ns: 101 * SECOND_NS, ..failure }), at(101)),
        [Command::Report(
            of_packet(101, EventName::AuthFailure, "unproven")
                .because("answered 401, unproven and 412 more unproven failures")
        )]
    );
    for _ in 0..30 {
        controller.handle(Input::Kernel(failure), at(101));
    }
    let rest = Record { evidence: Some("unproven".to_owned()), ..bare(102, EventName::AuthFailure) };
    assert_eq!(controller.handle(tick(&[]), at(102)), [Command::Report(rest.because("11 more unproven failures"))]);
    assert_eq!(controller.handle(tick(&[]), at(103)), []);
}

#[test]
fn a_success_is_reported_once_and_after_a_failure() {
    let mut controller = controller();
    let success = Event { status: 200, ..event(EventKind::AuthSuccess, SOURCE, 100) };
    let report = [Command::Report(of_packet(100, EventName::AuthSuccess, "proven").because("answered 200"))];
    assert_eq!(controller.handle(Input::Kernel(success), at(100)), report);
    assert_eq!(controller.handle(Input::Kernel(success), at(100)), []);
    controller.handle(Input::Kernel(event(EventKind::AuthFailure, SOURCE, 100)), at(100));
    assert_eq!(controller.handle(Input::Kernel(success), at(100)), report);
}

#[test]
fn a_ban_of_the_kernel_expires_once() {
    let mut controller = controller();
    let banned = Event { until_ns: 160 * SECOND_NS, strikes: 5, level: 1, ..event(EventKind::Ban, SOURCE, 100) };
    let commands = controller.handle(Input::Kernel(banned), at(100));
    assert_eq!(
        commands,
        [Command::Report(Record {
            strikes: Some(5),
            until: Some(Until::At(Timestamp { unix_ms: 160_000 })),
            level: Some(1),
            ..of_packet(100, EventName::Ban, "proven").because("5 auth failures within 10m")
        })]
    );
    let Command::Report(record) = &commands[0] else { unreachable!() };
    assert_eq!(
        record.to_string(),
        "1970-01-01T00:01:40.000Z ban 203.0.113.9 for 1m (level 1): 5 auth failures within 10m, \
         last user \"1000\", User-Agent \"friendly-scanner\""
    );
    let table = [(SOURCE, active_ban(100, 160))];
    assert_eq!(controller.handle(tick(&table), at(159)), []);
    let expire = Command::Report(of_source(160, EventName::Expire).because("the ban is over"));
    assert_eq!(controller.handle(tick(&table), at(160)), [expire]);
    assert_eq!(controller.handle(tick(&table), at(161)), []);
}

#[test]
fn a_ban_after_a_ban_says_that_the_first_is_over() {
    let mut controller = controller();
    let first = Event { until_ns: 160 * SECOND_NS, ..event(EventKind::Ban, SOURCE, 100) };
    let second = Event { until_ns: 900 * SECOND_NS, ..event(EventKind::Ban, SOURCE, 170) };
    controller.handle(Input::Kernel(first), at(100));
    let events: Vec<_> = controller
        .handle(Input::Kernel(second), at(170))
        .into_iter()
        .map(|command| match command {
            Command::Report(record) => record.event,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(events, [EventName::Expire, EventName::Ban]);
}

#[test]
fn a_new_agent_learns_bans_from_the_table_and_says_nothing_of_old_ones() {
    let mut controller = controller();
    let other = Source::v4(1);
    let table = [(SOURCE, active_ban(100, 160)), (other, active_ban(10, 20))];
    assert_eq!(controller.handle(tick(&table), at(150)), []);
    let expire = Command::Report(of_source(170, EventName::Expire).because("the ban is over"));
    assert_eq!(controller.handle(tick(&table), at(170)), [expire]);
}

#[test]
fn a_decayed_memory_is_forgotten() {
    let decay_seconds = rules().settings.decay_ns / SECOND_NS;
    let table = [(SOURCE, active_ban(100, 160))];
    let mut controller = controller();
    assert_eq!(controller.handle(tick(&table), at(160 + decay_seconds - 1)), []);
    assert_eq!(controller.handle(tick(&table), at(160 + decay_seconds)), [Command::ForgetBan { source: SOURCE }]);
}

#[test]
fn a_full_table_forgets_the_oldest_ended_bans() {
    let mut rules = rules();
    rules.bans_max = 1000;
    let mut controller = sip_fw_core::controller::Controller::new(rules);
    let active = (0..700).map(|n| (Source::v4(n), active_ban(100, 9000)));
    let ended = (700..752).map(|n| (Source::v4(n), active_ban(100, 200 + u64::from(1000 - n))));
    let table: Vec<_> = active.chain(ended).collect();
    assert_eq!(
        controller.handle(tick(&table), at(1000)),
        [Command::ForgetBan { source: Source::v4(751) }, Command::ForgetBan { source: Source::v4(750) }]
    );
}

#[test]
fn an_operator_bans_and_lifts() {
    let mut controller = controller();
    let ban = Ban { level: 1, ..Ban::new(BanOrigin::Operator, 100 * SECOND_NS, 160 * SECOND_NS) };
    let record = Record {
        until: Some(Until::At(Timestamp { unix_ms: 160_000 })),
        level: Some(1),
        ..of_source(100, EventName::Ban).because("by operator: because")
    };
    assert_eq!(
        controller.handle(ban_input("203.0.113.9", BanLength::Ladder, None), at(100)),
        [Command::PutBan { source: SOURCE, ban }, Command::Report(record)]
    );
    assert_eq!(
        controller.handle(Input::Unban { target: Target::Source(SOURCE), found: ban }, at(110)),
        [
            Command::LiftBan { source: SOURCE },
            Command::Report(of_source(110, EventName::Unban).because("ban lifted by operator")),
        ]
    );
    assert_eq!(controller.handle(tick(&[]), at(170)), [], "a lifted ban does not expire");
}

#[test]
fn an_operator_bans_longer_but_never_shorter() {
    let mut controller = controller();
    let found = Ban { level: 3, user: pack("1000"), packets: 7, ..active_ban(100, 9000) };
    let commands = controller.handle(ban_input("203.0.113.9", BanLength::Nanos(MINUTE_NS), Some(found)), at(200));
    let Command::PutBan { ban, .. } = &commands[0] else { panic!("{commands:?}") };
    assert_eq!((ban.until_ns, ban.level, ban.packets, ban.user), (9000 * SECOND_NS, 3, 7, pack("1000")));
    let commands = controller.handle(ban_input("203.0.113.9", BanLength::UntilLifted, Some(found)), at(200));
    let Command::PutBan { ban, .. } = &commands[0] else { panic!("{commands:?}") };
    assert_eq!((ban.until_ns, ban.level), (UNTIL_LIFTED_NS, 3));
    let commands = controller.handle(ban_input("203.0.113.9", BanLength::Nanos(MINUTE_NS), None), at(200));
    let Command::PutBan { ban, .. } = &commands[0] else { panic!("{commands:?}") };
    assert_eq!((ban.until_ns, ban.level), (260 * SECOND_NS, 0), "outside the ladder");
}

#[test]
fn a_prefix_ban_ends() {
    let mut controller = controller();
    let commands = controller.handle(ban_input("203.0.113.0/24", BanLength::Nanos(MINUTE_NS), None), at(100));
    let Command::PutPrefixBan { prefix, ban } = commands[0] else { panic!("{commands:?}") };
    let tick = || Input::Tick { bans: Vec::new(), prefix_bans: vec![(prefix, ban)], shuns: Vec::new() };
    assert_eq!(controller.handle(tick(), at(159)), []);
    let record = Record { source: Some("203.0.113.0/24".to_owned()), ..bare(160, EventName::Expire) };
    assert_eq!(
        controller.handle(tick(), at(160)),
        [Command::RemovePrefixBan { prefix }, Command::Report(record.because("the ban is over"))]
    );
}

#[test]
fn what_was_lost_is_said() {
    assert_eq!(
        controller().handle(Input::EventsLost(7), at(1)),
        [Command::Report(
            bare(1, EventName::Degraded).because("7 events lost: the ring buffer was full; bans are not affected")
        )]
    );
}

#[test]
fn unknown_kinds_are_ignored() {
    let strange = Event { kind: 200, ..event(EventKind::Ban, SOURCE, 1) };
    assert_eq!(controller().handle(Input::Kernel(strange), at(1)), []);
}

#[test]
fn denied_packets_are_told_as_a_bounded_sample() {
    let mut controller = controller();
    let denied = |rule| Event { strikes: rule, ..event(EventKind::Denied, SOURCE, 100) };
    let reasons = |commands: Vec<Command>| -> Vec<String> {
        let record = |command| match command {
            Command::Report(record) => record,
            other => panic!("{other:?}"),
        };
        commands.into_iter().map(record).filter_map(|record| record.reason).collect()
    };
    assert_eq!(reasons(controller.handle(Input::Kernel(denied(1)), at(100))), ["by access rule 1, \"office\""]);
    let by_default = "by \"others\", the default of the service: no access rule matches";
    assert_eq!(reasons(controller.handle(Input::Kernel(denied(2)), at(100))), [by_default]);
    let said: usize = (0..100).map(|_| controller.handle(Input::Kernel(denied(1)), at(100)).len()).sum();
    assert_eq!(said, 18);
    let later = reasons(controller.handle(Input::Kernel(denied(1)), at(101)));
    assert_eq!(later, ["by access rule 1, \"office\", and 82 more samples"]);
}
