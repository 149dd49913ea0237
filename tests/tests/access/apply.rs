//! `apply` without a deadline: in force at once, or faulty and nothing changed.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Family, over_both_families};

use crate::stage::{Fate, Stage, access, policy};

over_both_families!(an_applied_rule_is_in_force_at_once);

fn an_applied_rule_is_in_force_at_once(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let (scene, bed) = (&stage.scene, &stage.scene.bed);
    let before = stage.generation();
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Passes);
    scene.agent.configure(&policy("allow", access("out", &[&family.net(2)], "sip", "deny"))).unwrap();
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Passes, "a file that nobody applied");
    let outcome = scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Dropped);
    assert!(stage.generation() > before);
    scene.agent.wait_for_event("rules-applied", "").unwrap();

    // Another file is taken over: the next start reads the same rules.
    let open = scene.agent.write_candidate("open.toml", &policy("allow", String::new())).unwrap();
    let outcome = scene.agent.apply(&[&open]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Passes);
    assert_eq!(fs::read_to_string(scene.agent.config()).unwrap(), fs::read_to_string(&open).unwrap());
    assert!(fs::metadata(&open).is_ok(), "copied, not moved");
}

#[test]
fn sighup_is_apply() {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let (scene, bed) = (&stage.scene, &stage.scene.bed);
    let out = access("out", &[&Family::V4.net(2), &Family::V6.net(2)], "sip", "deny");
    scene.agent.configure(&policy("allow", out)).unwrap();
    scene.agent.signal(Signal::SIGHUP);
    for family in Family::BOTH {
        stage.wait_for_fate(&bed.attacker, family, Fate::Dropped, PATIENCE);
        assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
    }
}

#[test]
fn every_fault_is_told_and_nothing_changes() {
    let out = |family: Family| access("out", &[&family.net(2)], "sip", "deny");
    let Some(stage) = Stage::set(&policy("allow", out(Family::V4) + &out(Family::V6).replace("out", "out6"))) else {
        return;
    };
    let (scene, bed) = (&stage.scene, &stage.scene.bed);
    let fates =
        || Family::BOTH.map(|family| (stage.fate_of(&bed.attacker, family), stage.fate_of(&bed.office, family)));
    let as_before = [(Fate::Dropped, Fate::Passes); 2];
    assert_eq!(fates(), as_before);
    let (rules, generation) = (listed(&stage), stage.generation());
    let faulty = policy(
        "forbid",
        access("in", &["10.98.1.0/33"], "", "allow")
            + &access("in", &["feed:nowhere"], "", "deny")
            + &access("other", &["10.98.2.0/24"], "mail", "drop")
            + "wat = 1\n",
    );
    let file = scene.agent.write_candidate("faulty.toml", &faulty).unwrap();
    let text = fs::read_to_string(scene.agent.config()).unwrap();
    let told = ["forbid", "10.98.1.0/33", "nowhere", "mail", "drop", "wat", "\"in\""];

    for arguments in [&[&file[..]][..], &[&file, "--force"], &[&file, "--confirm-within", "60s"]] {
        let outcome = scene.agent.apply(arguments).unwrap();
        assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stderr);
        for word in told {
            assert!(outcome.stderr.contains(word), "{arguments:?}: nothing about {word}:\n{}", outcome.stderr);
        }
        assert_eq!(outcome.stdout, "");
    }
    // The same as the agent's own file, and then by signal.
    scene.agent.configure(&faulty).unwrap();
    assert_eq!(scene.agent.apply(&[]).unwrap().code, 2);
    scene.agent.signal(Signal::SIGHUP);
    for word in told {
        scene.agent.wait_for_event("degraded", word).unwrap();
    }
    assert_eq!(scene.agent.apply(&["/nonexistent.toml"]).unwrap().code, 2);
    assert_eq!(scene.agent.call(&["confirm"]).unwrap().code, 3);
    assert_eq!(fates(), as_before);
    assert_eq!((listed(&stage), stage.generation()), (rules, generation));
    fs::write(scene.agent.config(), text).unwrap();
    assert_eq!(scene.agent.apply(&[]).unwrap().code, 0);
    assert_eq!(fates(), as_before);
}

#[test]
fn without_an_agent_there_is_nobody_to_apply() {
    let Some(mut stage) = Stage::set(&policy("allow", String::new())) else { return };
    stage.scene.agent.kill9();
    for arguments in [&["apply"][..], &["confirm"]] {
        let outcome = stage.scene.agent.call(arguments).unwrap();
        assert_eq!(outcome.code, 4, "{arguments:?}: {}", outcome.stderr);
    }
    // What is in force can still be read.
    let rules = stage.scene.agent.call(&["rules", "--json"]).unwrap();
    assert!(rules.code == 4 || serde_json::from_str::<Value>(&rules.stdout).is_ok(), "{rules:?}");
}

/// The lines in force, without their counters.
fn listed(stage: &Stage) -> Vec<(String, Vec<String>, String)> {
    stage.scene.agent.rules().unwrap().into_iter().map(|rule| (rule.name, rule.from, rule.action)).collect()
}
