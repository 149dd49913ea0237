//! What is done about failures of known peers.

use sip_fw_common::abi::{Ban, BanOrigin, Event};
use sip_fw_common::ladder;

use super::{Command, Controller};
use crate::peers::Judgement;
use crate::record::EventName;
use crate::time::Time;

impl Controller {
    /// Reports the failure, and bans a known peer that turns out to be an attacker.
    pub(super) fn peer_failure(&mut self, event: &Event, found: Option<&Ban>, now: Time) -> Vec<Command> {
        let mut commands = self.auth_failure(event, now);
        let settings = self.rules.settings;
        match self.peers.failure(event, settings.threshold, settings.window_ns) {
            Judgement::Nothing => {}
            Judgement::DeviceFault { failures } => {
                let record = self.record(event, EventName::DeviceFault, now);
                commands.push(Command::Report(record.because(format!(
                    "{failures} failures since its last success; a known peer is not banned for one device"
                ))));
            }
            Judgement::Attack { .. } if found.is_some_and(|ban| ban.until_ns > event.time_ns) => {}
            Judgement::Attack { why } => commands.extend(self.ban_peer(event, found, &why, now)),
        }
        commands
    }

    fn ban_peer(&mut self, event: &Event, found: Option<&Ban>, why: &str, now: Time) -> [Command; 2] {
        let step = ladder::next(&self.rules.settings, found, event.time_ns);
        let ban = Ban {
            until_ns: event.time_ns.saturating_add(step.length_ns),
            since_ns: event.time_ns,
            packets: found.map_or(0, |ban| ban.packets),
            bytes: found.map_or(0, |ban| ban.bytes),
            strikes: event.strikes,
            level: step.level,
            origin: BanOrigin::Agent as u8,
            evidence: event.evidence,
            service: event.service,
            user: event.user,
            user_agent: event.user_agent,
        };
        self.active.insert(event.source, ban.until_ns);
        let observed = if event.observed == 0 { "" } else { ", mode observe: nothing is dropped" };
        let mut record = self.record(event, EventName::Ban, now).because(format!("known peer, but {why}{observed}"));
        record.strikes = Some(event.strikes);
        record.until = Some(now.until(ban.until_ns));
        record.level = Some(step.level);
        [Command::PutBan { source: event.source, ban }, Command::Report(record)]
    }
}
