//! `apply --confirm-within`: what nobody confirms is undone at its time, whatever became of the agent.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Family, Policy, over_both_families};

use crate::stage::{Fate, Stage, access, policy};

/// A deadline that comes soon, and one that outlasts a restart of the agent.
const SOON: Duration = Duration::from_secs(4);
const LATER: Duration = Duration::from_secs(10);

over_both_families!(
    an_unconfirmed_change_is_undone_by_itself,
    a_confirmed_change_stays,
    the_kernel_undoes_what_a_dead_agent_cannot,
    a_restarted_agent_keeps_waiting,
    a_restarted_agent_can_be_told_to_keep_it,
    a_restart_after_the_deadline_stays_on_the_old_rules,
    nothing_that_lapsed_comes_back_unasked,
    it_goes_back_to_a_list_that_is_gone,
);

fn an_unconfirmed_change_is_undone_by_itself(family: Family) {
    let Some(stage) = open_to_all() else { return };
    let agent = &stage.scene.agent;
    let before = fs::read_to_string(agent.config()).unwrap();
    let file = agent.write_candidate("closed.toml", &closed(family)).unwrap();
    let deadline = apply(&stage, &[&file], SOON);
    assert_closed(&stage, family);
    let pending = agent.json(&["rules", "--json"]).unwrap()["pending"].clone();
    assert!(pending["until"].is_string(), "{pending}");
    assert!(Instant::now() < deadline, "the machine is too busy for this test");
    wait_until_open(&stage, family, deadline);
    assert_nothing_waits(&stage);
    assert_eq!(fs::read_to_string(agent.config()).unwrap(), before, "never confirmed, never taken over");
}

fn a_confirmed_change_stays(family: Family) {
    let Some(stage) = open_to_all() else { return };
    let agent = &stage.scene.agent;
    let file = agent.write_candidate("closed.toml", &closed(family)).unwrap();
    let deadline = apply(&stage, &[&file], SOON);
    assert_ne!(fs::read_to_string(agent.config()).unwrap(), fs::read_to_string(&file).unwrap());
    let confirm = agent.call(&["confirm"]).unwrap();
    assert_eq!(confirm.code, 0, "{}", confirm.stderr);
    assert!(Instant::now() < deadline, "the machine is too busy for this test");
    assert_nothing_waits(&stage);
    assert_eq!(fs::read_to_string(agent.config()).unwrap(), fs::read_to_string(&file).unwrap());
    wait_for_time(deadline);
    assert_closed(&stage, family);
}

fn the_kernel_undoes_what_a_dead_agent_cannot(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    stage.scene.agent.configure(&closed(family)).unwrap();
    let deadline = apply(&stage, &[], SOON);
    stage.scene.agent.kill9();
    assert_closed(&stage, family);
    assert!(Instant::now() < deadline, "the machine is too busy for this test");
    wait_until_open(&stage, family, deadline);
    assert!(!stage.scene.agent.is_running());
}

fn a_restarted_agent_keeps_waiting(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    stage.scene.agent.configure(&closed(family)).unwrap();
    let deadline = apply(&stage, &[], LATER);
    stage.scene.agent.kill9();
    stage.scene.agent.restart().unwrap();
    assert_closed(&stage, family);
    let pending = stage.scene.agent.json(&["rules", "--json"]).unwrap()["pending"].clone();
    assert!(pending["until"].is_string(), "{pending}");
    assert!(Instant::now() < deadline, "the machine is too busy for this test");
    wait_until_open(&stage, family, deadline);
    assert_nothing_waits(&stage);
}

fn a_restarted_agent_can_be_told_to_keep_it(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    let file = stage.scene.agent.write_candidate("closed.toml", &closed(family)).unwrap();
    let deadline = apply(&stage, &[&file], LATER);
    stage.scene.agent.kill9();
    stage.scene.agent.restart().unwrap();
    let confirm = stage.scene.agent.call(&["confirm"]).unwrap();
    assert_eq!(confirm.code, 0, "{}", confirm.stderr);
    assert!(Instant::now() < deadline, "the machine is too busy for this test");
    wait_for_time(deadline);
    assert_closed(&stage, family);
    assert_eq!(fs::read_to_string(stage.scene.agent.config()).unwrap(), fs::read_to_string(&file).unwrap());
}

