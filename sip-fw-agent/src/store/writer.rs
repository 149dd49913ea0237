//! The thread that writes: what changed and what happened, one transaction at a time, and again what could not be written.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};

use super::database::{StoreError, open};
use super::mailbox::{Batch, Mailbox};
use super::rows::{BanRow, PeerRow, StrikeRow};
use super::{StoreRules, aside, events, salvage, time_before};

/// At least this long between two transactions: each costs the disk a flush.
const PACE: Duration = Duration::from_millis(200);
/// Nothing to do: then old events are dropped.
const IDLE: Duration = Duration::from_secs(60);
/// Pause after a failure, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Old events dropped at once: more than come in one transaction.
const DROPPED_AT_ONCE: i64 = 16_384;
/// Pages given back to the file system at once.
const PAGES_GIVEN_BACK: i64 = 256;

/// Writes until the mailbox is closed.
pub fn write_all(path: &Path, mailbox: &Mailbox, mut rules: StoreRules) {
    let mut database = None;
    let mut next_pause = FIRST_PAUSE;
    loop {
        let batch = mailbox.take(IDLE);
        rules = batch.rules.unwrap_or(rules);
        let began = Instant::now();
        let last = batch.last;
        let pause = match write(&mut database, path, &batch, rules) {
            Ok(()) => {
                mailbox.works(aside::bytes(path));
                next_pause = FIRST_PAUSE;
                PACE.saturating_sub(began.elapsed())
            }
            Err(error) => {
                database = None;
                mailbox.give_back(batch);
                if error.is_corrupt() && salvage::replace(path, mailbox) {
                    continue;
                }
                mailbox.fails(format!("{}: {error}", path.display()));
                let pause = next_pause;
                next_pause = (pause * 2).min(LONGEST_PAUSE);
                pause
            }
        };
        if last {
            return;
        }
        mailbox.pause(pause);
    }
}

fn write(database: &mut Option<Connection>, path: &Path, batch: &Batch, rules: StoreRules) -> Result<(), StoreError> {
    // A file that somebody took away is made anew, instead of writing into what nobody will read.
    if database.is_some() && !path.exists() {
        *database = None;
    }
    let database = match database {
        Some(database) => database,
        none => none.insert(open(path)?),
    };
    let transaction = database.transaction()?;
    put_changes(&transaction, batch)?;
    events::put(&transaction, &batch.events)?;
    drop_old(&transaction, rules)?;
    transaction.commit()?;
    database.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))?;
    Ok(())
}

pub fn put_changes(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    if let Some(seed) = batch.changes.hash_seed {
        put_seed(transaction, seed)?;
    }
    let mut put = transaction.prepare(BanRow::PUT)?;
    let mut remove = transaction.prepare("DELETE FROM bans WHERE source = ?1")?;
    for (source, row) in &batch.changes.bans {
        match row {
            Some(row) => row.put(&mut put)?,
            None => drop(remove.execute([source])?),
        }
    }
    let mut put = transaction.prepare(PeerRow::PUT)?;
    let mut remove = transaction.prepare("DELETE FROM peers WHERE source = ?1 AND user_hash = ?2")?;
    for ((source, user_hash), row) in &batch.changes.peers {
        match row {
            Some(row) => row.put(&mut put)?,
            None => drop(remove.execute(params![source, user_hash.cast_signed()])?),
        }
    }
    let mut put = transaction.prepare(StrikeRow::PUT)?;
    let mut remove = transaction.prepare("DELETE FROM strikes WHERE source = ?1")?;
    for (source, rows) in &batch.changes.strikes {
        remove.execute([source])?;
        rows.iter().try_for_each(|row| row.put(&mut put))?;
    }
    Ok(())
}

/// As hexadecimal digits.
fn put_seed(transaction: &Transaction<'_>, seed: u64) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO about (key, value) VALUES ('hash_seed', ?1)";
    transaction.execute(put, [format!("{seed:016x}")]).map(drop)
}

fn drop_old(transaction: &Transaction<'_>, rules: StoreRules) -> rusqlite::Result<()> {
    let oldest = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE time < ?1 ORDER BY time LIMIT ?2)";
    transaction.execute(oldest, params![time_before(rules.keep).to_string(), DROPPED_AT_ONCE])?;
    let eighth = "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT (SELECT count(*) / 8 + 1 FROM events))";
    while used_bytes(transaction)? > rules.bytes_max {
        if transaction.execute(eighth, [])? == 0 {
            break;
        }
    }
    Ok(())
}

/// Without the pages that are free to be used again.
fn used_bytes(database: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let pages = number("page_count")? - number("freelist_count")?;
    Ok(pages.saturating_mul(number("page_size")?).unsigned_abs())
}
