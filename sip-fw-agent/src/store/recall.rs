//! What an agent that starts is told.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use sip_fw_core::record::Record;

use super::database::{StoreError, open_to_read};
use super::mailbox::Mailbox;
use super::rows::{BanRow, PeerRow, StrikeRow};
use super::{events, salvage};
use crate::control::protocol::HISTORY_RECORDS_MAX;

const DAY: Duration = Duration::from_secs(86_400);
const JUDGED: &str = "time >= ?1 AND event IN ('auth-failure', 'auth-success', 'ban')";
/// Judgements of the last day that are recalled: more than the ledgers remember sources.
const JUDGED_MAX: usize = 20_000;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Recalled {
    /// Secret of the hashes in the other rows.
    pub hash_seed: Option<u64>,
    /// Bans, in force or ended.
    pub bans: Vec<BanRow>,
    /// Known peers and their users.
    pub peers: Vec<PeerRow>,
    /// Proven failures, by source, oldest first.
    pub strikes: Vec<StrikeRow>,
    /// Number of the last event.
    pub last_event: i64,
    /// The last events under their numbers, oldest first.
    pub recent: Vec<(i64, Record)>,
    /// What was judged within the last day, oldest first.
    pub judged: Vec<(i64, Record)>,
}

/// Reads everything but the events; a broken database is replaced by what can still be read of it.
pub fn recall(path: &Path, mailbox: &Mailbox) -> Recalled {
    if !path.exists() {
        return Recalled::default();
    }
    match read(path) {
        Err(error) if error.is_corrupt() && salvage::replace(path, mailbox) => read(path).unwrap_or_default(),
        Err(error) => {
            mailbox.fails(format!("{}: {error}", path.display()));
            Recalled::default()
        }
        Ok(recalled) => recalled,
    }
}

fn read(path: &Path) -> Result<Recalled, StoreError> {
    let database = open_to_read(path)?;
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        return Ok(Recalled::default());
    }
    Ok(Recalled {
        hash_seed: seed(&database)?,
        bans: all(&database, &format!("SELECT {} FROM bans", BanRow::COLUMNS), BanRow::read)?,
        peers: all(&database, &format!("SELECT {} FROM peers", PeerRow::COLUMNS), PeerRow::read)?,
        strikes: all(
            &database,
            &format!("SELECT {} FROM strikes ORDER BY source, time", StrikeRow::COLUMNS),
            StrikeRow::read,
        )?,
        last_event: events::last_number(&database)?,
        recent: events::last(&database, "time >= ?1", Duration::MAX, HISTORY_RECORDS_MAX)?,
        judged: events::last(&database, JUDGED, DAY, JUDGED_MAX)?,
    })
}

pub fn seed(database: &Connection) -> rusqlite::Result<Option<u64>> {
    let query = "SELECT value FROM about WHERE key = 'hash_seed'";
    let seed: Option<String> = database.query_row(query, [], |row| row.get(0)).optional()?;
    Ok(seed.and_then(|seed| u64::from_str_radix(&seed, 16).ok()))
}

fn all<T>(database: &Connection, query: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    // A row that somebody edited into nonsense is left out; a page that cannot be read is not.
    let mut statement = database.prepare(query)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(read(row).ok());
    }
    Ok(found)
}
