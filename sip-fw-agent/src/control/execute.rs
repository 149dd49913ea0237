//! Obeys the controller.

use ipnet::IpNet;
use sip_fw_common::abi::{Event, EventKind, Evidence, Live, PeerKey, Source};
use sip_fw_core::controller::{Command, Input};
use sip_fw_core::record::Record;
use sip_fw_core::source::Ipv6Prefix;

use crate::kernel::{KernelError, Tables};

/// Executes commands; returns what to tell people, and what failed.
///
/// A report that follows a failed change is left out: it would not be true.
pub fn execute(commands: Vec<Command>, tables: &mut Tables, now_ns: u64) -> (Vec<Record>, Vec<KernelError>) {
    let mut records = Vec::new();
    let mut errors = Vec::new();
    let mut failed = false;
    let mut prefixes_put = 0;
    let mut prefixes_removed = false;
    let mut shuns_ended = false;
    for command in commands {
        let result = match command {
            Command::Report(record) => {
                if !failed {
                    records.push(record);
                }
                continue;
            }
            Command::PutBan { source, ban } => tables.put_ban(source, &ban),
            Command::LiftBan { source } => tables.lift_ban(source, now_ns).and_then(|()| tables.clear_strikes(source)),
            Command::ForgetBan { source } => forget(tables, source, now_ns),
            Command::PutPrefixBan { prefix, ban } => {
                prefixes_put += 1;
                tables.put_prefix_ban(prefix, &ban)
            }
            Command::RemovePrefixBan { prefix } => {
                prefixes_removed = true;
                tables.remove_prefix_ban(prefix).map(drop)
            }
            Command::PutShun { source, shun } => tables.put_shun(source, &shun),
            Command::RemoveShun { source } => {
                shuns_ended = true;
                tables.remove_shun(source)
            }
        };
        failed = result.is_err();
        errors.extend(result.err());
    }
    // Once for all of them: only what was removed makes it read the whole table.
    let counted = if prefixes_removed { count_prefixes(tables) } else { add_prefixes(tables, prefixes_put) };
    errors.extend(counted.err());
    if shuns_ended && let Err(error) = tables.count_shuns() {
        errors.push(error);
    }
    (records, errors)
}

/// The controller's input for an event of the programs.
///
/// # Errors
///
/// When the ban table cannot be read.
pub fn input(event: Event, tables: &Tables) -> Result<Input, KernelError> {
    let judged = matches!(EventKind::from_number(event.kind), Some(EventKind::AuthFailure | EventKind::Refused));
    if judged && event.evidence == Evidence::Proven as u8 {
        return Ok(Input::Proven { event, found: tables.ban(event.source)? });
    }
    Ok(Input::Kernel(event))
}

/// Makes the programs know how many prefixes are banned: at 0 the programs do not ask their table.
///
/// # Errors
///
/// When a table cannot be read or written.
pub fn count_prefixes(tables: &mut Tables) -> Result<(), KernelError> {
    let count = u32::try_from(tables.prefix_bans()?.len()).unwrap_or(u32::MAX);
    let live = tables.live()?;
    if live.prefix_bans == count {
        return Ok(());
    }
    tables.write_live(&Live { prefix_bans: count, ..live })
}

/// The same when some were written: those that were there already are counted twice until one is removed.
fn add_prefixes(tables: &mut Tables, count: u32) -> Result<(), KernelError> {
    if count == 0 {
        return Ok(());
    }
    let live = tables.live()?;
    tables.write_live(&Live { prefix_bans: live.prefix_bans.saturating_add(count), ..live })
}

/// The known peer in a prefix, if there is one: then it must not be banned.
///
/// # Errors
///
/// When the table cannot be read.
pub fn known_peer_in(prefix: IpNet, tables: &Tables, ipv6: Ipv6Prefix) -> Result<Option<String>, KernelError> {
    let inside = |(key, _): &(PeerKey, _)| key.user == 0 && prefix.contains(&ipv6.net(key.source));
    let found = tables.peers()?.into_iter().find(inside);
    Ok(found.map(|(key, _)| format!("{} is a known peer", ipv6.show(key.source))))
}

fn forget(tables: &mut Tables, source: Source, now_ns: u64) -> Result<(), KernelError> {
    match tables.ban(source)? {
        // Should egress ban the source just now, its strikes still stand: the next failure brings the ban back.
        Some(ban) if ban.until_ns <= now_ns => tables.remove_ban(source),
        Some(_) | None => Ok(()),
    }
}
