//! Obeys the controller.

use sip_fw_common::abi::{Event, EventKind, Evidence, Known, Source};
use sip_fw_core::controller::{Command, Input};
use sip_fw_core::record::Record;

use crate::kernel::{KernelError, Tables};

/// Executes commands; returns what to tell people, and what failed.
///
/// A report that follows a failed change is left out: it would not be true.
pub fn execute(commands: Vec<Command>, tables: &mut Tables, now_ns: u64) -> (Vec<Record>, Vec<KernelError>) {
    let mut records = Vec::new();
    let mut errors = Vec::new();
    let mut failed = false;
    for command in commands {
        let result = match command {
            Command::Report(_) if failed => Ok(()),
            Command::Report(record) => {
                records.push(record);
                Ok(())
            }
            Command::PutBan { source, ban } => tables.put_ban(source, &ban),
            Command::LiftBan { source } => lift(tables, source, now_ns),
            Command::ForgetBan { source } => forget(tables, source, now_ns),
            Command::PutPrefixBan { prefix, ban } => {
                tables.put_prefix_ban(prefix, &ban).and_then(|()| count_prefixes(tables))
            }
            Command::RemovePrefixBan { prefix } => {
                tables.remove_prefix_ban(prefix).and_then(|_| count_prefixes(tables))
            }
        };
        failed = result.is_err();
        errors.extend(result.err());
    }
    (records, errors)
}

/// The controller's input for an event of the programs.
///
/// # Errors
///
/// When the ban table cannot be read.
pub fn input(event: Event, tables: &Tables) -> Result<Input, KernelError> {
    let failure = event.kind == EventKind::AuthFailure as u8 && event.evidence == Evidence::Proven as u8;
    if failure && event.known != Known::Nobody as u8 {
        return Ok(Input::PeerFailure { event, found: tables.ban(event.source)? });
    }
    Ok(Input::Kernel(event))
}

/// Makes the settings say how many prefixes are banned: at 0 the programs do not ask their table.
///
/// # Errors
///
/// When a table cannot be read or written.
pub fn count_prefixes(tables: &mut Tables) -> Result<(), KernelError> {
    let count = u32::try_from(tables.prefix_bans()?.len()).unwrap_or(u32::MAX);
    let mut settings = tables.settings()?;
    if settings.prefix_bans == count {
        return Ok(());
    }
    settings.prefix_bans = count;
    tables.write_settings(&settings)
}

fn lift(tables: &mut Tables, source: Source, now_ns: u64) -> Result<(), KernelError> {
    if let Some(mut ban) = tables.ban(source)? {
        ban.until_ns = ban.until_ns.min(now_ns);
        ban.level = 0;
        tables.put_ban(source, &ban)?;
    }
    tables.clear_strikes(source)
}

fn forget(tables: &mut Tables, source: Source, now_ns: u64) -> Result<(), KernelError> {
    match tables.ban(source)? {
        Some(ban) if ban.until_ns <= now_ns => tables.remove_ban(source),
        Some(_) | None => Ok(()),
    }
}
