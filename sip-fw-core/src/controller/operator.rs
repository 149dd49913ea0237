//! What operators ask for.

use sip_fw_common::abi::{Ban, BanOrigin, Settings, UNTIL_LIFTED_NS};
use sip_fw_common::ladder;

use super::{BanLength, Command, Controller};
use crate::limits::REASON_BYTES_MAX;
use crate::record::{EventName, Record};
use crate::source::Target;
use crate::text::{cut, shown};
use crate::time::Time;

impl Controller {
    pub(super) fn ban(
        &mut self,
        target: Target,
        length: BanLength,
        reason: Option<String>,
        found: Option<&Ban>,
        now: Time,
    ) -> Vec<Command> {
        let settings = &self.rules.settings;
        let (level, until_ns) = match length {
            BanLength::Ladder => {
                let step = ladder::next(settings, found, now.kernel_ns);
                (step.level, before_permanent(now.kernel_ns, step.length_ns))
            }
            BanLength::Nanos(length_ns) => {
                (remembered(settings, found, now), before_permanent(now.kernel_ns, length_ns))
            }
            BanLength::UntilLifted => (remembered(settings, found, now), UNTIL_LIFTED_NS),
        };
        let running = found.filter(|ban| ban.until_ns > now.kernel_ns);
        let kept = running.is_some_and(|ban| ban.until_ns > until_ns);
        let fresh = Ban { level, ..Ban::new(BanOrigin::Operator, now.kernel_ns, until_ns) };
        let ban = found.map_or(fresh, |found| Ban {
            packets: found.packets,
            bytes: found.bytes,
            service: found.service,
            user: found.user,
            user_agent: found.user_agent,
            ..fresh
        });
        let ban = running.map_or(ban, |running| Ban {
            until_ns: running.until_ns.max(until_ns),
            since_ns: running.since_ns,
            ..ban
        });
        let mut why = reason.map_or_else(
            || "by operator".to_owned(),
            |reason| format!("by operator: {}", cut(&reason, REASON_BYTES_MAX)),
        );
        if kept {
            why.push_str(" (the longer ban in force is kept)");
        }
        let record = Record {
            source: Some(self.ipv6().show_target(target)),
            user: shown(&ban.user),
            user_agent: shown(&ban.user_agent),
            until: Some(now.until(ban.until_ns)),
            level: Some(level),
            ..Record::new(now.wall, EventName::Ban).because(why)
        };
        let put = match target {
            Target::Source(source) => {
                self.active.insert(source, ban.until_ns);
                Command::PutBan { source, ban }
            }
            Target::Prefix(prefix) => {
                self.active_prefixes.insert(prefix, ban.until_ns);
                Command::PutPrefixBan { prefix, ban }
            }
        };
        vec![put, Command::Report(record)]
    }

    pub(super) fn unban(&mut self, target: Target, found: &Ban, now: Time) -> Vec<Command> {
        let what = if found.until_ns > now.kernel_ns { "ban" } else { "memory of the last ban" };
        let record = Record {
            source: Some(self.ipv6().show_target(target)),
            user: shown(&found.user),
            ..Record::new(now.wall, EventName::Unban).because(format!("{what} lifted by operator"))
        };
        let lift = match target {
            Target::Source(source) => {
                self.active.remove(&source);
                Command::LiftBan { source }
            }
            Target::Prefix(prefix) => {
                self.active_prefixes.remove(&prefix);
                Command::RemovePrefixBan { prefix }
            }
        };
        vec![lift, Command::Report(record)]
    }
}

/// The step a source stands on: a ban outside the ladder must not throw it down.
pub(super) fn remembered(settings: &Settings, found: Option<&Ban>, now: Time) -> u8 {
    let fresh = |ban: &&Ban| now.kernel_ns < ban.until_ns.saturating_add(settings.decay_ns);
    found.filter(fresh).map_or(0, |ban| ban.level)
}

fn before_permanent(now_ns: u64, length_ns: u64) -> u64 {
    now_ns.saturating_add(length_ns).min(UNTIL_LIFTED_NS - 1)
}
