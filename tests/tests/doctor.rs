//! `sip-fw doctor`: a healthy host is called so, and each trouble, made for real, is named.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;

use serde_json::Value;
use sip_fw_common::abi::VERSION;
use sip_fw_e2e::actors::{Client, Phone, Registration};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::peers::{ACCOUNTS, Kamailio, Nonces};
use sip_fw_e2e::process::Process;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, require, require_agent};

/// What the doctor said, and how it ended.
struct Visit {
    code: i32,
    report: Value,
}

impl Visit {
    #[track_caller]
    fn to(agent: &Agent) -> Self {
        Self::with(agent, &[])
    }

    #[track_caller]
    fn with(agent: &Agent, arguments: &[&str]) -> Self {
        let outcome = agent.call(&[&["doctor", "--json"], arguments].concat()).unwrap();
        let report = serde_json::from_str(&outcome.stdout);
        let report = report.unwrap_or_else(|error| panic!("{error}: {} {}", outcome.stdout, outcome.stderr));
        Self { code: outcome.code, report }
    }

    fn findings(&self) -> &Vec<Value> {
        self.report["findings"].as_array().unwrap()
    }

    /// The finding of a check, and of a subject where that is not empty: its state and its text.
    #[track_caller]
    fn said(&self, check: &str, subject: &str) -> (&str, &str) {
        let is = |found: &&Value| found["check"] == check && (subject.is_empty() || found["subject"] == subject);
        let found = self.findings().iter().find(is);
        let found = found.unwrap_or_else(|| panic!("no {check} of {subject:?} in {:#}", self.report));
        (found["state"].as_str().unwrap(), found["text"].as_str().unwrap())
    }

    #[track_caller]
    fn assert(&self, check: &str, subject: &str, state: &str, text: &str) {
        let (found, said) = self.said(check, subject);
        assert!(found == state && said.contains(text), "expected {state}, {text:?}: {found}, {said:?}");
    }

    /// Nothing but this is a problem, or nothing at all.
    #[track_caller]
    fn assert_only_problem(&self, checks: &[&str]) {
        let is_problem = |found: &&Value| found["state"] == "problem";
        let found: Vec<_> = self.findings().iter().filter(is_problem).map(|found| found["check"].clone()).collect();
        assert_eq!(found, checks, "{:#}", self.report);
        assert_eq!(self.report["state"] == "problem", !checks.is_empty());
    }
}

#[test]
fn a_healthy_host() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    for family in Family::BOTH {
        let (host, from) = (&bed.office, bed.office.address(family));
        let mut phone = Phone::new(host, from, bed.pbx.sip(family), Transport::Udp, ACCOUNTS[1]).unwrap();
        assert_eq!(phone.register(), Registration::Done);
    }
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0, "{:#}", visit.report);
    visit.assert_only_problem(&[]);
    visit.assert("agent", "", "ok", "running for ");
    visit.assert("configuration", "", "ok", "in force");
    visit.assert("mode", "", "ok", "enforce");
    visit.assert("features", "", "ok", "has what the programs need");
    visit.assert("bpffs", "", "ok", "");
    let interface = bed.pbx.interface();
    let egress = if visit.said("tcx", "").0 == "ok" { "tcx" } else { "clsact" };
    visit.assert("attached", interface, "ok", &format!("{interface}: ingress native, egress {egress}"));
    visit.assert("other-programs", interface, "ok", "no other");
    visit.assert("driver", interface, "ok", "veth");
    visit.assert("offloads", interface, "ok", "");
    visit.assert("listening", "sip", "ok", "udp/5060 (doctor-");
    visit.assert("unprotected", "", "ok", "");
    visit.assert("unattached", "", "ok", "");
    visit.assert("requests", "", "ok", "seen ");
    visit.assert("answers", "", "ok", "4 answers to 4 SIP requests");
    visit.assert("lost", "", "ok", "");
    visit.assert("kernel-clock", "", "ok", "");
    visit.assert("state-folder", "", "ok", "");
    visit.assert("canary-ipv4", "", "ok", "to udp/5060, is dropped at ");
    visit.assert("canary-ipv6", "", "ok", "to udp/5060, is dropped at ");

    let human = agent.call(&["doctor"]).unwrap();
    assert_eq!((human.code, human.stderr.as_str()), (0, ""));
    assert_eq!(human.stdout.lines().count(), visit.findings().len(), "a line for each: {}", human.stdout);
}

