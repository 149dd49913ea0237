//! The metrics of an agent under attack, scraped, read strictly, and compared with the wire and with `sip-fw status`.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod clients;
mod openmetrics;

use std::net::{SocketAddr, TcpListener};

use anyhow::Result;
use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::http::get;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Agent, Bed, Family, Host, Policy, Scene, over_both_families, require_agent};

use openmetrics::Exposition;

const LISTEN: &str = "127.0.0.1:9469";

over_both_families!(an_attack_shows);

fn an_attack_shows(family: Family) {
    let Some((_registrar, mut scene)) = protected() else { return };
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = Guesser::new(
        &scene.bed.attacker,
        attacker,
        scene.bed.pbx.sip(family),
        Transport::Udp,
        "1000",
        NonceHabit::Reuse,
    )
    .unwrap();
    let passwords: Vec<_> = (0..20).map(|n| format!("{n:04}")).collect();
    assert_eq!(guesser.guess_all(passwords.iter().map(String::as_str)), (5, Guess::Silence));
    let before = scene.sent_by(attacker);
    passwords.iter().for_each(|password| guesser.shout(password));
    scene.wait_until_sent(attacker, before + 20);
    scene.assert_banned_after(attacker, 5);

    let page = wait_until_it_agrees(&scene);
    let dropped = scene.sent_by(attacker) - scene.counted(attacker).requests as u64;
    assert_eq!(page.value("sip_fw_packets_total", &[("reason", "banned")]), dropped as f64);
    assert_eq!(page.value("sip_fw_packets_total", &[("reason", "failure-proven")]), 5.0);
    assert_eq!(page.value("sip_fw_bans", &[("level", "1")]), 1.0);
    assert_eq!(page.value("sip_fw_events_total", &[("event", "auth-failure")]), 5.0);
    assert_eq!(page.value("sip_fw_events_total", &[("event", "ban")]), 1.0);
    assert_eq!(page.value("sip_fw_table_entries", &[("table", "bans")]), 1.0);
    assert_eq!(page.value("sip_fw_table_capacity", &[("table", "bans")]), 65_536.0);
    assert_eq!((page.value("sip_fw_enforcing", &[]), page.value("sip_fw_prefix_bans", &[])), (1.0, 0.0));
    let values = page.label_values();
    assert!(!values.contains("1000") && !values.contains(source_name(attacker).as_str()), "{values:?}");

    // What the kernel counts outlives the agent.
    scene.agent.kill9();
    scene.agent.restart().unwrap();
    let after = wait_until_it_agrees(&scene);
    assert!(after.value("sip_fw_packets_total", &[("reason", "banned")]) >= dropped as f64);
    assert_eq!(after.value("sip_fw_events_total", &[("event", "ban")]), 0.0);
    let started = |page: &Exposition| page.value("sip_fw_agent_started_timestamp_seconds", &[]);
    assert!(started(&after) > started(&page));
}

#[test]
fn nothing_is_served_unless_it_is_asked_for() {
    let Some((bed, agent)) = agent_with("") else { return };
    let address = LISTEN.parse().unwrap();
    assert!(scrape(&bed.pbx, address).is_err());
    agent.configure(&policy(&listen(LISTEN))).unwrap();
    agent.signal(Signal::SIGHUP);
    wait_for("metrics", PATIENCE, || scrape(&bed.pbx, address).is_ok()).unwrap();
    assert!(get(&bed.pbx, address, "/").unwrap().0.starts_with("http/1.1 404 "));
}

#[test]
fn a_reload_moves_them_and_renews_the_time_of_the_rules() {
    let Some((bed, agent)) = agent_with(&listen(LISTEN)) else { return };
    let (before, after): (SocketAddr, SocketAddr) = (LISTEN.parse().unwrap(), "[::1]:9470".parse().unwrap());
    let loaded = |page: &Exposition| page.value("sip_fw_rules_loaded_timestamp_seconds", &[]);
    let first = loaded(&scrape_when_served(&bed, before));
    let deny = "[[access]]\nname = \"x\"\nfrom = [\"192.0.2.0/25\", \"2001:db8::/48\"]\naction = \"deny\"\n";
    agent.configure(&policy(&format!("{deny}{}", listen("[::1]:9470")))).unwrap();
    agent.signal(Signal::SIGHUP);
    let page = scrape_when_served(&bed, after);
    assert!(loaded(&page) > first && page.value("sip_fw_rules_prefixes", &[]) >= 2.0);
    wait_for("the address before to be let go", PATIENCE, || scrape(&bed.pbx, before).is_err()).unwrap();
}

