//! A broken database: kept aside, and what can still be read of it put into a new one.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, Row};

use super::aside::move_aside;
use super::database::{StoreError, open};
use super::events;
use super::gaps::Table;
use super::mailbox::{Batch, Mailbox};
use super::recall::seed;
use super::rows::{BanRow, PeerRow, StrikeRow};
use super::writer::put_changes;

/// Puts a new database in the place of a broken one; false if not even that can be done.
pub fn replace(path: &Path, mailbox: &Mailbox) -> bool {
    let replaced = move_aside(path).map_err(StoreError::from).and_then(|aside| {
        let saved = save(&aside);
        let counts = (saved.changes.len(), saved.events.len());
        let mut database = open(path)?;
        let transaction = database.transaction()?;
        put_changes(&transaction, &saved)?;
        events::put(&transaction, &saved.events)?;
        transaction.commit()?;
        Ok((aside, counts))
    });
    // What is in the tables is better than what was in the file.
    mailbox.want_everything();
    match replaced {
        Ok((aside, (rows, events))) => {
            mailbox.say(format!(
                "the store was broken and is kept as {}; {rows} bans, known peers and strikes and {events} events could be \
                 read and are in a new one",
                aside.display()
            ));
            true
        }
        Err(error) => {
            mailbox.fails(format!("{} is broken, and cannot be replaced: {error}", path.display()));
            false
        }
    }
}

/// Everything that can be read.
fn save(aside: &Path) -> Batch {
    let mut saved = Batch::default();
    let Ok(database) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return saved };
    let database = &database;
    saved.changes.hash_seed = seed(database).ok().flatten();
    let bans =
        Table { database, name: "bans", columns: BanRow::COLUMNS, read: BanRow::read, source: |row| &row.source };
    saved.changes.bans.extend(bans.rows().into_iter().map(|row| (row.source.clone(), Some(row))));
    let peers =
        Table { database, name: "peers", columns: PeerRow::COLUMNS, read: PeerRow::read, source: |row| &row.source };
    saved.changes.peers.extend(peers.rows().into_iter().map(|row| ((row.source.clone(), row.user_hash), Some(row))));
    let strikes = Table {
        database,
        name: "strikes",
        columns: StrikeRow::COLUMNS,
        read: StrikeRow::read,
        source: |row| &row.source,
    };
    for row in strikes.rows() {
        let rows = saved.changes.strikes.entry(row.source.clone()).or_default();
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    for order in ["ASC", "DESC"] {
        let found = readable(database, &events::all_in(order), events::read);
        saved.events.extend(found.into_iter().map(|(number, record)| (number, Arc::new(record))));
    }
    saved.events.sort_by_key(|(number, _)| *number);
    saved.events.dedup_by_key(|(number, _)| *number);
    saved
}

/// The rows up to the first page that cannot be read.
fn readable<T>(database: &Connection, query: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut found = Vec::new();
    let Ok(mut statement) = database.prepare(query) else { return found };
    let Ok(mut rows) = statement.query([]) else { return found };
    while let Ok(Some(row)) = rows.next() {
        found.extend(read(row).ok());
    }
    found
}
