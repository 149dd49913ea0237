//! Turns what happens into commands: the same inputs at the same times always give the same commands.

mod access;
mod command;
mod crowd;
mod import;
mod input;
mod operator;
mod peer;
mod recall;
mod shun;
mod tick;

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use sip_fw_common::abi::{Event, EventKind, Evidence, Known, Method, Settings, Source};

use crate::bucket::Bucket;
use crate::conduct::Conduct;
use crate::duration::Short;
use crate::ledger::{Ledger, Page};
use crate::limits::{
    DENIED_RECORDS_BURST, DENIED_RECORDS_PER_SECOND, PROVEN_RECORDS_BURST, PROVEN_RECORDS_PER_SECOND,
    UNPROVEN_RECORDS_BURST, UNPROVEN_RECORDS_PER_SECOND,
};
use crate::more::more_failures;
use crate::patience::Patience;
use crate::peers::Peers;
use crate::record::{EventName, Record};
use crate::source::Ipv6Prefix;
use crate::text::shown;
use crate::time::Time;

use crowd::Crowds;
use import::Imports;
use shun::Shunned;

pub use command::Command;
pub use input::{BanLength, Input};

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The programs' settings.
    pub settings: Settings,
    /// Names of the services, by their number.
    pub services: Vec<String>,
    /// Names of the access rules, in their order.
    pub access: Arc<[String]>,
    /// Entries of the ban table.
    pub bans_max: u32,
}

/// Decides. Holds nothing that cannot be lost: the truth of what is enforced is in the kernel's maps.
#[derive(Debug)]
pub struct Controller {
    rules: Rules,
    ledger: Ledger,
    peers: Peers,
    conduct: Conduct,
    patience: Patience,
    shunned: Shunned,
    crowds: Crowds,
    active: HashMap<Source, u64>,
    active_prefixes: HashMap<IpNet, u64>,
    imports: Imports,
    unproven: Limited,
    proven: Limited,
    denied: Limited,
    held_back: Limited,
}

