//! Lists from files and over HTTP: in force while their source is away, followed when they change.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use sip_fw_e2e::peers::ListServer;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Host};

use crate::stage::{Fate, Stage, access, policy};

/// Longer than the shortest interval of a feed, which is a minute.
const INTERVAL: Duration = Duration::from_secs(90);

/// One minute of one test is all the waiting that the shortest interval asks for: both families in one.
#[test]
fn a_feed_survives_its_server_and_the_agent_and_is_followed() {
    let bed = Bed::new().unwrap();
    let server = ListServer::start(&bed.carrier, &list(&bed.attacker)).unwrap();
    let url = ListServer::url(&bed.carrier, Family::V4);
    let feed = format!("[[feed]]\nname = \"bad\"\nurl = {url:?}\ninterval = \"1m\"\n\n");
    let policy = policy("allow", feed + &access("blocklist", &["feed:bad"], "", "deny"));
    let Some(mut stage) = Stage::on(bed, &policy) else { return };
    for family in Family::BOTH {
        stage.wait_for_fate(&stage.scene.bed.attacker, family, Fate::Dropped, PATIENCE);
    }
    assert_fates(&stage, Fate::Dropped, Fate::Passes);
    assert_eq!(server.served(), 1);

    drop(server);
    assert_fates(&stage, Fate::Dropped, Fate::Passes);
    stage.scene.agent.kill9();
    assert_fates(&stage, Fate::Dropped, Fate::Passes);
    stage.scene.agent.restart().unwrap();
    assert_fates(&stage, Fate::Dropped, Fate::Passes);
    wait_for("the agent to miss the list", INTERVAL, || {
        let told = |event: &serde_json::Value| event["reason"].as_str().unwrap_or_default().contains("bad");
        stage.scene.agent.events().iter().any(|event| event["event"] == "degraded" && told(event))
    })
    .unwrap();
    assert_fates(&stage, Fate::Dropped, Fate::Passes);

    // It comes back with another list; `apply` fetches what is overdue.
    let server = ListServer::start(&stage.scene.bed.carrier, &list(&stage.scene.bed.office)).unwrap();
    let outcome = stage.scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    for family in Family::BOTH {
        stage.wait_for_fate(&stage.scene.bed.attacker, family, Fate::Passes, INTERVAL);
        stage.wait_for_fate(&stage.scene.bed.office, family, Fate::Dropped, PATIENCE);
    }
    assert!(server.served() > 0);
}

#[test]
fn a_file_is_read_again_at_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocked.txt");
    let from = format!("file:{}", file.display());
    fs::write(&file, "# nobody yet\n").unwrap();
    let Some(stage) = Stage::set(&policy("allow", access("blocklist", &[&from], "", "deny"))) else { return };
    assert_fates(&stage, Fate::Passes, Fate::Passes);
    for (blocked, free) in
        [(&stage.scene.bed.attacker, &stage.scene.bed.office), (&stage.scene.bed.office, &stage.scene.bed.attacker)]
    {
        fs::write(&file, list(blocked)).unwrap();
        stage.scene.agent.signal(Signal::SIGHUP);
        for family in Family::BOTH {
            stage.wait_for_fate(blocked, family, Fate::Dropped, PATIENCE);
            stage.wait_for_fate(free, family, Fate::Passes, PATIENCE);
        }
    }
    // A file that is gone is a fault, and changes nothing.
    fs::remove_file(&file).unwrap();
    stage.scene.agent.signal(Signal::SIGHUP);
    stage.scene.agent.wait_for_event("degraded", "blocked.txt").unwrap();
    assert_fates(&stage, Fate::Passes, Fate::Dropped);
}

#[track_caller]
fn assert_fates(stage: &Stage, attacker: Fate, office: Fate) {
    for family in Family::BOTH {
        let bed = &stage.scene.bed;
        assert_eq!((stage.fate_of(&bed.attacker, family), stage.fate_of(&bed.office, family)), (attacker, office));
    }
}

/// The networks of a host, as blocklists write them.
fn list(host: &Host) -> String {
    let [v4, v6] = Family::BOTH.map(|family| host.net(family));
    format!("# made for a test\n{v4} ; a comment\n\n{v6}\n203.0.113.9\n")
}
