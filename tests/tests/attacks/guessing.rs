//! svcrack while the office works, and while the victim of the guesses registers with the right password. IPv4: svcrack 0.3.3
//! cannot read IPv6 literals.

use sip_fw_e2e::peers::{CrackEnd, svcrack};
use sip_fw_e2e::{Family, Policy};

use super::siege::{Pbx, Siege, usual};

#[test]
fn svcrack_as_it_comes_is_not_heard_by_kamailio() {
    not_heard(Pbx::Kamailio);
}

#[test]
fn svcrack_as_it_comes_is_not_heard_by_asterisk() {
    not_heard(Pbx::Asterisk);
}

#[test]
fn svcrack_unrecognized_is_banned_at_a_cured_kamailio() {
    banned(Pbx::CuredKamailio);
}

#[test]
fn svcrack_unrecognized_is_banned_at_asterisk() {
    banned(Pbx::Asterisk);
}

/// The office registers all the time, so it is given most nonces that svcrack is given, and most guesses prove nothing. If
/// five in a row are on a nonce that the office was not given yet, they ban; otherwise there is a shun.
#[test]
fn svcrack_unrecognized_is_stopped_at_kamailio() {
    let Some(mut siege) = Siege::begin(Family::V4, Pbx::Kamailio, &unrecognized(), &["svcrack"]) else { return };
    siege.add_newcomers(|bed| &bed.carrier);
    let end = crack(&siege, "2000-3999");
    assert!(!end.found && end.gave_up, "{}", end.output);
    let attacker = siege.attacker();
    let said = siege.scene.assert_agrees(attacker);
    eprintln!("{} sent, {said:?}", siege.scene.sent_by(attacker));
    // What a source may send at once, and what it may send in the seconds until it is shunned.
    assert!(said.failures() <= 100 + 5 * 20, "{said:?}");
    if said.failures_proven >= 5 {
        siege.assert_banned();
    } else {
        siege.assert_shunned();
    }
    siege.end();
}

fn not_heard(pbx: Pbx) {
    let Some(mut siege) = Siege::begin(Family::V4, pbx, &usual(), &["svcrack"]) else { return };
    siege.add_newcomers(|bed| &bed.carrier);
    let end = crack(&siege, "1200-1300");
    assert!(!end.found, "{}", end.output);
    siege.wait_for_event("scanner", siege.attacker());
    siege.assert_shunned();
    assert_eq!(siege.arrived(siege.attacker()), 0, "{}", end.output);
    siege.end();
}

fn banned(pbx: Pbx) {
    let Some(mut siege) = Siege::begin(Family::V4, pbx, &unrecognized(), &["svcrack"]) else { return };
    siege.add_newcomers(|bed| &bed.carrier);
    let end = crack(&siege, "1200-1300");
    assert!(!end.found && end.gave_up, "{}", end.output);
    siege.scene.assert_banned_after(siege.attacker(), 5);
    let reason = siege.assert_banned();
    assert!(reason.starts_with("5 auth failures"), "{reason}");
    siege.end();
}

#[test]
fn svcrack_does_not_find_a_weak_password_at_a_busy_kamailio() {
    let Some(siege) = Siege::begin(Family::V4, Pbx::Kamailio, &unrecognized(), &["svcrack"]) else { return };
    let end = crack(&siege, "1200-1300");
    assert!(!end.found, "{}", end.output);
    siege.end();
}

/// Without scanner signatures: svcrack gets to its guesses.
fn unrecognized() -> Policy {
    Policy { scanners: "none", ..usual() }
}

fn crack(siege: &Siege, range: &str) -> CrackEnd {
    let bed = &siege.scene.bed;
    svcrack(&bed.attacker, siege.attacker(), bed.pbx.address(Family::V4), "1000", "1234", range).unwrap()
}
