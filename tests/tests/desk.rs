//! The answers to operators and what they write into the tables, on real maps that nothing is attached to.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use serde_json::Value;
use sip_fw_agent::clock;
use sip_fw_agent::config::parse;
use sip_fw_agent::control::answer::{Desk, controller_of};
use sip_fw_agent::control::execute::execute;
use sip_fw_agent::control::protocol::{Failure, Length, Request};
use sip_fw_agent::kernel::{DryRun, Loaded};
use sip_fw_common::abi::{Ban, Source};
use sip_fw_core::controller::Command;
use sip_fw_core::guard::Guard;
use sip_fw_core::record::Record;
use sip_fw_core::rules::RuleSet;

const HOUR: Length = Length::Seconds(3600);

#[test]
fn a_prefix_ban_shows_at_the_source_and_one_settings_write_counts_many() {
    let mut run = dry_run();
    for prefix in ["198.51.100.0/24", "203.0.113.0/24", "2001:db8::/48"] {
        ask(&mut run, &ban(prefix, HOUR)).0.unwrap();
    }
    assert_eq!(run.tables.live().unwrap().prefix_bans, 3);
    let explained = ask(&mut run, &Request::Explain { address: "198.51.100.7".to_owned(), service: None }).0.unwrap();
    assert_eq!(explained["now"]["service"], "drop");
    assert_eq!(explained["prefix_bans"][0]["source"], "198.51.100.0/24");
    let (lifted, records) = ask(&mut run, &Request::UnbanAll);
    assert_eq!(lifted.unwrap()["unbanned"].as_array().unwrap().len(), 3);
    assert_eq!(records.len(), 3, "{records:?}");
    assert_eq!(run.tables.live().unwrap().prefix_bans, 0);
}

#[test]
fn a_ban_by_hand_never_shortens_one_that_egress_wrote_meanwhile() {
    let mut run = dry_run();
    ask(&mut run, &ban("203.0.113.9", HOUR)).0.unwrap();
    let source = Source::v4(0xcb00_7109);
    let longer = run.tables.ban(source).unwrap().unwrap();
    let shorter = Ban { until_ns: longer.until_ns - 1_000_000_000, ..longer };
    let (_, errors) = execute(vec![Command::PutBan { source, ban: shorter }], &mut run.tables, 0);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(run.tables.ban(source).unwrap().unwrap().until_ns, longer.until_ns);
}

#[test]
fn a_ban_in_force_is_lifted_but_never_forgotten() {
    let mut run = dry_run();
    ask(&mut run, &ban("203.0.113.9", Length::Ladder)).0.unwrap();
    let source = Source::v4(0xcb00_7109);
    let now_ns = clock::now().kernel_ns;
    execute(vec![Command::ForgetBan { source }], &mut run.tables, now_ns);
    assert_eq!(run.tables.ban(source).unwrap().map(|ban| ban.level), Some(1));
    execute(vec![Command::LiftBan { source }], &mut run.tables, now_ns);
    let lifted = run.tables.ban(source).unwrap().unwrap();
    assert_eq!((lifted.level, lifted.until_ns <= now_ns), (0, true));
    execute(vec![Command::ForgetBan { source }], &mut run.tables, now_ns);
    assert_eq!(run.tables.ban(source).unwrap(), None);
}

#[test]
fn what_is_refused_is_not_written() {
    let mut run = dry_run();
    for (target, exit) in [("127.0.0.1", 5), ("0.0.0.0/0", 5), ("ff02::1", 5), ("nonsense", 2), ("192.0.2.10", 5)] {
        let (reply, records) = ask(&mut run, &ban(target, HOUR));
        assert_eq!(u8::from(reply.unwrap_err().exit), exit, "{target}");
        assert!(records.is_empty(), "{records:?}");
    }
    assert_eq!(run.tables.bans().unwrap(), []);
    assert_eq!(u8::from(ask(&mut run, &Request::UnbanAll).0.unwrap_err().exit), 3);
}

fn ban(target: &str, length: Length) -> Request {
    Request::Ban { target: target.to_owned(), length, reason: None }
}

fn ask(run: &mut DryRun, request: &Request) -> (Result<Value, Failure>, Vec<Record>) {
    let mut controller = controller_of(&run.tables, vec!["sip".to_owned()]).unwrap();
    let guard = Guard::new(vec!["192.0.2.10".parse().unwrap()]);
    let tables = &mut run.tables;
    let mut desk = Desk { tables, controller: &mut controller, agent: None, access: None, guard, records: Vec::new() };
    (desk.answer(request, clock::now()), desk.records)
}

fn dry_run() -> DryRun {
    let config = parse("x.toml".as_ref(), "interfaces = [\"eth0\"]").unwrap();
    let mut run = DryRun::load(&config.limits).unwrap();
    let set = RuleSet::compile(&config.plan(Vec::new(), 1, |_| Vec::new())).unwrap();
    let loaded = Loaded::load(&set).unwrap();
    run.tables.put_in_force(&loaded).unwrap();
    run
}