#[test]
fn the_schema() {
    let Some((_bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let Visit { report, .. } = Visit::to(&agent);
    assert_eq!((&report["schema"], &report["agent_running"]), (&1.into(), &true.into()));
    let states = ["ok", "note", "warning", "problem"];
    let groups = ["agent", "kernel", "attachment", "services", "pbx", "traffic", "clock", "store", "canary"];
    let findings = report["findings"].as_array().unwrap();
    let worst = findings.iter().filter_map(|found| states.iter().position(|state| found["state"] == *state)).max();
    assert_eq!(report["state"], states[worst.unwrap()]);
    let order: Vec<_> =
        findings.iter().map(|found| groups.iter().position(|group| found["group"] == *group).unwrap()).collect();
    assert!(order.is_sorted(), "{report:#}");
    assert_eq!(order.iter().max(), Some(&(groups.len() - 1)));
    for found in findings {
        let keys: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["group", "check", "subject", "state", "text", "advice"]);
        assert!(found["advice"].is_string() || found["advice"].is_null(), "{found:#}");
        assert!(found["state"] == "ok" || found["state"] == "note" || found["advice"].is_string(), "{found:#}");
    }
}

#[test]
fn the_canary_leaves_nothing_behind() {
    let Some((_bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let ban = agent.call(&["ban", "192.0.2.66", "--for", "1h"]).unwrap();
    assert_eq!(ban.code, 0, "{}", ban.stderr);
    // Ten times, so that one of them meets a tick of the agent.
    for _ in 0..10 {
        let visit = Visit::to(&agent);
        visit.assert(
            "canary-ipv4",
            "",
            "ok",
            "a packet from 198.51.100.67, banned for a moment, to udp/5060, is dropped",
        );
    }
    let bans = agent.json(&["bans", "--ended", "--json"]).unwrap();
    let bans: Vec<_> = bans["bans"].as_array().unwrap().iter().map(|ban| (&ban["source"], &ban["state"])).collect();
    assert_eq!(bans, [(&"192.0.2.66".into(), &"active".into())], "the ban of somebody else stays, and it alone");
    assert!(agent.sources().unwrap().is_empty());
    assert_eq!(agent.json(&["status", "--json"]).unwrap()["counters"]["banned"]["packets"], 20);
    assert_eq!(agent.call(&["unban", "192.0.2.66"]).unwrap().code, 0);
    agent.wait_for_event("unban", "").unwrap();
    let canary = |event: &Value| event["source"].as_str().is_some_and(|source| source != "192.0.2.66");
    assert!(!agent.events().iter().any(canary), "{}", agent.log());
}

#[test]
fn observe_mode_would_drop_the_canary() {
    let Some((_bed, _registrar, agent)) = protected(&Policy { mode: "observe", ..Policy::default() }) else { return };
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0, "{:#}", visit.report);
    visit.assert("mode", "", "warning", "nothing is dropped");
    for check in ["canary-ipv4", "canary-ipv6"] {
        visit.assert(check, "", "ok", "would be dropped, but for mode observe,");
    }
    assert_eq!(Visit::with(&agent, &["--strict"]).code, 1, "a warning");
}

#[test]
fn trusted_addresses_are_no_canaries() {
    let trust = |nets: &str| format!("[[access]]\nname = \"lab\"\nfrom = [{nets}]\naction = \"trust\"\n");
    let some = Policy { extra: trust("\"192.0.2.0/24\", \"2001:db8:66::/48\""), ..Policy::default() };
    let Some((_bed, _registrar, agent)) = protected(&some) else { return };
    let visit = Visit::to(&agent);
    visit.assert("canary-ipv4", "", "ok", "198.51.100.67");
    visit.assert("canary-ipv6", "", "ok", "2001:db8:866:66::66");
    let all = "\"192.0.2.0/24\", \"198.51.100.0/24\", \"203.0.113.0/24\", \"2001:db8::/32\"";
    agent.configure(&Policy { extra: trust(all), ..Policy::default() }).unwrap();
    Visit::to(&agent).assert("configuration", "", "note", "not what the agent goes by");
    assert_eq!(agent.apply(&[]).unwrap().code, 0);
    for check in ["canary-ipv4", "canary-ipv6"] {
        Visit::to(&agent).assert(check, "", "note", "the access rules trust");
    }
}

#[test]
fn a_closed_service_drops_the_canary_as_banned() {
    let closed = Policy { sip: "default = \"deny\"\n".to_owned(), ..Policy::default() };
    let Some((_bed, _registrar, agent)) = protected(&closed) else { return };
    Visit::to(&agent).assert("canary-ipv4", "", "ok", "is dropped at");
}

#[test]
fn no_agent_and_nothing_attached() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let mut agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 4, "{:#}", visit.report);
    assert_eq!(visit.report["agent_running"], false);
    visit.assert_only_problem(&["agent", "attached"]);
    visit.assert("agent", "", "problem", "nothing is attached");
    visit.assert("attached", bed.pbx.interface(), "problem", "nothing is dropped there");
    visit.assert("listening", "sip", "warning", "nothing listens on udp/5060, tcp/5060");

    agent.restart().unwrap();
    agent.kill9();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 4);
    visit.assert_only_problem(&["agent"]);
    visit.assert("agent", "", "problem", "what is attached goes on banning");
    visit.assert("canary-ipv4", "", "ok", "is dropped at");
}

