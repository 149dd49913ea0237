//! Files with one address or prefix per line.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ipnet::IpNet;
use sip_fw_core::text;
use sip_fw_core::time::Timestamp;

use super::net::{self, ALLOWED, LIST_NETS_MAX};
use crate::files::{self, ReadError};

/// Bytes of the longest file that is read: a million lines of the longest prefixes, and comments.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Wrong lines of one file that are told one by one.
const LINES_TOLD_MAX: usize = 20;
/// Bytes shown of a wrong line.
pub const SHOWN_MAX: usize = 80;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    // A copy that keeps the time of its original changes this one all the same.
    changed: (i64, i64),
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// More entries than allowed.
    #[error("has more than {LIST_NETS_MAX} entries")]
    TooMany,
    /// A line is neither an address nor a prefix.
    #[error(
        "line {line}: \"{found}\" is neither an address nor a prefix; allowed are {ALLOWED}, and # and ; for comments"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What stands there, cut.
        found: String,
    },
    /// Further wrong lines that are not told one by one.
    #[error("and {0} more lines like this")]
    MoreLines(usize),
}

impl Signature {
    /// Looks at a file.
    ///
    /// # Errors
    ///
    /// When it is not there, or no regular file.
    pub fn of(path: &Path) -> Result<Self, ReadError> {
        let metadata = path.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotRegular);
        }
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// When the content last changed.
    pub fn modified(&self) -> Timestamp {
        let (seconds, nanos) = self.modified;
        Timestamp { unix_ms: seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000) }
    }
}

/// Reads a list, aggregated.
///
/// # Errors
///
/// When it cannot be read, or contains other things than addresses, prefixes and comments: every such line.
pub fn read(path: &Path) -> Result<Vec<IpNet>, Vec<FileError>> {
    parse(&files::read(path, FILE_BYTES_MAX).map_err(|error| vec![error.into()])?)
}

/// Reads the text of a list, aggregated.
///
/// # Errors
///
/// When it contains other things than addresses, prefixes and comments: every such line.
pub fn parse(bytes: &[u8]) -> Result<Vec<IpNet>, Vec<FileError>> {
    let mut nets = Vec::new();
    let mut wrong = Vec::new();
    let mut untold = 0;
    for (index, entry) in entries(bytes) {
        match net::parse(&entry) {
            Some(_) if nets.len() >= LIST_NETS_MAX => return Err(vec![FileError::TooMany]),
            Some(net) => nets.push(net),
            None if wrong.len() < LINES_TOLD_MAX => {
                wrong.push(FileError::Line { line: index + 1, found: text::cut(&entry, SHOWN_MAX) });
            }
            None => untold += 1,
        }
    }
    if untold > 0 {
        wrong.push(FileError::MoreLines(untold));
    }
    if wrong.is_empty() { Ok(net::aggregated(nets)) } else { Err(wrong) }
}

/// The lines that have something beside comments and blanks, with their numbers from 0.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = (usize, std::borrow::Cow<'_, str>)> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').enumerate().filter_map(|(index, line)| {
        let entry = line.split(|byte| matches!(byte, b'#' | b';')).next().unwrap_or_default().trim_ascii();
        (!entry.is_empty()).then(|| (index, String::from_utf8_lossy(entry)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        for (text, expected) in [
            ("", ""),
            ("# only\n; comments\r\n\r\n \t\n", ""),
            ("203.0.113.9", "203.0.113.9/32"),
            ("203.0.113.9/24 # office\r\n2001:db8::1;home\r\n", "203.0.113.0/24 2001:db8::1/128"),
            ("\u{feff}::ffff:198.51.100.7\n\t198.51.100.6\n", "198.51.100.6/31"),
        ] {
            let nets = parse(text.as_bytes()).unwrap();
            assert_eq!(nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), expected, "{text:?}");
        }
        assert!(parse(b"1.2.3.4 # caf\xe9\n").is_ok(), "comments may have any bytes");
    }

    #[test]
    fn wrong_lines_are_all_told() {
        let told = |bytes: &[u8]| parse(bytes).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told(b"1.2.3.4\n\nhost.example # x\n1.2.3.4 5.6.7.8\n"),
            [
                "line 3: \"host.example\" is neither an address nor a prefix; allowed are 203.0.113.9, 203.0.113.0/24, \
             2001:db8::1, 2001:db8::/48, and # and ; for comments",
                "line 4: \"1.2.3.4 5.6.7.8\" is neither an address nor a prefix; allowed are 203.0.113.9, 203.0.113.0/24, \
             2001:db8::1, 2001:db8::/48, and # and ; for comments",
            ]
        );
        let many = told(&[b"x\n".repeat(25), vec![b'y'; 500]].concat());
        assert_eq!((many.len(), many.last().map(String::as_str)), (21, Some("and 6 more lines like this")));
        assert!(told(&[b'y'; 500]).iter().all(|line| line.len() < 250));
        assert!(told(b"\xff\x1b[2J")[0].contains("\u{fffd}\\u{1b}[2J"));
    }

    #[test]
    fn bounds() {
        let mut lines = b"192.0.2.1\n".repeat(LIST_NETS_MAX);
        assert_eq!(parse(&lines).map(|nets| nets.len()).ok(), Some(1));
        lines.extend(b"192.0.2.2");
        assert!(matches!(parse(&lines).unwrap_err()[..], [FileError::TooMany]));
        let folder = std::env::temp_dir().join(format!("sip-fw-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("sparse");
        std::fs::File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(matches!(read(&path).unwrap_err()[..], [FileError::Read(ReadError::TooLong { .. })]));
        assert!(matches!(read(&folder).unwrap_err()[..], [FileError::Read(ReadError::NotRegular)]));
        assert!(matches!(read(Path::new("/dev/zero")).unwrap_err()[..], [FileError::Read(ReadError::NotRegular)]));
        assert!(matches!(read(&folder.join("none")).unwrap_err()[..], [FileError::Read(ReadError::Io(_))]));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