impl Controller {
    /// Knows of no ban yet: the first tick tells.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self::with_ledger(rules, Ledger::new())
    }

    /// With a ledger of another size.
    #[must_use]
    pub fn with_ledger(rules: Rules, ledger: Ledger) -> Self {
        Self {
            rules,
            ledger,
            peers: Peers::new(),
            conduct: Conduct::new(),
            patience: Patience::new(),
            shunned: Shunned::new(),
            crowds: Crowds::default(),
            active: HashMap::new(),
            active_prefixes: HashMap::new(),
            imports: Imports::default(),
            unproven: Limited::new(UNPROVEN_RECORDS_PER_SECOND, UNPROVEN_RECORDS_BURST),
            proven: Limited::new(PROVEN_RECORDS_PER_SECOND, PROVEN_RECORDS_BURST),
            denied: Limited::new(DENIED_RECORDS_PER_SECOND, DENIED_RECORDS_BURST),
            held_back: Limited::new(UNPROVEN_RECORDS_PER_SECOND, UNPROVEN_RECORDS_BURST),
        }
    }

    /// Decides by other rules from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is remembered of a source.
    #[must_use]
    pub fn page(&self, source: Source) -> Option<&Page> {
        self.ledger.page(source)
    }

    /// Sources remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.ledger.len()
    }

    /// How IPv6 sources are written.
    #[must_use]
    pub const fn ipv6(&self) -> Ipv6Prefix {
        Ipv6Prefix::of_mask(self.rules.settings.ipv6_mask)
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input, now: Time) -> Vec<Command> {
        let say = |event, reason: String| vec![Command::Report(Record::new(now.wall, event).because(reason))];
        match input {
            Input::Kernel(event) => self.kernel(&event, now),
            Input::Proven { event, found } => self.proven(&event, found.as_ref(), now),
            Input::Tick { bans, prefix_bans, shuns } => self.tick(&bans, &prefix_bans, &shuns, now),
            Input::Crowd { prefix, spared } => self.crowd(prefix, spared, now),
            Input::Unshun { source } => self.unshun(source, now),
            Input::Ban { admitted, length, reason, found } => {
                self.ban(admitted.target(), length, reason, found.as_ref(), now)
            }
            Input::Import { admitted, ban, found } => self.import(admitted.target(), ban, found.as_ref(), now),
            Input::Imported { count, why } => self.imported(count, why, now),
            Input::Unban { target, found } => self.unban(target, &found, now),
            Input::Started { version } => say(EventName::AgentStarted, format!("version {version}")),
            Input::Stopped { reason } => {
                self.tell_imported(now).into_iter().chain(say(EventName::AgentStopped, reason)).collect()
            }
            Input::Attached { interface, ingress, egress } => {
                say(EventName::Attached, format!("{interface}: ingress {ingress}, egress {egress}"))
            }
            Input::Detached { reason } => say(EventName::Detached, reason),
            Input::RulesApplied => say(EventName::RulesApplied, self.rules.summary()),
            Input::RulesRefused { reason } => say(EventName::Degraded, reason),
            Input::EventsLost(count) => say(
                EventName::Degraded,
                format!("{count} events lost: the ring buffer was full; bans are not affected"),
            ),
            Input::BansLost(count) => say(
                EventName::Degraded,
                format!("{count} bans could not be written: the table is full; raise [limits] bans"),
            ),
        }
    }

    fn kernel(&mut self, event: &Event, now: Time) -> Vec<Command> {
        match EventKind::from_number(event.kind) {
            Some(EventKind::AuthFailure) => self.auth_failure(event, now),
            Some(EventKind::AuthSuccess) => self.auth_success(event, now),
            Some(EventKind::Ban) => self.banned(event, now),
            Some(EventKind::Denied) => self.denied(event, now),
            Some(EventKind::PeerLearned) => self.peer_learned(event, now),
            Some(EventKind::Refused) => self.refused(event, None, now),
            Some(EventKind::Accepted) => {
                self.conduct.accepted(event.source, event.time_ns);
                Vec::new()
            }
            Some(EventKind::FollowedUp) => {
                self.conduct.followed_up(event.source, &event.user);
                Vec::new()
            }
            Some(EventKind::Scanner) => self.scanner(event, now),
            Some(EventKind::Flood) => self.flood(event, now),
            None => Vec::new(),
        }
    }

    fn auth_failure(&mut self, event: &Event, now: Time) -> Vec<Command> {
        self.conduct.followed_up(event.source, &event.user);
        let mut commands = self.report_failure(event, now);
        if event.evidence != Evidence::Proven as u8 && event.known == Known::Nobody as u8 {
            let Settings { threshold, window_ns, .. } = self.rules.settings;
            let finding = self.conduct.unproven(event, threshold, window_ns);
            commands.extend(finding.into_iter().flat_map(|finding| self.found(event, finding, None, now)));
        }
        commands
    }

    fn report_failure(&mut self, event: &Event, now: Time) -> Vec<Command> {
        let mut record = self.record(event, EventName::AuthFailure, now);
        self.ledger.failure(event.source, &event.user, &event.user_agent, record.time);
        let proven = event.evidence == Evidence::Proven as u8;
        let (limited, kind) = if proven { (&mut self.proven, "proven") } else { (&mut self.unproven, "unproven") };
        let Some(suppressed) = limited.pass(now.kernel_ns) else { return Vec::new() };
        let mut reason = format!("answered {}", event.status);
        if proven {
            let threshold = self.rules.settings.threshold;
            reason.push_str(&format!(", proven, strike {} of {threshold}", event.strikes));
            record.strikes = Some(event.strikes);
        } else {
            reason.push_str(", unproven");
        }
        if suppressed > 0 {
            reason.push_str(&format!(" and {}", more_failures(suppressed, kind)));
        }
        vec![Command::Report(record.because(reason))]
    }

    fn auth_success(&mut self, event: &Event, now: Time) -> Vec<Command> {
        self.conduct.succeeded(event.source, event.time_ns);
        self.patience.success(event.source, &event.user);
        if event.evidence == Evidence::Proven as u8 {
            self.peers.success(event.source, &event.user);
        }
        if !self.ledger.success(event.source, &event.user) || !self.proven.bucket.take(now.kernel_ns) {
            return Vec::new();
        }
        let record = self.record(event, EventName::AuthSuccess, now);
        vec![Command::Report(record.because(format!("answered {}", event.status)))]
    }

    fn banned(&mut self, event: &Event, now: Time) -> Vec<Command> {
        let mut commands = Vec::new();
        self.patience.banned(event.source);
        self.crowds.add(event.source);
        if self.active.insert(event.source, event.until_ns).is_some_and(|until| until <= event.time_ns) {
            commands.push(self.expired(self.ipv6().show(event.source), now.wall_of(event.time_ns)));
        }
        let window = Short::nanos(self.rules.settings.window_ns);
        let mut reason = format!("{} auth failures within {window}", event.strikes);
        let page = self.ledger.banned(event.source, &event.user, &event.user_agent);
        if let Some(users) = page.users_tried() {
            reason.push_str(&format!(", {users}"));
        }
        if event.observed != 0 {
            reason.push_str(", mode observe: nothing is dropped");
        }
        let mut record = self.record(event, EventName::Ban, now).because(reason);
        record.strikes = Some(event.strikes);
        record.until = Some(now.until(event.until_ns));
        record.level = Some(event.level);
        commands.push(Command::Report(record));
        commands
    }

    fn record(&self, event: &Event, name: EventName, now: Time) -> Record {
        Record {
            source: Some(self.ipv6().show(event.source)),
            service: self.rules.services.get(usize::from(event.service)).cloned(),
            method: Method::from_number(event.method).map(|method| method.name().to_owned()),
            user: shown(&event.user),
            user_agent: shown(&event.user_agent),
            evidence: Evidence::from_number(event.evidence).map(|evidence| evidence.name().to_owned()),
            ..Record::new(now.wall_of(event.time_ns), name)
        }
    }
}

impl Rules {
    /// The rules in a few words.
    fn summary(&self) -> String {
        let mode = if self.settings.observe == 0 { "enforce" } else { "observe" };
        let window = Short::nanos(self.settings.window_ns);
        let threshold = self.settings.threshold;
        format!("mode {mode}, {} access rules, ban after {threshold} failures within {window}", self.access.len())
    }
}

/// Records of one kind, limited in their rate.
#[derive(Debug)]
struct Limited {
    bucket: Bucket,
    suppressed: u64,
}

impl Limited {
    const fn new(per_second: u32, burst: u32) -> Self {
        Self { bucket: Bucket::new(per_second, burst), suppressed: 0 }
    }

    /// How many were suppressed before this one, if this one may pass.
    fn pass(&mut self, now_ns: u64) -> Option<u64> {
        if self.bucket.take(now_ns) {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed = self.suppressed.saturating_add(1);
        None
    }

    /// How many were suppressed, if there were any and it may be said now.
    fn flush(&mut self, now_ns: u64) -> Option<u64> {
        (self.suppressed > 0 && self.bucket.take(now_ns)).then(|| std::mem::take(&mut self.suppressed))
    }
}
