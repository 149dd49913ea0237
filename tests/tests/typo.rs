//! A person mistypes a password: baresip tries it fifteen times at once, is blocked for the first step, and registers after it.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::{Duration, Instant};

use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{ACCOUNTS, Baresip, Kamailio, Nonces};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::wire::tally;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require, require_agent};

const STEP: Duration = Duration::from_secs(3);

/// What a busy machine may add to the step.
const SLACK: Duration = Duration::from_secs(3);

over_both_families!(a_mistyped_baresip_is_blocked_for_the_first_step_only);

fn a_mistyped_baresip_is_blocked_for_the_first_step_only(family: Family) {
    let Some(binary) = require_agent() else { return };
    if !(require("kamailio") && require("baresip")) {
        return;
    }
    let bed = Bed::new().unwrap();
    let _kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
    let policy = Policy { ladder: vec!["3s", "10m", "1h"], ..Policy::default() };
    let scene = Scene::protect(binary, bed, &policy).unwrap();
    let (office, pbx) = (scene.bed.office.address(family), scene.bed.pbx.address(family));
    let name = source_name(office);

    let mistyped = Baresip::start(&scene.bed.office, office, pbx, ("1000", "1243")).unwrap();
    let failures = |seen: &[_]| tally(seen).get(&name).map_or(0, |count| count.failures);
    scene.inside.wait("five failures", |seen| failures(seen) >= 5).unwrap();
    let banned = Instant::now();
    mistyped.stop(Duration::from_secs(1));
    assert_eq!(failures(&scene.inside.seen().unwrap()), 5);

    wait_for("the end of the ban", PATIENCE, || scene.agent.bans().unwrap().is_empty()).unwrap();
    assert!(banned.elapsed() < STEP + SLACK, "blocked for {:?}", banned.elapsed());
    let corrected = Baresip::start(&scene.bed.office, office, pbx, ACCOUNTS[0]).unwrap();
    scene
        .inside
        .wait("the corrected baresip to register", |seen| {
            tally(seen).get(&name).is_some_and(|count| count.successes > 0)
        })
        .unwrap();
    corrected.stop(Duration::from_secs(1));
    scene.assert_nobody_banned();
}
