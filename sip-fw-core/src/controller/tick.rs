//! What time brings: bans that end, and memories that fade.

use std::collections::HashMap;

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, BanOrigin, Shun, Source};

use super::{Command, Controller};
use crate::limits::{EXPIRE_RECORDS_PER_TICK_MAX, FORGET_PER_TICK_MAX};
use crate::more::more_failures;
use crate::record::{EventName, Record};
use crate::source::show_net;
use crate::time::{Time, Timestamp};

impl Controller {
    pub(super) fn tick(
        &mut self,
        bans: &[(Source, Ban)],
        prefixes: &[(IpNet, Ban)],
        shuns: &[(Source, Shun)],
        now: Time,
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        self.tick_bans(bans, now, &mut commands);
        self.tick_prefixes(prefixes, now, &mut commands);
        self.tick_shuns(shuns, now, &mut commands);
        commands.extend(self.tell_imported(now));
        for (limited, kind) in [(&mut self.unproven, "unproven"), (&mut self.proven, "proven")] {
            if let Some(suppressed) = limited.flush(now.kernel_ns) {
                let mut record = Record::new(now.wall, EventName::AuthFailure);
                record.evidence = Some(kind.to_owned());
                commands.push(Command::Report(record.because(more_failures(suppressed, kind))));
            }
        }
        commands
    }

    pub(super) fn expired(&self, source: String, time: Timestamp) -> Command {
        let mut record = Record::new(time, EventName::Expire);
        record.source = Some(source);
        Command::Report(record.because("the ban is over"))
    }

    fn tick_bans(&mut self, bans: &[(Source, Ban)], now: Time, commands: &mut Vec<Command>) {
        let mut active = HashMap::with_capacity(self.active.len());
        let mut ended = Vec::new();
        let mut expired = 0;
        for (source, ban) in bans {
            if ban.until_ns > now.kernel_ns {
                active.insert(*source, ban.until_ns);
            } else {
                if self.active.contains_key(source) {
                    expired += 1;
                    if expired <= EXPIRE_RECORDS_PER_TICK_MAX {
                        commands.push(self.expired(self.ipv6().show(*source), now.wall));
                    }
                }
                ended.push((ban.until_ns, *source));
            }
        }
        if expired > EXPIRE_RECORDS_PER_TICK_MAX {
            let more = expired - EXPIRE_RECORDS_PER_TICK_MAX;
            let record = Record::new(now.wall, EventName::Expire);
            commands.push(Command::Report(record.because(format!("{more} more bans are over"))));
        }
        self.active = active;
        self.imports.held = bans.len();
        let for_deeds =
            |(_, ban): &&(Source, Ban)| ban.until_ns > now.kernel_ns && ban.origin != BanOrigin::Operator as u8;
        self.crowds.replace(self.ipv6(), bans.iter().filter(for_deeds).map(|(source, _)| *source));
        ended.sort_unstable();
        let excess = bans.len().saturating_sub(self.bans_before_full());
        let decay_ns = self.rules.settings.decay_ns;
        let faded = ended.iter().filter(|(until, _)| until.saturating_add(decay_ns) <= now.kernel_ns).count();
        let forget = faded.max(excess).min(FORGET_PER_TICK_MAX);
        commands.extend(ended.iter().take(forget).map(|(_, source)| Command::ForgetBan { source: *source }));
    }

    fn tick_prefixes(&mut self, prefixes: &[(IpNet, Ban)], now: Time, commands: &mut Vec<Command>) {
        let mut active = HashMap::with_capacity(self.active_prefixes.len());
        for (prefix, ban) in prefixes {
            if ban.until_ns > now.kernel_ns {
                active.insert(*prefix, ban.until_ns);
                continue;
            }
            commands.push(Command::RemovePrefixBan { prefix: *prefix });
            commands.push(self.expired(show_net(*prefix), now.wall));
        }
        self.active_prefixes = active;
    }
}
