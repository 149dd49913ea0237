//! A protected PBX at which good phones work while somebody attacks it, and what is asked of sip-fw afterwards.

use std::net::IpAddr;

use serde_json::Value;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{Asterisk, Callee, Kamailio, Nonces, Unknown, Workforce, find_asterisk};
use sip_fw_e2e::scene::messages_of;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::wire::{Direction, Seen};
use sip_fw_e2e::{Bed, Family, Host, Policy, Scene, require, require_agent};

/// Which PBX is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pbx {
    /// Kamailio, as it comes: one nonce for everybody within a second.
    Kamailio,
    /// Kamailio with nonces that depend on the source.
    CuredKamailio,
    /// Kamailio that tells who exists, by 404.
    TellingKamailio,
    /// Asterisk 22, chan_pjsip.
    Asterisk,
}

#[expect(dead_code, reason = "they run as long as they are held")]
enum Running {
    Kamailio(Kamailio),
    Asterisk(Asterisk),
}

/// As sip-fw comes, scanner signatures included.
pub fn usual() -> Policy {
    Policy { scanners: "shipped", ..Policy::default() }
}

/// Good phones at work, and whoever attacks.
pub struct Siege {
    phones: Workforce,
    newcomers: Option<IpAddr>,
    pub family: Family,
    pub scene: Scene,
    _pbx: Running,
}

impl Siege {
    /// Everything at work but the attacker. None if a program is missing and that is allowed.
    pub fn begin(family: Family, pbx: Pbx, policy: &Policy, tools: &[&str]) -> Option<Self> {
        let binary = require_agent()?;
        if !tools.iter().chain(&["sipp"]).all(|tool| require(tool)) {
            return None;
        }
        let bed = Bed::new().unwrap();
        let (running, callee) = match pbx {
            Pbx::Asterisk => {
                let chroot = find_asterisk()?;
                (Running::Asterisk(Asterisk::start(&bed.pbx, &chroot).unwrap()), Callee::Extension("601"))
            }
            Pbx::Kamailio | Pbx::CuredKamailio | Pbx::TellingKamailio => {
                if !require("kamailio") {
                    return None;
                }
                let nonces = if pbx == Pbx::CuredKamailio { Nonces::PerSource } else { Nonces::Shared };
                let unknown = if pbx == Pbx::TellingKamailio { Unknown::NotFound } else { Unknown::Challenged };
                (Running::Kamailio(Kamailio::start_with(&bed.pbx, nonces, unknown).unwrap()), Callee::Phone)
            }
        };
        let scene = Scene::protect(binary, bed, policy).unwrap();
        let phones = Workforce::start(&scene.bed, family, callee).unwrap();
        Some(Self { phones, newcomers: None, family, scene, _pbx: running })
    }

    pub fn attacker(&self) -> IpAddr {
        self.scene.bed.attacker.address(self.family)
    }

    pub fn office(&self) -> IpAddr {
        self.scene.bed.office.address(self.family)
    }

    /// While the attack goes on: more phones, at an address of `host` that nobody has seen before.
    pub fn add_newcomers(&mut self, host: fn(&Bed) -> &Host) {
        let host = host(&self.scene.bed);
        let from = host.nth(self.family, 77);
        self.phones.add_newcomers(host, from, self.scene.bed.pbx.sip(self.family)).unwrap();
        self.newcomers = Some(from);
    }

    /// Every phone registers or calls once more.
    pub fn wait_for_phones(&self) {
        self.phones.wait_for_more(1).unwrap();
    }