#[test]
fn a_port_that_is_taken_keeps_nothing_from_starting() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let address: SocketAddr = LISTEN.parse().unwrap();
    let other = bed.pbx.namespace().open(|| TcpListener::bind(address)).unwrap();
    let agent = Agent::start(binary, &bed, &policy(&listen(LISTEN))).unwrap();
    agent.wait_for_event("degraded", "[metrics] listen: 127.0.0.1:9469: Address already in use").unwrap();
    drop(other);
    scrape_when_served(&bed, address);
    let told = agent.events().iter().filter(|event| event["event"] == "degraded").count();
    assert_eq!(told, 1, "{}", agent.log());
}

/// The metrics, strictly read.
fn scrape(host: &Host, address: SocketAddr) -> Result<Exposition> {
    let (header, body) = get(host, address, "/metrics")?;
    assert!(header.starts_with("http/1.1 200 ok\r\n"), "{header}");
    assert!(header.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{header}");
    assert!(header.contains(&format!("content-length: {}", body.len())), "{header}");
    Ok(Exposition::read(&body))
}

/// Scrapes until every counter is that of `sip-fw status`, and compares the rest.
#[track_caller]
fn wait_until_it_agrees(scene: &Scene) -> Exposition {
    let mut last = None;
    let agreed = wait_for("the metrics to agree with status", PATIENCE, || {
        let Ok(page) = scrape(&scene.bed.pbx, LISTEN.parse().unwrap()) else { return false };
        let status = scene.agent.json(&["status", "--json"]).unwrap();
        let agrees = counters_agree(&page, &status);
        last = Some((page, status));
        agrees
    });
    assert!(agreed.is_ok(), "{last:?}");
    let (page, status) = last.unwrap();
    let bans: f64 = page.all("sip_fw_bans").iter().map(|(_, count)| count).sum();
    assert_eq!(bans, status["bans_active"].as_f64().unwrap());
    assert_eq!(page.value("sip_fw_table_entries", &[("table", "sources")]), status["sources"].as_f64().unwrap());
    assert_eq!(page.value("sip_fw_events_lost_total", &[]), status["agent"]["events_lost"].as_f64().unwrap());
    let attachment = &status["attachments"][0];
    for direction in ["ingress", "egress"] {
        let label = |key: &str| attachment[key].as_str().unwrap();
        let labels = [("interface", label("interface")), ("direction", direction), ("mode", label(direction))];
        assert_eq!(page.value("sip_fw_attached", &labels), 1.0);
    }
    assert_eq!(page.value("sip_fw_build_info", &[("version", status["agent"]["version"].as_str().unwrap())]), 1.0);
    page
}

fn counters_agree(page: &Exposition, status: &Value) -> bool {
    [("sip_fw_packets_total", "packets"), ("sip_fw_bytes_total", "bytes")].into_iter().all(|(name, key)| {
        let all = page.all(name);
        all.len() > 20
            && all.iter().all(|(labels, count)| status["counters"][&labels["reason"]][key].as_f64() == Some(*count))
    })
}

#[track_caller]
fn scrape_when_served(bed: &Bed, address: SocketAddr) -> Exposition {
    let mut page = None;
    wait_for("metrics", PATIENCE, || {
        page = scrape(&bed.pbx, address).ok();
        page.as_ref().is_some_and(|page| page.value("sip_fw_rules_loaded_timestamp_seconds", &[]) > 0.0)
    })
    .unwrap();
    page.unwrap()
}

fn listen(address: &str) -> String {
    format!("[metrics]\nlisten = \"{address}\"\n")
}

fn policy(extra: &str) -> Policy {
    Policy { extra: extra.to_owned(), ..Policy::default() }
}

fn agent_with(extra: &str) -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let agent = Agent::start(binary, &bed, &policy(extra)).unwrap();
    Some((bed, agent))
}

fn protected() -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    Some((registrar, Scene::protect(binary, bed, &policy(&listen(LISTEN))).unwrap()))
}
