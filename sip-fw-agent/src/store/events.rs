//! Events in the database, and reading them back in pages.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, params};
use sip_fw_core::SCHEMA;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::{Timestamp, Until};

use super::database::{StoreError, open_to_read};
use super::time_before;

/// Events read at once.
const PAGE_EVENTS: usize = 1000;
/// In the column `until`: only an operator ends the ban.
const LIFTED: &str = "lifted";

const COLUMNS: &str =
    "id, time, event, source, service, method, user, user_agent, evidence, reason, strikes, until, level";
const PUT: &str = "INSERT OR REPLACE INTO events (id, time, event, source, service, method, user, user_agent, evidence, reason, \
                   strikes, until, level) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Which events are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Not older than this.
    pub since: Timestamp,
    /// Their numbers come after this one.
    pub after: i64,
    /// And before this one.
    pub before: i64,
}

impl Page {
    /// All of them.
    #[must_use]
    pub const fn everything() -> Self {
        Self { since: Timestamp { unix_ms: 0 }, after: 0, before: i64::MAX }
    }

    /// Those of the last so much time.
    #[must_use]
    pub fn since(age: Duration) -> Self {
        Self { since: time_before(age), ..Self::everything() }
    }
}

/// Reads events in the order of their numbers, and hands each to `take` until that says that it has enough.
///
/// # Errors
///
/// When the database cannot be read.
pub fn read_events(path: &Path, page: Page, mut take: impl FnMut(Record) -> bool) -> Result<(), StoreError> {
    let database = open_to_read(path)?;
    let mut after = page.after;
    loop {
        // A new look for each page: a long one would keep the writer from shortening its log.
        let found = read_page(&database, Page { after, ..page })?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        after = *last;
        for (_, record) in found {
            if !take(record) {
                return Ok(());
            }
        }
    }
}

fn read_page(database: &Connection, page: Page) -> rusqlite::Result<Vec<(i64, Record)>> {
    let query = format!(
        "SELECT {COLUMNS} FROM events WHERE id > ?1 AND id < ?2 AND time >= ?3 ORDER BY id LIMIT {PAGE_EVENTS}"
    );
    let mut statement = database.prepare(&query)?;
    let rows = statement.query_map(params![page.after, page.before, page.since.to_string()], read)?;
    rows.collect()
}

/// The last events, under their numbers, that are younger than `age`, oldest first; `?1` in the condition is the time before which they are older.
pub fn last(database: &Connection, condition: &str, age: Duration, max: usize) -> rusqlite::Result<Vec<(i64, Record)>> {
    let query = format!("SELECT {COLUMNS} FROM events WHERE {condition} ORDER BY id DESC LIMIT {max}");
    let mut statement = database.prepare(&query)?;
    let mut found: Vec<_> =
        statement.query_map([time_before(age).to_string()], read)?.collect::<rusqlite::Result<_>>()?;
    found.reverse();
    Ok(found)
}

/// The number of the last event; 0 without any.
pub fn last_number(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))
}

pub fn put(transaction: &Transaction<'_>, events: &[(i64, Arc<Record>)]) -> rusqlite::Result<()> {
    let mut put = transaction.prepare(PUT)?;
    for (number, record) in events {
        let until = record.until.map(|until| match until {
            Until::At(time) => time.to_string(),
            Until::Lifted => LIFTED.to_owned(),
        });
        put.execute(params![
            number,
            record.time.to_string(),
            record.event.name(),
            record.source,
            record.service,
            record.method,
            record.user,
            record.user_agent,
            record.evidence,
            record.reason,
            record.strikes,
            until,
            record.level,
        ])?;
    }
    Ok(())
}

pub fn read(row: &Row<'_>) -> rusqlite::Result<(i64, Record)> {
    // Somebody may have edited it: what is no time or no event is shown as what is nearest to it.
    let time = |text: String| text.parse().unwrap_or(Timestamp { unix_ms: 0 });
    let until: Option<String> = row.get(11)?;
    let record = Record {
        schema: SCHEMA,
        time: time(row.get(1)?),
        event: EventName::from_name(row.get_ref(2)?.as_str()?).unwrap_or(EventName::Degraded),
        source: row.get(3)?,
        service: row.get(4)?,
        method: row.get(5)?,
        user: row.get(6)?,
        user_agent: row.get(7)?,
        evidence: row.get(8)?,
        reason: row.get(9)?,
        strikes: row.get(10)?,
        until: until.map(|until| if until == LIFTED { Until::Lifted } else { Until::At(time(until)) }),
        level: row.get(12)?,
    };
    Ok((row.get(0)?, record))
}

/// The query of every event, for salvage; `order` is `ASC` or `DESC`.
pub fn all_in(order: &str) -> String {
    format!("SELECT {COLUMNS} FROM events ORDER BY id {order}")
}
