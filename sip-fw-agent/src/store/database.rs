//! Opening the database, and bringing its schema up to date.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// How long to wait for somebody else who writes, such as a sysadmin's `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);

/// What each version of the schema adds to the one before. Times are RFC 3339 in UTC with milliseconds, so that they sort as text.
const MIGRATIONS: &[&str] = &["
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- Also ended bans, which the ladder remembers. until: NULL for a ban that only an operator ends.
CREATE TABLE bans (
  source TEXT PRIMARY KEY, since TEXT NOT NULL, until TEXT, level INTEGER NOT NULL, origin TEXT NOT NULL,
  evidence TEXT NOT NULL, service TEXT, strikes INTEGER NOT NULL, user ANY, user_agent ANY,
  packets INTEGER NOT NULL, bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- user_hash: under the secret hash_seed of table about; 0 for the source itself, 4 for an upstream.
CREATE TABLE peers (
  source TEXT NOT NULL, user_hash INTEGER NOT NULL, user ANY, method TEXT NOT NULL, transport TEXT NOT NULL,
  service TEXT, first TEXT NOT NULL, last TEXT NOT NULL, PRIMARY KEY (source, user_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE strikes (source TEXT NOT NULL, time TEXT NOT NULL, user_hash INTEGER NOT NULL) STRICT;
CREATE INDEX strikes_source ON strikes (source);
-- The keys are those of `sip-fw events --json`. until: 'lifted' for a ban that only an operator ends.
CREATE TABLE events (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL, source TEXT, service TEXT, method TEXT, user TEXT,
  user_agent TEXT, evidence TEXT, reason TEXT, strikes INTEGER, until TEXT, level INTEGER
) STRICT;
CREATE INDEX events_time ON events (time);
CREATE INDEX events_source ON events (source) WHERE source IS NOT NULL;
"];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What SQLite says.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What the file system says.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A later sip-fw wrote it.
    #[error(
        "its schema is version {found}, this sip-fw knows up to {known}; use the newer sip-fw, or move the file away"
    )]
    Newer {
        /// Its version.
        found: usize,
        /// The latest one known.
        known: usize,
    },
}

impl StoreError {
    /// Whether the file itself is broken.
    pub fn is_corrupt(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) = self else { return false };
        matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    }
}

/// Opens for writing, makes what is missing, and brings the schema up to date.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // SQLite gives its other files the same mode. The secret of the hashes is in it.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let mut database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.busy_timeout(BUSY)?;
    database.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut database)?;
    Ok(database)
}

/// Opens for reading, also where nothing can be written.
pub fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = |query: &str| {
        let path = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        format!("file:{path}{query}")
    };
    let opened = |query: &str| -> Result<Connection, StoreError> {
        let database = Connection::open_with_flags(uri(query), flags)?;
        database.busy_timeout(BUSY)?;
        refuse_newer(&database)?;
        Ok(database)
    };
    // Where the files beside it cannot be made, what is in the main file can still be read.
    opened("").or_else(|error| if error.is_corrupt() { Err(error) } else { opened("?immutable=1").map_err(|_| error) })
}

fn migrate(database: &mut Connection) -> Result<(), StoreError> {
    let found = refuse_newer(database)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found) {
        let transaction = database.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version of the schema; 0 for an empty file.
fn refuse_newer(database: &Connection) -> Result<usize, StoreError> {
    let found: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (found, known) = (usize::try_from(found).unwrap_or(usize::MAX), MIGRATIONS.len());
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found) }
}