fn a_restart_after_the_deadline_stays_on_the_old_rules(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    stage.scene.agent.configure(&closed(family)).unwrap();
    let deadline = apply(&stage, &[], SOON);
    stage.scene.agent.kill9();
    wait_until_open(&stage, family, deadline);
    stage.scene.agent.restart().unwrap();
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Passes);
    stage.scene.agent.wait_for_event("degraded", "confirm").unwrap();
    assert_eq!(stage.scene.agent.rules().unwrap().iter().filter(|rule| rule.name == "out").count(), 0);
    assert_nothing_waits(&stage);
    // The operator, who knows now, says so again.
    let outcome = stage.scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_closed(&stage, family);
}

fn nothing_that_lapsed_comes_back_unasked(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    // The agent's own file is tried, then another one; both lapse.
    stage.scene.agent.configure(&closed(family)).unwrap();
    let other = policy("allow", access("other", &[&family.net(2)], "sip", "deny"));
    let other = stage.scene.agent.write_candidate("other.toml", &other).unwrap();
    for arguments in [&[][..], &[&other[..]]] {
        let deadline = apply(&stage, arguments, SOON);
        assert_closed(&stage, family);
        assert!(Instant::now() < deadline, "the machine is too busy for this test");
        wait_until_open(&stage, family, deadline);
        assert_nothing_waits(&stage);
    }
    stage.scene.agent.signal(Signal::SIGHUP);
    stage.scene.agent.wait_for_event("degraded", "was tried and not confirmed").unwrap();
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Passes);
    stage.scene.agent.kill9();
    stage.scene.agent.restart().unwrap();
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Passes);
    let outcome = stage.scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_closed(&stage, family);
    // Who asked for it by name may reload it.
    stage.scene.agent.signal(Signal::SIGHUP);
    stage.scene.agent.kill9();
    stage.scene.agent.restart().unwrap();
    assert_closed(&stage, family);
}

fn it_goes_back_to_a_list_that_is_gone(family: Family) {
    let Some(mut stage) = open_to_all() else { return };
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    fs::write(&list, family.net(2)).unwrap();
    let listed = policy("allow", access("listed", &[&format!("file:{}", list.display())], "sip", "deny"));
    stage.scene.agent.configure(&listed).unwrap();
    assert_eq!(stage.scene.agent.apply(&[]).unwrap().code, 0);
    assert_closed(&stage, family);
    let open = stage.scene.agent.write_candidate("open.toml", &policy("allow", String::new())).unwrap();
    let within = format!("{}s", SOON.as_secs());
    let outcome = stage.scene.agent.apply(&[&open, "--confirm-within", &within]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    fs::remove_file(&list).unwrap();
    stage.wait_for_fate(&stage.scene.bed.attacker, family, Fate::Dropped, SOON + PATIENCE);
    assert_nothing_waits(&stage);
    assert_closed(&stage, family);
    // Killed on trial, it starts although the list it goes back to is gone.
    let outcome = stage.scene.agent.apply(&[&open, "--confirm-within", "60s"]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    stage.scene.agent.kill9();
    stage.scene.agent.restart().unwrap();
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Passes);
}

fn open_to_all() -> Option<Stage> {
    Stage::set(&policy("allow", String::new()))
}

/// The attacker's network is out.
fn closed(family: Family) -> Policy {
    policy("allow", access("out", &[&family.net(2)], "sip", "deny"))
}

/// Applies with a deadline; gives when it will be over at the latest.
#[track_caller]
fn apply(stage: &Stage, arguments: &[&str], within: Duration) -> Instant {
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, Family::V4), Fate::Passes);
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, Family::V6), Fate::Passes);
    let within_text = format!("{}s", within.as_secs());
    let outcome = stage.scene.agent.apply(&[arguments, &["--confirm-within", &within_text]].concat()).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    Instant::now() + within
}

#[track_caller]
fn assert_closed(stage: &Stage, family: Family) {
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Dropped);
    assert_eq!(stage.fate_of(&stage.scene.bed.office, family), Fate::Passes);
}

#[track_caller]
fn wait_until_open(stage: &Stage, family: Family, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    stage.wait_for_fate(&stage.scene.bed.attacker, family, Fate::Passes, left + PATIENCE);
}

/// Until nothing can be undone any more.
fn wait_for_time(deadline: Instant) {
    let over = deadline + Duration::from_secs(1);
    wait_for("the deadline to pass", LATER + PATIENCE, || Instant::now() > over).unwrap();
}

#[track_caller]
fn assert_nothing_waits(stage: &Stage) {
    let pending = || stage.scene.agent.json(&["rules", "--json"]).unwrap()["pending"].clone();
    wait_for("nothing to wait", PATIENCE, || pending() == Value::Null).unwrap();
    let confirm = stage.scene.agent.call(&["confirm"]).unwrap();
    assert_eq!(confirm.code, 3, "{}", confirm.stderr);
}
