//! Trusted sources are never inspected and never banned, not even by hand; allowed ones are judged as ever.

use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Family, Host, over_both_families};

use crate::stage::{Fate, Stage, access, policy};

const GUESSES: usize = 40;

over_both_families!(a_trusted_guesser_is_never_banned, trust_comes_before_a_ban, an_allowed_guesser_is_banned);

fn a_trusted_guesser_is_never_banned(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", access("pen-test", &[&family.net(2)], "", "trust"))) else { return };
    let scene = &stage.scene;
    let attacker = scene.bed.attacker.address(family);
    assert_eq!(guess(&stage, &scene.bed.attacker, family), (GUESSES as u64, Guess::Refused(401)));
    scene.assert_nobody_banned();
    let refused = scene.agent.call(&["ban", &attacker.to_string(), "--for", "1h"]).unwrap();
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("pen-test"), "{}", refused.stderr);
    scene.assert_nobody_banned();
    assert_eq!(stage.fate(&scene.bed.attacker, attacker), Fate::Passes);

    // The wire has one challenge and every guess; sip-fw looked at none of them.
    assert_eq!(scene.counted(attacker).failures, GUESSES);
    let said = scene.agent.source(&source_name(attacker)).unwrap();
    assert_eq!((said.attempts, said.failures(), said.strikes, said.drops), (0, 0, 0, 0), "{said:?}");
    let sent = scene.sent_by(attacker);
    stage.wait_for_count("pen-test", "sip", sent);
    let status = scene.agent.json(&["status", "--json"]).unwrap();
    assert_eq!(status["counters"]["trusted"]["packets"], sent, "{status:#}");
    assert_eq!(stage.explained(attacker, "sip"), ("pen-test".to_owned(), "trust".to_owned()));
    // Nobody else is trusted.
    let office = scene.bed.office.address(family).to_string();
    assert_eq!(scene.agent.call(&["ban", &office, "--for", "1h"]).unwrap().code, 0);
    assert_eq!(stage.fate_of(&scene.bed.office, family), Fate::Dropped);
}

fn trust_comes_before_a_ban(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let scene = &stage.scene;
    let attacker = scene.bed.attacker.address(family);
    assert_eq!(guess(&stage, &scene.bed.attacker, family), (5, Guess::Silence));
    scene.assert_banned_after(attacker, 5);
    scene.agent.configure(&policy("allow", access("pen-test", &[&family.net(2)], "", "trust"))).unwrap();
    let outcome = scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.fate(&scene.bed.attacker, attacker), Fate::Passes);
}

fn an_allowed_guesser_is_banned(family: Family) {
    let Some(stage) = Stage::set(&policy("deny", access("guests", &[&family.net(2)], "", "allow"))) else { return };
    assert_eq!(guess(&stage, &stage.scene.bed.attacker, family), (5, Guess::Silence));
    stage.scene.assert_banned_after(stage.scene.bed.attacker.address(family), 5);
}

fn guess(stage: &Stage, host: &Host, family: Family) -> (u64, Guess) {
    let pbx = stage.scene.bed.pbx.sip(family);
    let mut guesser = Guesser::new(host, host.address(family), pbx, Transport::Udp, "1000", NonceHabit::Reuse).unwrap();
    let passwords: Vec<_> = (0..GUESSES).map(|n| format!("no{n}")).collect();
    guesser.guess_all(passwords.iter().map(String::as_str))
}
