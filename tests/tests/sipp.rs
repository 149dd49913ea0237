//! SIPp registers at a protected Kamailio: good ones all pass, bad ones end at the fifth failure.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::peers::{ACCOUNTS, Kamailio, Nonces, Scenario, Sipp, SippEnd};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require, require_agent};

over_both_families!(registrations_over_udp, registrations_over_tcp);

fn registrations_over_udp(family: Family) {
    registrations(family, Transport::Udp);
}

fn registrations_over_tcp(family: Family) {
    registrations(family, Transport::Tcp);
}

fn registrations(family: Family, transport: Transport) {
    let Some(binary) = require_agent() else { return };
    if !(require("kamailio") && require("sipp")) {
        return;
    }
    let bed = Bed::new().unwrap();
    let kamailio = Kamailio::start(&bed.pbx, Nonces::PerSource).unwrap();
    let scene = Scene::protect(binary, bed, &Policy::default()).unwrap();
    let (office, attacker) = (scene.bed.office.address(family), scene.bed.attacker.address(family));
    let pbx = scene.bed.pbx.sip(family);

    let good = Sipp::start(&scene.bed.office, office, pbx, transport, Scenario::Good, &ACCOUNTS, 30).unwrap();
    let bad =
        Sipp::start(&scene.bed.attacker, attacker, pbx, transport, Scenario::Bad, &[("1001", "guess")], 20).unwrap();
    assert_eq!(good.wait().unwrap(), SippEnd::AllPassed, "{}", kamailio.log());
    assert_ne!(bad.wait().unwrap(), SippEnd::AllPassed);

    scene.assert_banned_after(attacker, 5);
    let said = scene.assert_agrees(office);
    assert_eq!((said.successes, said.failures(), said.drops), (30, 0, 0), "{said:?}");
}