#[test]
fn faulty_configurations() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    agent.reconfigure("threshold = 5", "threshold = 0\nwat = 1").unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1);
    visit.assert_only_problem(&["configuration"]);
    visit.assert("configuration", "", "problem", "has 2 faults");
    visit.assert("attached", bed.pbx.interface(), "ok", "");
    visit.assert("canary-ipv4", "", "ok", "is dropped at");
    fs::remove_file(agent.config()).unwrap();
    assert_eq!(agent.call(&["doctor"]).unwrap().code, 2);
}

#[test]
fn programs_that_were_taken_off() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let interface = bed.pbx.interface();
    let links = agent.pins().join(format!("v{VERSION}")).join("links").join(interface);
    let egress = fs::read_dir(&links).unwrap().flatten().map(|entry| entry.path());
    let egress = egress.into_iter().find(|path| path.to_string_lossy().contains("egress-")).unwrap();
    fs::remove_file(egress).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1, "{:#}", visit.report);
    visit.assert_only_problem(&["attached"]);
    visit.assert("attached", interface, "problem", "no failure is seen there");
    fs::remove_file(links.join("ingress-native")).unwrap();
    agent.wait_until_off(&bed.pbx).unwrap();
    let visit = Visit::to(&agent);
    assert!(matches!(visit.code, 1 | 4), "the agent ends when it sees that: {:#}", visit.report);
    visit.assert("attached", interface, "problem", "nothing is attached to");
    visit.assert("canary-ipv4", "", "note", "no program is attached");
}

#[test]
fn an_interface_that_is_not_there() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let interface = bed.pbx.interface();
    agent.reconfigure(&format!("[\"{interface}\"]"), &format!("[\"{interface}\", \"gone0\"]")).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1);
    visit.assert("attached", "gone0", "problem", "there is no interface gone0");
    visit.assert("attached", interface, "ok", "");
}

