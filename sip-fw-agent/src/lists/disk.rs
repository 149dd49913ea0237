//! The last known addresses on disk, below `<state>/lists/`, so that a restart in an outage keeps them. Blocks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sip_fw_core::time::Timestamp;

use super::fetch::Validators;
use super::file::Signature;
use crate::files;

/// Version of the files' form; files of another are as if there were none.
const VERSION: u32 = 1;
/// Bytes of the longest file of host addresses that is read: 64 addresses each of ten thousand names.
const HOSTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of the longest first line of a feed's file: an address, two validators.
const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Bytes of a feed's name in the name of its file; file systems allow 255.
const NAME_BYTES_MAX: usize = 100;

/// The last known addresses of names.
pub type Hosts = BTreeMap<String, HostAddresses>;

/// Those of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAddresses {
    /// When name servers last said so.
    pub as_of: Timestamp,
    /// What they said, aggregated.
    pub nets: Vec<IpNet>,
}

/// The last good answer of a feed.
#[derive(Debug, PartialEq, Eq)]
pub struct FeedBody {
    /// When its server last said so.
    pub as_of: Timestamp,
    /// What it said of it.
    pub validators: Validators,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// Why something cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct DiskError {
    path: PathBuf,
    error: io::Error,
}

#[derive(Serialize, Deserialize)]
struct HostsFile {
    version: u32,
    hosts: Hosts,
}

/// The first line of a feed's file; the body is behind it.
#[derive(Serialize, Deserialize)]
struct FeedHead {
    version: u32,
    url: String,
    validators: Validators,
}

/// Reads the addresses of names; none when there is no file, or one that this version does not understand.
pub fn read_hosts(folder: &Path) -> Hosts {
    files::read(&hosts_path(folder), HOSTS_BYTES_MAX)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<HostsFile>(&bytes).ok())
        .filter(|file| file.version == VERSION)
        .map_or_else(Hosts::new, |file| file.hosts)
}

/// Keeps the addresses of names.
///
/// # Errors
///
/// When the folder cannot be written to.
pub fn write_hosts(folder: &Path, hosts: &Hosts) -> Result<(), DiskError> {
    let path = hosts_path(folder);
    let text = serde_json::to_vec(&HostsFile { version: VERSION, hosts: hosts.clone() })
        .map_err(|error| DiskError { path: path.clone(), error: error.into() })?;
    write(&path, &[&text, b"\n"])
}

/// Reads the last good answer of a feed; None when there is none from this address, or a longer one than allowed.
pub fn read_feed(path: &Path, url: &str, max_bytes: u64) -> Option<FeedBody> {
    let as_of = Signature::of(path).ok()?.modified();
    let mut bytes = files::read(path, max_bytes.saturating_add(HEAD_BYTES_MAX)).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: FeedHead = serde_json::from_slice(bytes.get(..end)?).ok()?;
    bytes.drain(..=end);
    let is_allowed = u64::try_from(bytes.len()).is_ok_and(|len| len <= max_bytes);
    (head.version == VERSION && head.url == url && is_allowed).then_some(FeedBody {
        as_of,
        validators: head.validators,
        bytes,
    })
}

/// Keeps an answer of a feed.
///
/// # Errors
///
/// When the folder cannot be written to.
pub fn write_feed(path: &Path, url: &str, validators: &Validators, body: &[u8]) -> Result<(), DiskError> {
    let head = FeedHead { version: VERSION, url: url.to_owned(), validators: validators.clone() };
    let head = serde_json::to_vec(&head).map_err(|error| DiskError { path: path.to_owned(), error: error.into() })?;
    write(path, &[&head, b"\n", body])
}

/// Remembers that the answer on disk was right just now.
///
/// # Errors
///
/// When it cannot be written to, or is gone.
pub fn touch(path: &Path) -> Result<(), DiskError> {
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .map_err(|error| DiskError { path: path.to_owned(), error })
}

/// The file of a feed. Another address has another file, so that trying one out does not cost the last list of the other.
pub fn feed_path(folder: &Path, name: &str, url: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (name, url).hash(&mut hasher);
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain: String = name.chars().filter(is_plain).take(NAME_BYTES_MAX).collect();
    folder.join(format!("feed-{plain}-{:016x}", hasher.finish()))
}

fn hosts_path(folder: &Path) -> PathBuf {
    folder.join("hosts.json")
}

/// All of it or nothing: a new file takes the place of the old.
fn write(path: &Path, parts: &[&[u8]]) -> Result<(), DiskError> {
    static UNIQUE: AtomicU64 = AtomicU64::new(0);
    let number = UNIQUE.fetch_add(1, Ordering::Relaxed);
    let new = path.with_added_extension(format!("new-{}-{number}", std::process::id()));
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let mut file = File::create(&new)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    written.map_err(|error| {
        // The failure that is returned comes first.
        let _ = fs::remove_file(&new);
        DiskError { path: path.to_owned(), error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let folder = std::env::temp_dir().join(format!("sip-fw-disk-{}", std::process::id()));
        assert_eq!(read_hosts(&folder), Hosts::new());
        let nets = vec!["203.0.113.8/30".parse().unwrap(), "2001:db8::1/128".parse().unwrap()];
        let hosts = Hosts::from([("pbx.example".to_owned(), HostAddresses { as_of: Timestamp { unix_ms: 7 }, nets })]);
        write_hosts(&folder, &hosts).unwrap();
        assert_eq!(read_hosts(&folder), hosts);
        fs::write(hosts_path(&folder), "{\"version\":1,\"hosts\":{").unwrap();
        assert_eq!(read_hosts(&folder), Hosts::new());

        let path = feed_path(&folder, "../a b/é", "http://x/");
        assert_eq!(path.parent(), Some(folder.as_path()));
        let validators = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
        write_feed(&path, "http://x/", &validators, b"1.2.3.4\n\n5").unwrap();
        let kept = read_feed(&path, "http://x/", 10).unwrap();
        assert_eq!((kept.validators, kept.bytes.as_slice()), (validators, &b"1.2.3.4\n\n5"[..]));
        assert_eq!(read_feed(&path, "http://y/", 10), None);
        assert_eq!(read_feed(&path, "http://x/", 9), None);
        File::options().append(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        touch(&path).unwrap();
        assert!(read_feed(&path, "http://x/", 10).unwrap().as_of.unix_ms > 0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no temporary files are left");

        let error = write(&path.join("below a file"), &[]).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