    /// What `sip-fw events` says of a source under this name.
    pub fn events(&self, name: &str, source: IpAddr) -> Vec<Value> {
        let outcome = self.scene.agent.call(&["events", "--since", "1h", "--json"]).unwrap();
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let source = source_name(source);
        let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|event| event["event"] == name && event["source"] == source).collect()
    }

    /// Waits for such an event, and gives the reason of the first.
    pub fn wait_for_event(&self, name: &str, source: IpAddr) -> String {
        let come = wait_for(&format!("the event {name}"), PATIENCE, || !self.events(name, source).is_empty());
        assert!(come.is_ok(), "{come:?}: {}", self.scene.agent.log());
        self.events(name, source)[0]["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Packets that `sip-fw status` counts under a reason.
    pub fn counter(&self, reason: &str) -> u64 {
        self.scene.agent.json(&["status", "--json"]).unwrap()["counters"][reason]["packets"].as_u64().unwrap_or(0)
    }

    /// Messages of a source that reached the PBX.
    pub fn arrived(&self, source: IpAddr) -> u64 {
        messages_of(&self.scene.inside.seen().unwrap(), source, Direction::In)
    }

    /// Requests of a source that the PBX answered finally: transactions, not packets.
    pub fn answered(&self, source: IpAddr) -> usize {
        answered(&self.scene.inside.seen().unwrap(), source)
    }

    /// The attacker is shunned: once, for a minute, and not banned.
    pub fn assert_shunned(&self) {
        let attacker = self.attacker();
        self.wait_for_event("shun", attacker);
        let shuns = self.events("shun", attacker);
        assert_eq!(shuns.len(), 1, "{shuns:?}");
        assert!(shuns[0]["until"].is_string(), "{shuns:?}");
        assert!(self.events("ban", attacker).is_empty());
        self.scene.assert_nobody_banned();
    }

    /// `sip-fw bans` and `explain` agree that the attacker is banned on proven evidence; gives the reason.
    pub fn assert_banned(&self) -> String {
        let attacker = self.attacker();
        let name = source_name(attacker);
        let reason = self.wait_for_event("ban", attacker);
        let bans = self.scene.agent.bans().unwrap();
        let ban = bans.iter().find(|ban| ban.source == name);
        assert_eq!((bans.len(), ban.and_then(|ban| ban.evidence.as_deref())), (1, Some("proven")), "{bans:?}");
        let explained = self.scene.agent.json(&["explain", &attacker.to_string(), "--json"]).unwrap();
        assert_eq!(explained["ban"]["state"], "active", "{explained}");
        assert_eq!(explained["now"]["service"], "drop", "{explained}");
        reason
    }

    /// The phones work on for a while, then stop: SIPp's books show no failure, the wire no message that was dropped, and
    /// sip-fw did nothing to them.
    pub fn end(self) {
        let forged = |_: &Seen| false;
        self.end_but_for(forged);
    }

    /// The same when packets in the name of the good phones were forged: they are told from theirs.
    pub fn end_but_for(self, is_forged: impl Fn(&Seen) -> bool) {
        self.wait_for_phones();
        self.wait_for_phones();
        let good: Vec<_> = std::iter::once(self.office()).chain(self.newcomers).collect();
        let Self { scene, phones, .. } = self;
        let books = phones.stop().unwrap();
        let events = scene.agent.events();
        eprintln!("{books:?}");
        assert_eq!(books.failed, 0, "{books:?}");
        assert!(books.registrations > 0 && books.calls > 0, "{books:?}");
        let without_forged = |seen: Vec<Seen>| -> Vec<_> { seen.into_iter().filter(|it| !is_forged(it)).collect() };
        let cable = without_forged(scene.cable.seen().unwrap());
        let inside = without_forged(scene.inside.seen().unwrap());
        for source in good {
            let name = source_name(source);
            let sent = messages_of(&cable, source, Direction::Out);
            assert_eq!(
                messages_of(&inside, source, Direction::In),
                sent,
                "messages of {name} that arrived of those sent"
            );
            assert!(!scene.agent.has_banned(&name).unwrap(), "{name}");
            let done = |event: &&Value| {
                event["source"] == name.as_str()
                    && ["ban", "shun", "enumeration", "dial-scan"].iter().any(|bad| event["event"] == *bad)
            };
            assert_eq!(events.iter().find(done), None);
        }
    }
}

/// Transactions of `source` that were answered finally.
pub fn answered(seen: &[Seen], source: IpAddr) -> usize {
    let name = source_name(source);
    let answers = seen.iter().filter(|message| message.direction == Direction::Out);
    let finals = answers.filter(|message| message.status.is_some_and(|status| status >= 200));
    let branches: std::collections::BTreeSet<_> =
        finals.filter(|message| source_name(message.destination.ip()) == name).map(|message| &message.branch).collect();
    branches.len()
}
