//! Takes over bans from elsewhere, one by one: what must not be banned is refused, and everything else goes in.

use sip_fw_common::abi::Ban;
use sip_fw_core::SCHEMA;
use sip_fw_core::controller::Input;
use sip_fw_core::guard::Admitted;
use sip_fw_core::limits::REASON_BYTES_MAX;
use sip_fw_core::source::Target;
use sip_fw_core::text::cut;
use sip_fw_core::time::Time;

use super::answer::Desk;
use super::execute::execute;
use super::protocol::{Failure, IMPORT_BANS_MAX};
use super::view::{ImportedView, RefusalView, StoppedView};
use crate::bulk::Entry;
use crate::exit_code::ExitCode;
use crate::kernel::KernelError;

/// Refusals that are told one by one.
pub const REFUSALS_MAX: usize = 20;

/// Why it cannot go on.
enum Stop {
    /// The table with this limit takes no more.
    Full(&'static str, String),
    Failed(KernelError),
}

impl Desk<'_> {
    pub(super) fn import(
        &mut self,
        bans: &[Entry],
        from: &str,
        reason: Option<&str>,
        dry_run: bool,
        now: Time,
    ) -> Result<ImportedView, Failure> {
        if bans.len() > IMPORT_BANS_MAX {
            let message = format!("{} bans at once, allowed are {IMPORT_BANS_MAX}", bans.len());
            return Err(Failure::new(ExitCode::Usage, message));
        }
        let mut view = ImportedView { schema: SCHEMA, dry_run, ..ImportedView::default() };
        for (done, entry) in bans.iter().enumerate() {
            match self.take(entry, &mut view, now) {
                Ok(()) => {}
                Err(Stop::Failed(error)) => return Err(error.into()),
                Err(Stop::Full(limit, reason)) => {
                    let (held, left) = (self.held(limit)?, (bans.len() - done) as u64);
                    view.stopped = Some(StoppedView { limit: limit.to_owned(), held, left, reason });
                    break;
                }
            }
        }
        if !dry_run && view.imported > 0 {
            let mut why = cut(from, REASON_BYTES_MAX);
            if let Some(reason) = reason {
                why = format!("{why}: {}", cut(reason, REASON_BYTES_MAX));
            }
            let told = self.controller.handle(Input::Imported { count: view.imported, why }, now);
            self.records.extend(execute(told, self.tables, now.kernel_ns).0);
        }
        Ok(view)
    }

    fn take(&mut self, entry: &Entry, view: &mut ImportedView, now: Time) -> Result<(), Stop> {
        let ipv6 = self.controller.ipv6();
        let admitted = match ipv6.parse(&entry.source) {
            Ok(target) => self.guard.admit(target, ipv6).map_err(|refusal| refusal.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match admitted {
            Ok(admitted) => self.take_admitted(admitted, &entry.ban(now), view, now),
            Err(reason) => {
                view.refused += 1;
                if view.refusals.len() < REFUSALS_MAX {
                    view.refusals.push(RefusalView { source: cut(&entry.source, 80), reason });
                }
                Ok(())
            }
        }
    }

    fn take_admitted(&mut self, admitted: Admitted, ban: &Ban, view: &mut ImportedView, now: Time) -> Result<(), Stop> {
        let target = admitted.target();
        let (found, limit) = match target {
            Target::Source(source) => (self.tables.ban(source).map_err(Stop::Failed)?, "bans"),
            Target::Prefix(prefix) if self.controller.has_banned(prefix) => {
                (self.tables.prefix_ban(prefix).map_err(Stop::Failed)?, "ban_prefixes")
            }
            Target::Prefix(_) => (None, "ban_prefixes"),
        };
        if !self.controller.takes(target, ban, found.as_ref(), now) {
            let is_over = ban.until_ns <= now.kernel_ns;
            *(if is_over { &mut view.over } else { &mut view.kept }) += 1;
            return Ok(());
        }
        if found.is_none() && limit == "bans" {
            self.leave_room()?;
        }
        if !view.dry_run {
            let commands = self.controller.handle(Input::Import { admitted, ban: *ban, found }, now);
            if let Some(error) = execute(commands, self.tables, now.kernel_ns).1.first() {
                return Err(Stop::Full(limit, error.to_string()));
            }
        }
        view.imported += 1;
        Ok(())
    }

    /// An import must not take the room that new bans need.
    fn leave_room(&self) -> Result<(), Stop> {
        let (held, all) = (self.controller.bans_held(), self.controller.rules().bans_max);
        if held < self.controller.bans_before_full() {
            return Ok(());
        }
        let reason = format!("the ban table holds {held} of {all} bans, and an import leaves a quarter to new ones");
        Err(Stop::Full("bans", reason))
    }

    /// What a table holds. Without an agent nobody has counted the bans.
    fn held(&self, limit: &str) -> Result<u64, KernelError> {
        let held = match limit {
            "bans" if self.agent.is_some() => self.controller.bans_held(),
            "bans" => self.tables.bans()?.len(),
            _ => self.tables.prefix_bans()?.len(),
        };
        Ok(held as u64)
    }
}
