//! Bans from elsewhere: another host, another tool, a list.

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, BanOrigin};

use super::operator::remembered;
use super::{Command, Controller};
use crate::limits::{BAN_TABLE_FULL_PERCENT, DEADLINES_ALIKE_NS};
use crate::record::{EventName, Record};
use crate::source::Target;
use crate::time::Time;

/// What is told of imports: one record for all that came from one place within a tick.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Entries of the ban table, as far as the controller knows.
    pub(super) held: usize,
    untold: u64,
    why: String,
}

impl Controller {
    /// Entries of the ban table, as far as the controller knows.
    #[must_use]
    pub const fn bans_held(&self) -> usize {
        self.imports.held
    }

    /// So many entries leave the room that new bans need.
    #[must_use]
    pub const fn bans_before_full(&self) -> usize {
        self.rules.bans_max as usize / 100 * BAN_TABLE_FULL_PERCENT
    }

    /// Whether a ban of this prefix is in force, as far as the controller knows.
    #[must_use]
    pub fn has_banned(&self, prefix: IpNet) -> bool {
        self.active_prefixes.contains_key(&prefix)
    }

    /// Learns of the prefix bans that there are, before the first tick or where there is none.
    pub fn know_prefixes(&mut self, bans: &[(IpNet, Ban)]) {
        self.active_prefixes = bans.iter().map(|(prefix, ban)| (*prefix, ban.until_ns)).collect();
    }

    /// Whether a ban from elsewhere changes anything: a longer one in force stays as it is, and of one that is over, the step of the
    /// ladder is taken until it fades.
    #[must_use]
    pub fn takes(&self, target: Target, ban: &Ban, found: Option<&Ban>, now: Time) -> bool {
        if found.is_some_and(|found| found.until_ns.saturating_add(DEADLINES_ALIKE_NS) >= ban.until_ns) {
            return false;
        }
        let fades_ns = ban.until_ns.saturating_add(self.rules.settings.decay_ns);
        let is_remembered = ban.level > 0 && fades_ns > now.kernel_ns && matches!(target, Target::Source(_));
        ban.until_ns > now.kernel_ns || is_remembered
    }

    pub(super) fn import(&mut self, target: Target, ban: Ban, found: Option<&Ban>, now: Time) -> Vec<Command> {
        if !self.takes(target, &ban, found, now) {
            return Vec::new();
        }
        let running = found.filter(|ban| ban.until_ns > now.kernel_ns);
        let ban = Ban {
            since_ns: running.map_or(ban.since_ns, |running| running.since_ns),
            packets: found.map_or(0, |found| found.packets),
            bytes: found.map_or(0, |found| found.bytes),
            level: ban.level.max(remembered(&self.rules.settings, found, now)),
            ..ban
        };
        match target {
            Target::Source(source) => {
                self.imports.held += usize::from(found.is_none());
                if ban.until_ns > now.kernel_ns {
                    self.active.insert(source, ban.until_ns);
                }
                vec![Command::PutBan { source, ban }]
            }
            Target::Prefix(prefix) => {
                self.active_prefixes.insert(prefix, ban.until_ns);
                vec![Command::PutPrefixBan { prefix, ban }]
            }
        }
    }

    /// Counts what was imported; what came from elsewhere before is told now.
    pub(super) fn imported(&mut self, count: u64, why: String, now: Time) -> Vec<Command> {
        let told = if why == self.imports.why { None } else { self.tell_imported(now) };
        self.imports.why = why;
        self.imports.untold = self.imports.untold.saturating_add(count);
        told.into_iter().collect()
    }

    pub(super) fn tell_imported(&mut self, now: Time) -> Option<Command> {
        let count = std::mem::take(&mut self.imports.untold);
        let why = std::mem::take(&mut self.imports.why);
        let record = Record::new(now.wall, EventName::Ban);
        let by = BanOrigin::Operator.name();
        (count > 0).then(|| Command::Report(record.because(format!("by {by}: {count} bans imported from {why}"))))
    }
}
