//! A registrar behind sip-fw, questions to it from any address of the bed, and access rules in a line each.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sip_fw_e2e::actors::{Client, Phone, Registration};
use sip_fw_e2e::agent::RuleRow;
use sip_fw_e2e::peers::ACCOUNTS;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::wire::{Direction, Seen};
use sip_fw_e2e::{Bed, Family, Host, Policy, Scene, require_agent};

/// From the cable to the stack behind XDP it takes microseconds.
const SETTLE: Duration = Duration::from_millis(500);

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The PBX answered it.
    Passes,
    /// It was on the cable to the PBX, and its stack never saw it.
    Dropped,
}

/// Everything that runs. The fields are dropped in this order: the bed goes last.
pub struct Stage {
    pub registrar: Registrar,
    pub scene: Scene,
}

impl Stage {
    /// A registrar, sip-fw with this configuration, and the taps.
    pub fn set(policy: &Policy) -> Option<Self> {
        Self::on(Bed::new().unwrap(), policy)
    }

    /// The same on a bed where something is running already.
    pub fn on(bed: Bed, policy: &Policy) -> Option<Self> {
        let binary = require_agent()?;
        let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
        Some(Self { scene: Scene::protect(binary, bed, policy).unwrap(), registrar })
    }

    /// Sends one OPTIONS from the address `from` of `host` and follows it.
    #[track_caller]
    pub fn fate(&self, host: &Host, from: IpAddr) -> Fate {
        let pbx = self.scene.bed.pbx.sip(Family::of(&from));
        let mut client = Client::dial(host, from, pbx, Transport::Udp).unwrap();
        let request = client.request("OPTIONS", "probe");
        client.send(&request.bytes());
        let ours = |seen: &[Seen], direction| {
            let mut requests = seen.iter().filter(|seen| seen.status.is_none() && seen.branch == request.branch);
            requests.any(|seen| seen.direction == direction)
        };
        self.scene.cable.wait("a probe on the cable", |seen| ours(seen, Direction::Out)).unwrap();
        let arrived = wait_for("a probe", SETTLE, || ours(&self.scene.inside.seen().unwrap(), Direction::In));
        if arrived.is_err() {
            return Fate::Dropped;
        }
        let answer = client.receive(Instant::now() + PATIENCE).expect("an answer to a probe that passed");
        assert_eq!(answer.status(), Some(200), "{}", answer.first_line);
        Fate::Passes
    }

    /// The fate of a packet from the first address of `host`.
    #[track_caller]
    pub fn fate_of(&self, host: &Host, family: Family) -> Fate {
        self.fate(host, host.address(family))
    }

    /// Waits until packets from the first address of `host` meet this fate.
    #[track_caller]
    pub fn wait_for_fate(&self, host: &Host, family: Family, expected: Fate, limit: Duration) {
        let from = host.address(family);
        if let Err(error) = wait_for(&format!("{from}: {expected:?}"), limit, || self.fate(host, from) == expected) {
            panic!("{error:#}\n{:#?}\n{}", self.scene.agent.rules(), self.scene.agent.log());
        }
    }

    /// Registers a phone as 1001 from the first address of `host`.
    pub fn register(&self, host: &Host, family: Family) -> Registration {
        let pbx = self.scene.bed.pbx.sip(family);
        Phone::new(host, host.address(family), pbx, Transport::Udp, ACCOUNTS[1]).unwrap().register()
    }

    /// The line `name` of `sip-fw rules`; for `others` that of the service `to`.
    #[track_caller]
    pub fn rule(&self, name: &str, to: &str) -> RuleRow {
        let rules = self.scene.agent.rules().unwrap();
        let found = rules.iter().find(|rule| rule.name == name && rule.to.iter().any(|service| service == to));
        found.unwrap_or_else(|| panic!("no line {name} to {to} in {rules:#?}")).clone()
    }

    /// Waits until a line of `sip-fw rules` has counted exactly this many packets.
    #[track_caller]
    pub fn wait_for_count(&self, name: &str, to: &str, packets: u64) {
        let counted = wait_for("the counter of a line", PATIENCE, || self.rule(name, to).packets == packets);
        assert!(counted.is_ok(), "{name} to {to}: the wire has {packets} packets: {:?}", self.rule(name, to));
    }

    /// The line that decides about `from` at a service, and what it does, by `sip-fw explain`.
    #[track_caller]
    pub fn explained(&self, from: IpAddr, service: &str) -> (String, String) {
        let said = self.scene.agent.call(&["explain", &from.to_string(), "--json"]).unwrap();
        // 3: nothing is known of the source but what the rules say.
        assert!(matches!(said.code, 0 | 3), "{}", said.stderr);
        let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let access = said["access"].as_array().unwrap_or_else(|| panic!("{said:#}"));
        let found = access.iter().find(|line| line["service"] == service).unwrap_or_else(|| panic!("{said:#}"));
        let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        (word("rule"), word("action"))
    }

    /// The number of the rule set in force.
    pub fn generation(&self) -> u64 {
        self.scene.agent.json(&["rules", "--json"]).unwrap()["generation"].as_u64().unwrap()
    }
}

/// One `[[access]]` line; `to` may be empty: all services.
pub fn access(name: &str, from: &[&str], to: &str, action: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!("to = [{to:?}]\n") };
    format!("[[access]]\nname = {name:?}\nfrom = {from:?}\n{to}action = {action:?}\n\n")
}

/// One `[[service]]` that is only gated.
pub fn opaque(name: &str, listen: &str, default: &str) -> String {
    format!("[[service]]\nname = {name:?}\nkind = \"opaque\"\nlisten = [{listen:?}]\ndefault = {default:?}\n\n")
}

/// The service `sip` is open or closed to those whom no line names.
pub fn policy(default: &str, extra: String) -> Policy {
    Policy { sip: format!("default = {default:?}\n"), extra, ..Policy::default() }
}

/// Where a port of the pbx is.
pub fn port(bed: &Bed, family: Family, port: u16) -> SocketAddr {
    SocketAddr::new(bed.pbx.address(family), port)
}
