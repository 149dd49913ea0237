//! What is done about failures that prove their source: of known peers, and of whoever takes his time.

use sip_fw_common::abi::{Ban, BanOrigin, Event, EventKind, Known};
use sip_fw_common::ladder;

use super::{Command, Controller};
use crate::patience::Guessing;
use crate::peers::Judgement;
use crate::record::EventName;
use crate::time::Time;

impl Controller {
    /// Judges what proves its source. `found`: what the ban table holds for it now.
    pub(super) fn proven(&mut self, event: &Event, found: Option<&Ban>, now: Time) -> Vec<Command> {
        if event.kind != EventKind::AuthFailure as u8 {
            return self.refused(event, found, now);
        }
        let mut commands = self.auth_failure(event, now);
        if event.known == Known::Nobody as u8 {
            commands.extend(self.stranger_failure(event, found, now));
        } else {
            commands.extend(self.peer_failure(event, found, now));
        }
        commands
    }

    /// A known peer that turns out to be an attacker is banned, one bad device of it is not.
    fn peer_failure(&mut self, event: &Event, found: Option<&Ban>, now: Time) -> Vec<Command> {
        let settings = self.rules.settings;
        match self.peers.failure(event, settings.threshold, settings.window_ns) {
            Judgement::Nothing => Vec::new(),
            Judgement::DeviceFault { failures } => {
                let record = self.record(event, EventName::DeviceFault, now);
                vec![Command::Report(record.because(format!(
                    "{failures} failures since its last success; a known peer is not banned for one device"
                )))]
            }
            Judgement::Attack { why } => self.ban_source(event, found, &format!("known peer, but {why}"), now),
        }
    }

    /// Nobody authenticated there: what stays below the threshold of the window adds up over a day.
    fn stranger_failure(&mut self, event: &Event, found: Option<&Ban>, now: Time) -> Vec<Command> {
        match self.patience.failure(event.source, &event.user, event.time_ns) {
            None => Vec::new(),
            Some(Guessing::Slow(failures)) => {
                self.ban_source(event, found, &format!("{failures} auth failures within a day, slowly"), now)
            }
            Some(Guessing::Distributed { sources, fresh }) => {
                let mut commands = Vec::new();
                if fresh {
                    let ipv6 = self.ipv6();
                    let shown: Vec<_> = sources.iter().map(|source| ipv6.show(*source)).collect();
                    let reason =
                        format!("one user failed from {} sources within a day: {}", shown.len(), shown.join(", "));
                    let record = self.record(event, EventName::DistributedGuessing, now);
                    commands.push(Command::Report(record.because(reason)));
                }
                let why = format!("one of {} sources that fail with this user", sources.len());
                commands.extend(self.ban_source(event, found, &why, now));
                let others = sources.into_iter().filter(|source| fresh && *source != event.source);
                let others: Vec<_> = others.filter(|source| !self.active.contains_key(source)).collect();
                for source in others {
                    commands.extend(self.ban_source(&Event { source, ..*event }, None, &why, now));
                }
                commands
            }
        }
    }

    /// Bans by the agent's own judgement, unless the source is banned already.
    pub(super) fn ban_source(&mut self, event: &Event, found: Option<&Ban>, why: &str, now: Time) -> Vec<Command> {
        if found.is_some_and(|ban| ban.until_ns > event.time_ns) {
            return Vec::new();
        }
        let step = ladder::next(&self.rules.settings, found, event.time_ns);
        let until_ns = event.time_ns.saturating_add(step.length_ns);
        let ban = Ban {
            packets: found.map_or(0, |ban| ban.packets),
            bytes: found.map_or(0, |ban| ban.bytes),
            strikes: event.strikes,
            level: step.level,
            evidence: event.evidence,
            service: event.service,
            user: event.user,
            user_agent: event.user_agent,
            ..Ban::new(BanOrigin::Agent, event.time_ns, until_ns)
        };
        self.active.insert(event.source, ban.until_ns);
        self.ledger.found(event.source, why);
        self.crowds.add(event.source);
        self.patience.banned(event.source);
        let observed = if event.observed == 0 { "" } else { ", mode observe: nothing is dropped" };
        let mut record = self.record(event, EventName::Ban, now).because(format!("{why}{observed}"));
        record.strikes = (event.strikes > 0).then_some(event.strikes);
        record.until = Some(now.until(ban.until_ns));
        record.level = Some(step.level);
        vec![Command::PutBan { source: event.source, ban }, Command::Report(record)]
    }
}
