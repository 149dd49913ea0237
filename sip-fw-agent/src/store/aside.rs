//! A broken database is kept aside: somebody may read more of it than we can.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock;

/// What SQLite keeps beside a database, and the database itself.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Bytes of a database and of what is beside it.
pub fn bytes(path: &Path) -> u64 {
    SUFFIXES.iter().map(|suffix| fs::metadata(sibling(path, suffix)).map_or(0, |found| found.len())).sum()
}

/// A file beside a database.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Moves a database aside; returns where it is now.
pub fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let to = sibling(path, &format!(".corrupt-{}", clock::wall().unix_ms / 1000));
    for suffix in SUFFIXES {
        match fs::rename(sibling(path, suffix), sibling(&to, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(to)
}