#[test]
fn a_service_nothing_listens_on() {
    let extra = "[[service]]\nname = \"second\"\nkind = \"sip\"\nlisten = [\"udp/5070\", \"tcp/5070\"]\n";
    let Some((bed, _registrar, agent)) = protected(&Policy { extra: extra.to_owned(), ..Policy::default() }) else {
        return;
    };
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0);
    visit.assert("listening", "second", "warning", "nothing listens on udp/5070, tcp/5070");
    visit.assert("listening", "sip", "ok", "");
    let _udp = udp(&bed, bed.pbx.address(Family::V6), 5070);
    Visit::to(&agent).assert("listening", "second", "note", "nothing on tcp/5070");
}

#[test]
fn sip_ports_that_nobody_protects() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let v6 = udp(&bed, bed.pbx.address(Family::V6), 5080);
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1);
    visit.assert_only_problem(&["unprotected"]);
    visit.assert("unprotected", "udp/5080", "problem", &bed.pbx.address(Family::V6).to_string());
    drop(v6);
    let tcp = tcp(&bed, bed.pbx.address(Family::V4), 5080);
    let visit = Visit::to(&agent);
    visit.assert_only_problem(&["unprotected"]);
    visit.assert("unprotected", "tcp/5080", "problem", "no service protects it");
    drop(tcp);
    let _tls = self::tcp(&bed, bed.pbx.address(Family::V4), 5061);
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0);
    visit.assert("tls", "tcp/5061", "warning", "banned sources get through");
    let opaque = "[[service]]\nname = \"tls\"\nkind = \"opaque\"\nlisten = [\"tcp/5061\"]\n";
    agent.configure(&Policy { extra: opaque.to_owned(), ..Policy::default() }).unwrap();
    assert_eq!(agent.apply(&[]).unwrap().code, 0);
    Visit::to(&agent).assert("tls", "tcp/5061", "note", "banned sources are kept out");
}

#[test]
fn a_second_interface_that_is_not_attached() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let add = "link add other0 type veth peer name other1\naddr add 10.99.0.1/24 dev other0\nlink set other0 up\nlink set other1 up\n";
    bed.pbx.namespace().ip_batch(add).unwrap();
    Visit::to(&agent).assert("unattached", "", "ok", "");
    let _everywhere = udp(&bed, IpAddr::from([10, 99, 0, 1]), 5060);
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0);
    visit.assert("unattached", "other0", "warning", "udp/5060 can be reached there past sip-fw");
    assert_eq!(Visit::with(&agent, &["--strict"]).code, 1);
}

#[test]
fn other_programs_in_the_way() {
    if !require("tc") {
        return;
    }
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    let interface = bed.pbx.interface();
    tc(&bed, &["qdisc", "add", "dev", interface, "clsact"]);
    // A program of one instruction: it returns -1, go on.
    let bpf = ["bpf", "da", "bytecode", "1,6 0 0 4294967295,"];
    for side in ["ingress", "egress"] {
        tc(&bed, &[&["filter", "add", "dev", interface, side, "prio", "7"], &bpf[..]].concat());
    }
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0);
    let tcx = visit.said("attached", interface).1.contains("egress tcx");
    let (state, text) = visit.said("other-programs", interface);
    assert!(text.contains("tc filter bpf") && text.contains("(priority 7)"), "{text}");
    // Behind TCX whatever the priority; where the program is such a filter itself, it is the one behind or before.
    assert!(state == "note" || !tcx && state == "warning", "{state}: {text}");
}

