//! fail2ban's database.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use sip_fw_core::time::{Timestamp, Until};

use super::reading::Reading;
use super::{ENTRIES_MAX, Entry};

/// How every SQLite database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What is banned now, by address and jail, since fail2ban 0.11.
const BANS: &str = "SELECT ip, timeofban, bantime FROM bips ORDER BY timeofban LIMIT ?1";

/// Whether a file is an SQLite database.
#[must_use]
pub fn is_database(file: &Path) -> bool {
    let mut head = [0; MAGIC.len()];
    file.is_file() && File::open(file).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *MAGIC
}

/// Reads it, and writes nothing.
pub(super) fn read(file: &Path, reading: &mut Reading) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut bans = connection.prepare(BANS)?;
    let mut rows = bans.query([ENTRIES_MAX as i64 + 1])?;
    let mut number = 0;
    while let Some(row) = rows.next()? {
        number += 1;
        let (source, since, seconds): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let at = |seconds: i64| Timestamp { unix_ms: seconds.saturating_mul(1000) };
        let until = if seconds < 0 { Until::Lifted } else { Until::At(at(since.saturating_add(seconds))) };
        reading.take(number, Entry { since: Some(at(since)), ..Entry::new(source, until) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::reading::test_help::shown;
    use super::super::{Terms, read_database};
    use super::*;

    #[test]
    fn a_real_database() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/bulk/fail2ban.sqlite3"));
        assert!(is_database(file) && !is_database(Path::new("/")) && !is_database(Path::new("/proc/version")));
        let reading = read_database(file, Terms::for_tests()).unwrap();
        let expected =
            ["203.0.113.9 2026-11-25T22:08:57.000Z", "2001:db8:1::9 2026-11-25T22:08:57.000Z", "198.51.100.7 lifted"];
        assert_eq!(shown(&reading), expected);
    }

    #[test]
    fn another_database_is_told() {
        let file = std::env::temp_dir().join(format!("sip-fw-bulk-{}.sqlite3", std::process::id()));
        Connection::open(&file).unwrap().execute("CREATE TABLE other (x)", ()).unwrap();
        let error = read_database(&file, Terms::for_tests()).unwrap_err();
        std::fs::remove_file(&file).unwrap();
        assert!(error.to_string().contains("no such table: bips"), "{error}");
    }
}
