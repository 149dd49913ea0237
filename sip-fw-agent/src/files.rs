//! Reading regular files with a limit, and replacing them so that a power cut leaves the old or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A folder, a device, a pipe.
    #[error("is no regular file")]
    NotRegular,
    /// Longer than allowed.
    #[error("has {found} bytes, allowed are {max}")]
    TooLong {
        /// Its length.
        found: u64,
        /// The longest allowed.
        max: u64,
    },
}

impl ReadError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads all of a regular file.
///
/// # Errors
///
/// When it is not there, no regular file, or longer than `max` bytes.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    // Before it is opened: opening a pipe waits for its other end.
    if !path.metadata()?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let file = File::open(path)?;
    let mut found = file.metadata()?.len();
    let mut bytes = Vec::new();
    if found <= max {
        // It may grow meanwhile.
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
    if found > max { Err(ReadError::TooLong { found, max }) } else { Ok(bytes) }
}

/// Reads all of a regular file as UTF-8.
///
/// # Errors
///
/// As [`read`], and where it is something else than UTF-8.
pub fn read_text(path: &Path, max: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, max)?)
        .map_err(|error| ReadError::Io(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error())))
}

/// Writes a file so that there is always the old one or the new one, on the disk, too. One that was there keeps its mode and
/// its owner, and a symbolic link goes on leading to it; a fresh one is for its owner and group alone.
///
/// # Errors
///
/// What the file system refuses.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    // A configuration may hold secrets.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&beside)?;
    if let Ok(old) = path.metadata() {
        // Who may not give files away owns the old one as well.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, &path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_its_link() {
        let folder = std::env::temp_dir().join(format!("sip-fw-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (real, link) = (folder.join("real"), folder.join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(&folder.join("fresh"), "1").unwrap();
        assert_eq!(read_text(&folder.join("fresh"), 1).unwrap(), "1");
        assert_eq!(fs::metadata(folder.join("fresh")).unwrap().permissions().mode() & 0o137, 0);
        assert!(matches!(read(&real, 2), Err(ReadError::TooLong { found: 3, max: 2 })));
        assert!(matches!(read(&folder, 2), Err(ReadError::NotRegular)));
        assert!(matches!(read(Path::new("/dev/zero"), 2), Err(ReadError::NotRegular)));
        assert!(read(&folder.join("none"), 2).unwrap_err().is_missing());
        fs::remove_dir_all(&folder).unwrap();
    }
}
