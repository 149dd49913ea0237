//! Forged packets ban nobody: not the office whose phones work, and none of a thousand others.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::net::SocketAddr;
use std::time::Duration;

use sip_fw_e2e::actors::{Client, Fleet, Spoofer};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{Kamailio, Nonces};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require, require_agent};

/// A port that no phone of the office uses.
const FORGED_PORT: u16 = 5077;

over_both_families!(
    forged_credentials_scans_and_responses_of_a_thousand_sources_ban_nobody,
    a_nonce_of_kamailio_spent_in_the_offices_name_bans_nobody,
    a_nonce_of_a_cured_kamailio_spent_in_the_offices_name_bans_nobody,
);

fn forged_credentials_scans_and_responses_of_a_thousand_sources_ban_nobody(family: Family) {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let scene = Scene::protect(binary, bed, &Policy::default()).unwrap();
    let fleet = Fleet::start(&scene.bed, &[family]).unwrap();
    fleet.wait_for_more(6).unwrap();

    let office = scene.bed.office.address(family);
    let sources: Vec<_> = std::iter::once(office).chain((0..1000).map(|n| family.world(n))).collect();
    let mut spoofer = Spoofer::new(&scene.bed.spoofer, &scene.bed.pbx).unwrap();
    for source in &sources {
        let source = SocketAddr::new(*source, FORGED_PORT);
        let repetitions = if source.ip() == office { 30 } else { 1 };
        for _ in 0..repetitions {
            spoofer.junk_credentials(source, "1001").unwrap();
            spoofer.scanner_options(source).unwrap();
            for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
                spoofer.forged_response(source, status).unwrap();
            }
        }
    }
    let forged =
        |seen: &[sip_fw_e2e::wire::Seen]| seen.iter().filter(|message| message.source.port() == FORGED_PORT).count();
    scene.cable.wait("all forged packets on the cable", |seen| forged(seen) as u64 == spoofer.sent).unwrap();
    fleet.wait_for_more(10).unwrap();
    assert_eq!(fleet.stop().lost, 0);

    scene.assert_nobody_banned();
    let rows = scene.agent.sources().unwrap();
    let proven: Vec<_> = rows.iter().filter(|row| row.failures_proven > 0).collect();
    assert!(proven.is_empty(), "{proven:?}");
    assert!(rows.len() >= 1001, "sip-fw knows {} sources", rows.len());
    let refused: u64 = registrar.counts().values().map(|count| count.refused).sum();
    assert_eq!(rows.iter().map(|row| row.failures_unproven).sum::<u64>(), refused);
}

fn a_nonce_of_kamailio_spent_in_the_offices_name_bans_nobody(family: Family) {
    spend_a_fetched_nonce(family, Nonces::Shared);
}

fn a_nonce_of_a_cured_kamailio_spent_in_the_offices_name_bans_nobody(family: Family) {
    spend_a_fetched_nonce(family, Nonces::PerSource);
}

/// The office registers all the time, so with shared nonces it was given the spoofer's nonce of the same second, too.
fn spend_a_fetched_nonce(family: Family, nonces: Nonces) {
    let Some(binary) = require_agent() else { return };
    if !require("kamailio") {
        return;
    }
    let bed = Bed::new().unwrap();
    let _kamailio = Kamailio::start(&bed.pbx, nonces).unwrap();
    let scene = Scene::protect(binary, bed, &Policy::default()).unwrap();
    let fleet = Fleet::start(&scene.bed, &[family]).unwrap();
    fleet.wait_for_more(6).unwrap();

    let office = scene.bed.office.address(family);
    let mut spoofer = Spoofer::new(&scene.bed.spoofer, &scene.bed.pbx).unwrap();
    let own = scene.bed.spoofer.address(family);
    for _ in 0..4 {
        let mut client = Client::dial(&scene.bed.spoofer, own, scene.bed.pbx.sip(family), Transport::Udp).unwrap();
        let request = client.request("REGISTER", "1001");
        let challenge = client.transact(&request, Duration::from_secs(3)).unwrap().challenge().unwrap();
        for _ in 0..20 {
            spoofer.credentials(SocketAddr::new(office, FORGED_PORT), "1001", &challenge).unwrap();
        }
        fleet.wait_for_more(12).unwrap();
    }
    assert_eq!(fleet.stop().lost, 0);
    scene.assert_nobody_banned();
    let said = scene.assert_agrees(office);
    assert_eq!((said.failures_proven, said.failures_unproven), (0, spoofer.sent), "{}: {said:?}", source_name(office));
}
