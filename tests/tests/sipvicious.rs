//! SIPVicious against a protected Kamailio with its default, shared nonces. IPv4: svcrack 0.3.3 cannot read IPv6 literals;
//! guessing.rs does the same over IPv6.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::peers::{Kamailio, Nonces, svcrack, svwar};
use sip_fw_e2e::scene::messages_of;
use sip_fw_e2e::wire::Direction;
use sip_fw_e2e::{Bed, Family, Policy, Scene, require, require_agent};

#[test]
fn svcrack_does_not_find_the_weak_password() {
    let Some((_kamailio, scene)) = protected_kamailio("svcrack") else { return };
    let (attacker, pbx) = (scene.bed.attacker.address(Family::V4), scene.bed.pbx.address(Family::V4));
    let end = svcrack(&scene.bed.attacker, attacker, pbx, "1000", "1234", "1200-1300").unwrap();
    assert!(!end.found, "{}", end.output);
    assert!(end.gave_up, "{}", end.output);
    scene.assert_banned_after(attacker, 5);
    let dropped = scene.sent_by(attacker) - messages_of(&scene.inside.seen().unwrap(), attacker, Direction::In);
    assert!(dropped > 10, "{dropped} dropped");
}

#[test]
fn svwar_proves_nothing_over_udp() {
    let Some((_kamailio, scene)) = protected_kamailio("svwar") else { return };
    let (attacker, pbx) = (scene.bed.attacker.address(Family::V4), scene.bed.pbx.address(Family::V4));
    let output = svwar(&scene.bed.attacker, attacker, pbx, "900-930").unwrap();
    let requests = scene.counted(attacker).requests;
    assert!(requests > 0, "{output}");
    let said = scene.assert_agrees(attacker);
    assert_eq!((said.requests, said.failures(), said.attempts), (requests as u64, 0, 0), "{said:?}");
    scene.assert_nobody_banned();
}

fn protected_kamailio(tool: &str) -> Option<(Kamailio, Scene)> {
    let binary = require_agent()?;
    if !(require("kamailio") && require(tool)) {
        return None;
    }
    let bed = Bed::new().unwrap();
    let kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
    Some((kamailio, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}
