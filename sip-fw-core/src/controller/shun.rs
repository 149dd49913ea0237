//! What is done on evidence that does not prove its source: a short block, never of a known peer.

use lru::LruCache;
use sip_fw_common::abi::{Ban, Event, Evidence, Known, Shun, Source};
use sip_fw_common::limits::SHUNS_MAX;

use super::{Command, Controller};
use crate::conduct::Finding;
use crate::limits::{SHUN_NS, SHUN_TOTAL_NS, SHUNS_REMEMBERED};
use crate::record::{EventName, Record};
use crate::time::Time;

const _: () = assert!(SHUNS_REMEMBERED.get() == SHUNS_MAX as usize);

/// Shuns in force, and the packets they had dropped when their deadline was set.
#[derive(Debug)]
pub(super) struct Shunned {
    packets: LruCache<Source, u64>,
}

impl Shunned {
    pub(super) fn new() -> Self {
        Self { packets: LruCache::new(SHUNS_REMEMBERED) }
    }
}

impl Controller {
    /// A request without credentials was challenged or refused.
    pub(super) fn refused(&mut self, event: &Event, found: Option<&Ban>, now: Time) -> Vec<Command> {
        let finding = self.conduct.refused(event);
        finding.map_or_else(Vec::new, |finding| self.found(event, finding, found, now))
    }

    /// Reports a finding, and bans its source where the evidence proves it; shuns it otherwise.
    pub(super) fn found(&mut self, event: &Event, finding: Finding, banned: Option<&Ban>, now: Time) -> Vec<Command> {
        let (name, why) = match finding {
            Finding::Enumeration(why) => (Some(EventName::Enumeration), why),
            Finding::DialScan(why) => (Some(EventName::DialScan), why),
            // Each of them was reported.
            Finding::Unproven(why) => (None, why),
        };
        let done = if event.evidence == Evidence::Proven as u8 {
            self.conduct.forget(event.source);
            self.ban_source(event, banned, &why, now)
        } else if self.is_spared(event) {
            self.conduct.forget(event.source);
            let spared = format!("{why}; not held back: the PBX accepts its calls, and this may be forged");
            return name
                .map(|name| Command::Report(self.record(event, name, now).because(spared)))
                .into_iter()
                .collect();
        } else {
            self.shun(event, &why, now)
        };
        if done.is_empty() {
            return done;
        }
        let told = name.map(|name| Command::Report(self.record(event, name, now).because(why)));
        told.into_iter().chain(done).collect()
    }

    /// Whether a source must not be held back on what may be forged: a known peer, or one of which the PBX accepted something.
    fn is_spared(&self, event: &Event) -> bool {
        let for_ns = self.rules.settings.known_peer_ns;
        event.known != Known::Nobody as u8 || self.conduct.is_accepted(event.source, event.time_ns, for_ns)
    }

    /// A message bore a scanner's signature.
    pub(super) fn scanner(&mut self, event: &Event, now: Time) -> Vec<Command> {
        let spared = self.is_spared(event);
        let done = if spared { Vec::new() } else { self.shun(event, "a scanner's signature", now) };
        // One that is shunned already is dropped without a word.
        if (done.is_empty() && !spared) || !self.held_back.bucket.take(now.kernel_ns) {
            return done;
        }
        let reason = "User-Agent or From is a scanner's; the message was dropped";
        let report = Command::Report(self.record(event, EventName::Scanner, now).because(reason));
        std::iter::once(report).chain(done).collect()
    }

    /// A source sends more than it may.
    pub(super) fn flood(&mut self, event: &Event, now: Time) -> Vec<Command> {
        let Some(suppressed) = self.held_back.pass(now.kernel_ns) else { return Vec::new() };
        let mut reason = "more messages than it may send; the excess is dropped".to_owned();
        if suppressed > 0 {
            reason.push_str(&format!(", and {suppressed} more records"));
        }
        let mut record = self.record(event, EventName::Flood, now).because(reason);
        (record.method, record.evidence) = (None, None);
        vec![Command::Report(record)]
    }

    fn shun(&mut self, event: &Event, why: &str, now: Time) -> Vec<Command> {
        if self.shunned.packets.contains(&event.source) {
            return Vec::new();
        }
        self.shunned.packets.put(event.source, 0);
        self.ledger.found(event.source, why);
        let since_ns = event.time_ns;
        let shun = Shun { until_ns: since_ns.saturating_add(SHUN_NS), since_ns, packets: 0, bytes: 0 };
        let put = Command::PutShun { source: event.source, shun };
        if !self.held_back.bucket.take(now.kernel_ns) {
            return vec![put];
        }
        let observed = if event.observed == 0 { "" } else { ", mode observe: nothing is dropped" };
        let mut record = self.record(event, EventName::Shun, now).because(format!("{why}{observed}"));
        record.until = Some(now.until(shun.until_ns));
        vec![put, Command::Report(record)]
    }

    /// An operator ends a shun.
    pub(super) fn unshun(&mut self, source: Source, now: Time) -> Vec<Command> {
        self.shunned.packets.pop(&source);
        self.conduct.forget(source);
        let record = Record { source: Some(self.ipv6().show(source)), ..Record::new(now.wall, EventName::Unban) };
        vec![Command::RemoveShun { source }, Command::Report(record.because("shun lifted by operator"))]
    }

    /// Renews the shuns whose sources go on, and ends the others at their time.
    pub(super) fn tick_shuns(&mut self, shuns: &[(Source, Shun)], now: Time, commands: &mut Vec<Command>) {
        // A shun that the kernel forgot is over.
        if shuns.len() < self.shunned.packets.len() {
            let held: std::collections::HashSet<_> = shuns.iter().map(|(source, _)| *source).collect();
            let gone: Vec<_> =
                self.shunned.packets.iter().map(|(source, _)| *source).filter(|it| !held.contains(it)).collect();
            for source in gone {
                self.shunned.packets.pop(&source);
            }
        }
        for (source, shun) in shuns.iter().filter(|(_, shun)| shun.until_ns <= now.kernel_ns) {
            let before = self.shunned.packets.peek(source).copied().unwrap_or(0);
            let end_ns = shun.since_ns.saturating_add(SHUN_TOTAL_NS);
            if shun.packets > before && now.kernel_ns < end_ns {
                let until_ns = now.kernel_ns.saturating_add(SHUN_NS).min(end_ns);
                self.shunned.packets.put(*source, shun.packets);
                commands.push(Command::PutShun { source: *source, shun: Shun { until_ns, ..*shun } });
                continue;
            }
            self.shunned.packets.pop(source);
            self.conduct.forget(*source);
            commands.push(Command::RemoveShun { source: *source });
            if self.held_back.bucket.take(now.kernel_ns) {
                let source = Some(self.ipv6().show(*source));
                let record = Record { source, ..Record::new(now.wall, EventName::Expire) };
                let reason = format!("the shun is over, {} packets dropped", shun.packets);
                commands.push(Command::Report(record.because(reason)));
            }
        }
    }
}