#[test]
fn an_xdp_program_in_the_place_of_ours() {
    let Some((bed, _registrar, agent)) = protected(&Policy::default()) else { return };
    // With other pins, what is attached belongs to somebody else.
    let pins = format!("pins = \"{}", agent.pins().display());
    agent.reconfigure(&pins, &format!("{pins}-elsewhere")).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1);
    visit.assert_only_problem(&["attached", "other-programs"]);
    visit.assert("other-programs", bed.pbx.interface(), "problem", "\"sip_fw_ingress\" is in the place of sip-fw's");
    agent.reconfigure(&format!("{pins}-elsewhere"), &pins).unwrap();
    Visit::to(&agent).assert_only_problem(&[]);
}

#[test]
fn a_silent_host_and_unseen_answers() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::start(binary, &bed, &Policy::default()).unwrap();
    Visit::to(&agent).assert("requests", "", "note", "no SIP request was seen yet");
    let silent = udp(&bed, bed.pbx.address(Family::V4), 5060);
    let (host, pbx) = (&bed.office, bed.pbx.sip(Family::V4));
    let mut client = Client::dial(host, host.address(Family::V4), pbx, Transport::Udp).unwrap();
    for _ in 0..21 {
        let request = client.request("OPTIONS", "probe");
        client.send(&request.bytes());
    }
    let name = host.address(Family::V4).to_string();
    wait_for("the requests", PATIENCE, || agent.source(&name).unwrap().requests == 21).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 1);
    visit.assert_only_problem(&["answers"]);
    visit.assert("answers", "", "problem", "21 SIP requests were seen, and no answer of the PBX");
    wait_for("a second of silence", PATIENCE, || {
        Visit::with(&agent, &["--quiet-for", "1s"]).said("requests", "").0 == "warning"
    })
    .unwrap();
    drop(silent);
}

#[test]
fn kamailio_needs_settings() {
    if !require("kamailio") {
        return;
    }
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let _kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
    let agent = Agent::start(binary, &bed, &Policy::default()).unwrap();
    let visit = Visit::to(&agent);
    assert_eq!(visit.code, 0, "{:#}", visit.report);
    visit.assert("listening", "sip", "ok", "udp/5060 (kamailio), tcp/5060 (kamailio)");
    visit.assert("refusal", "sip", "note", "kamailio says 403");
    visit.assert("nonces", "", "note", "the same nonce within a second");
    // Two phones within a second get the same one.
    wait_for("a shared nonce", PATIENCE, || {
        for host in [&bed.office, &bed.carrier] {
            let (from, pbx) = (host.address(Family::V4), bed.pbx.sip(Family::V4));
            let mut phone = Phone::new(host, from, pbx, Transport::Udp, ACCOUNTS[1]).unwrap();
            assert_eq!(phone.register(), Registration::Done);
        }
        Visit::to(&agent).said("nonces", "").0 == "warning"
    })
    .unwrap();
    let visit = Visit::to(&agent);
    visit.assert("nonces", "", "warning", "nonces went to several sources");
    let advice = visit.findings().iter().find(|found| found["check"] == "nonces").unwrap()["advice"].as_str();
    assert!(advice.unwrap().contains("auth_checks_register"), "{advice:?}");
}

/// A registrar on the SIP port, and sip-fw in front of it.
fn protected(policy: &Policy) -> Option<(Bed, Registrar, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let agent = Agent::start(binary, &bed, policy).unwrap();
    Some((bed, registrar, agent))
}

fn udp(bed: &Bed, address: IpAddr, port: u16) -> UdpSocket {
    bed.pbx.namespace().open(|| UdpSocket::bind(SocketAddr::new(address, port))).unwrap()
}

fn tcp(bed: &Bed, address: IpAddr, port: u16) -> TcpListener {
    bed.pbx.namespace().open(|| TcpListener::bind(SocketAddr::new(address, port))).unwrap()
}

fn tc(bed: &Bed, arguments: &[&str]) {
    let mut command = Command::new("tc");
    command.args(arguments);
    let mut process: Process = bed.pbx.spawn(command).unwrap();
    assert!(process.wait(PATIENCE).unwrap().success(), "tc {}: {}", arguments.join(" "), process.stderr());
}
