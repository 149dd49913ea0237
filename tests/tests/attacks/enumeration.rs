//! Who asks for many users and never follows up is shunned. SIPVicious 0.3.3 cannot set another User-Agent, but with `-c`
//! it sends none at all, so that no signature gives it away.

use std::net::IpAddr;
use std::time::Instant;

use sip_fw_e2e::actors::Client;
use sip_fw_e2e::peers::Vicious;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Family, over_both_families};

use super::siege::{Pbx, Siege, usual};

/// What a source may send at once, and what more it may until user space has decided: a second's rate, doubled for a busy
/// machine.
const ANSWERED_MAX: usize = 100 + 40;

over_both_families!(
    svmap_for_many_users_is_an_enumeration,
    a_slow_enumeration_of_asterisk_is_noticed,
    an_enumeration_over_tcp_is_banned,
);

#[test]
fn svwar_options_are_an_enumeration() {
    svwar_is_an_enumeration("OPTIONS", "OPTIONS to 30 users within a minute: ");
}

#[test]
fn svwar_register_is_an_enumeration() {
    svwar_is_an_enumeration("REGISTER", "100 challenges at once, none answered");
}

#[test]
fn svwar_invite_is_an_enumeration() {
    svwar_is_an_enumeration("INVITE", "100 challenges at once, none answered");
}

/// At a PBX that tells who exists: only there svwar goes through its range. IPv4: it cannot read IPv6 literals.
fn svwar_is_an_enumeration(method: &str, why: &str) {
    let Some(mut siege) = Siege::begin(Family::V4, Pbx::TellingKamailio, &usual(), &["svwar"]) else {
        return;
    };
    let attacker = siege.attacker();
    let run = |siege: &Siege| start(siege, "svwar", &["-m", method, "-e", "2000-2600", "--maximumtime", "2"]);
    let first = run(&siege);
    siege.add_newcomers(|bed| &bed.carrier);
    let reason = siege.wait_for_event("enumeration", attacker);
    assert!(reason.starts_with(why), "{reason}");
    siege.assert_shunned();
    let output = first.output().unwrap();
    let (sent, answered) = (siege.scene.sent_by(attacker), siege.answered(attacker));
    eprintln!("svwar {method}: {sent} sent, {answered} answered: {reason}");
    assert!(answered <= ANSWERED_MAX, "{answered} of {sent}: {output}");
    assert!(siege.counter("shunned") > 0);

    let output = run(&siege).output().unwrap();
    assert!(output.contains("found nothing"), "{output}");
    assert_eq!(siege.answered(attacker), answered, "a shunned source is not answered");
    siege.assert_shunned();
    siege.end();
}

/// svmap asks one user per run, so it is run for forty.
fn svmap_for_many_users_is_an_enumeration(family: Family) {
    let Some(mut siege) = Siege::begin(family, Pbx::Asterisk, &usual(), &["svmap"]) else { return };
    let attacker = siege.attacker();
    let runs: Vec<_> = (3000..3040).map(|user| svmap(&siege, "OPTIONS", user)).collect();
    siege.add_newcomers(|bed| &bed.carrier);
    for run in runs {
        run.output().unwrap();
    }
    let reason = siege.wait_for_event("enumeration", attacker);
    assert!(reason.starts_with("OPTIONS to 30 users"), "{reason}");
    siege.assert_shunned();
    assert!((30..=40).contains(&siege.answered(attacker)));
    siege.end();
}

/// Asterisk challenges everybody, at which svwar ends after a few users: somebody runs it again and again.
fn a_slow_enumeration_of_asterisk_is_noticed(family: Family) {
    let Some(mut siege) = Siege::begin(family, Pbx::Asterisk, &usual(), &["svwar", "svmap"]) else { return };
    let attacker = siege.attacker();
    siege.add_newcomers(|bed| &bed.carrier);
    let begin = Instant::now();
    let mut user = 3000;
    while siege.events("enumeration", attacker).is_empty() {
        assert!(begin.elapsed() < 2 * PATIENCE, "{}", siege.scene.agent.log());
        let runs: Vec<_> = (0..6)
            .map(|run| {
                user += 100;
                match (family, run % 2) {
                    (Family::V6, _) => svmap(&siege, "INVITE", user),
                    (Family::V4, 0) => svwar_forced(&siege, "REGISTER", user),
                    (Family::V4, _) => svwar_forced(&siege, "INVITE", user),
                }
            })
            .collect();
        for run in runs {
            run.output().unwrap();
        }
    }
    let reason = siege.wait_for_event("enumeration", attacker);
    eprintln!("{} sent, {} answered: {reason}", siege.scene.sent_by(attacker), siege.answered(attacker));
    assert!(reason.contains("users asked for, none followed up"), "{reason}");
    siege.assert_shunned();
    assert!(siege.answered(attacker) <= ANSWERED_MAX);
    siege.end();
}

/// No tool of SIPVicious 0.3.3 speaks TCP.
fn an_enumeration_over_tcp_is_banned(family: Family) {
    let Some(mut siege) = Siege::begin(family, Pbx::Asterisk, &usual(), &[]) else { return };
    let attacker = siege.attacker();
    siege.add_newcomers(|bed| &bed.carrier);
    let bed = &siege.scene.bed;
    let mut client = Client::dial(&bed.attacker, attacker, bed.pbx.sip(family), Transport::Tcp).unwrap();
    let asked = (3000..3200).take_while(|user| {
        let request = client.request("REGISTER", &user.to_string());
        client.transact(&request, PATIENCE / 5).is_some()
    });
    let answered = asked.count();
    assert!((99..=ANSWERED_MAX).contains(&answered), "{answered}");
    assert_eq!(siege.wait_for_event("enumeration", attacker), "100 challenges at once, none answered");
    assert_eq!(siege.assert_banned(), "100 challenges at once, none answered");
    siege.end();
}

fn svmap(siege: &Siege, method: &str, user: u32) -> Vicious {
    start(siege, "svmap", &["-m", method, "--fromname", "Alice", "-e", &user.to_string()])
}

fn svwar_forced(siege: &Siege, method: &str, user: u32) -> Vicious {
    start(siege, "svwar", &["--force", "-m", method, "-e", &format!("{user}-{}", user + 99)])
}

fn start(siege: &Siege, tool: &str, arguments: &[&str]) -> Vicious {
    let (from, pbx): (IpAddr, IpAddr) = (siege.attacker(), siege.scene.bed.pbx.address(siege.family));
    Vicious::start(&siege.scene.bed.attacker, tool, from, &pbx.to_string(), &[&["-c"], arguments].concat()).unwrap()
}
