//! The forms of feeds: lines, CSV, JSON. A feed is somebody else's file: what is no address is skipped and counted.

use ipnet::IpNet;
use sip_fw_core::text;

use super::feed_json;
use super::file::{SHOWN_MAX, entries};
use super::net::{self, LIST_NETS_MAX};
use crate::config::FeedFormat;

/// The addresses of a feed.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Aggregated.
    pub nets: Vec<IpNet>,
    /// What was not taken, for people.
    pub note: Option<String>,
}

/// Why a whole answer is refused.
#[derive(Debug, thiserror::Error)]
pub enum FeedTextError {
    /// Not JSON, or JSON of another shape.
    #[error("is not the JSON expected, an array of addresses or an object with one: {0}")]
    Json(#[from] serde_json::Error),
    /// More entries than allowed.
    #[error("has more than {LIST_NETS_MAX} entries")]
    TooMany,
    /// Most entries are no addresses: an error page, or another format.
    #[error(
        "is no list of addresses: {unreadable} of {all} entries are none, the first is \"{example}\"; is the format right?"
    )]
    NoList {
        /// Entries that are no addresses.
        unreadable: usize,
        /// All entries.
        all: usize,
        /// One of them, cut.
        example: String,
    },
    /// All entries are such as no feed may contain.
    #[error("has only entries that are taken from no feed, the first is {0}")]
    OnlyRefused(IpNet),
}

/// Entries as they come in.
#[derive(Default)]
struct Count {
    nets: Vec<IpNet>,
    unreadable: usize,
    unreadable_example: Option<String>,
    refused: usize,
    refused_example: Option<IpNet>,
}

/// Reads the body of a feed.
///
/// # Errors
///
/// When it is not what a feed of this form looks like; a few wrong entries are none.
pub fn parse(body: &[u8], format: FeedFormat) -> Result<Parsed, FeedTextError> {
    let mut count = Count::default();
    match told(body, format) {
        FeedFormat::Json => {
            let mut full = false;
            let read = feed_json::each(body, |entry| {
                full = !count.take(entry.unwrap_or("something that is no text"));
                !full
            });
            if full {
                return Err(FeedTextError::TooMany);
            }
            read?;
        }
        FeedFormat::Csv => csv(body, &mut count)?,
        FeedFormat::Lines | FeedFormat::Auto => {
            for (_, entry) in entries(body) {
                if !count.take(&entry) {
                    return Err(FeedTextError::TooMany);
                }
            }
        }
    }
    count.end()
}

/// JSON begins with a bracket or a brace. All else is read as CSV, of which lines without commas are a simple case.
fn told(body: &[u8], format: FeedFormat) -> FeedFormat {
    match format {
        FeedFormat::Auto if matches!(body.trim_ascii_start().first(), Some(b'[' | b'{')) => FeedFormat::Json,
        FeedFormat::Auto => FeedFormat::Csv,
        format => format,
    }
}

fn csv(body: &[u8], count: &mut Count) -> Result<(), FeedTextError> {
    let mut header = None;
    for (index, line) in entries(body).enumerate().map(|(index, (_, line))| (index, line)) {
        let first = line.split([',', '\t']).next().unwrap_or_default().trim();
        let entry = first.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(first).trim();
        if index == 0 && net::parse(entry).is_none() {
            header = Some(entry.to_owned());
        } else if !count.take(entry) {
            return Err(FeedTextError::TooMany);
        }
    }
    // A page of a single line is no header with nothing below it.
    if let Some(header) = header.filter(|_| count.nets.is_empty()) {
        count.take(&header);
    }
    Ok(())
}

impl Count {
    /// Takes one entry; false when there is no room.
    fn take(&mut self, entry: &str) -> bool {
        match net::parse(entry.trim()) {
            None => {
                self.unreadable += 1;
                self.unreadable_example.get_or_insert_with(|| text::cut(entry, SHOWN_MAX));
            }
            Some(net) if net::is_refused_from_feeds(net) => {
                self.refused += 1;
                self.refused_example.get_or_insert(net);
            }
            Some(net) => self.nets.push(net),
        }
        self.all() <= LIST_NETS_MAX
    }

    fn all(&self) -> usize {
        self.nets.len() + self.unreadable + self.refused
    }

    fn end(self) -> Result<Parsed, FeedTextError> {
        let all = self.all();
        let Self { nets, unreadable, unreadable_example, refused, refused_example } = self;
        let mut notes = Vec::new();
        if let Some(example) = unreadable_example {
            if unreadable * 2 > all || nets.is_empty() {
                return Err(FeedTextError::NoList { unreadable, all, example });
            }
            notes.push(format!(
                "skipped {unreadable} of {all} entries that are no addresses, the first is \"{example}\""
            ));
        }
        if let Some(example) = refused_example {
            if nets.is_empty() {
                return Err(FeedTextError::OnlyRefused(example));
            }
            notes.push(format!(
                "skipped {refused} of {all} entries that are taken from no feed, the first is {example}"
            ));
        }
        Ok(Parsed { nets: net::aggregated(nets), note: (!notes.is_empty()).then(|| notes.join("; ")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str, format: FeedFormat) -> String {
        match parse(body.as_bytes(), format) {
            Ok(Parsed { nets, note }) => {
                let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
                nets.join(" ") + &note.map(|note| format!(" | {note}")).unwrap_or_default()
            }
            Err(error) => format!("ERROR {error}"),
        }
    }

    #[test]
    fn every_form() {
        use FeedFormat::{Auto, Csv, Json, Lines};
        for (body, format, expected) in [
            ("", Auto, ""),
            ("# nothing today\n", Lines, ""),
            ("203.0.113.9\r\n# x\n198.51.100.0/24 ; SBL1\n", Lines, "198.51.100.0/24 203.0.113.9/32"),
            ("203.0.113.9\n2001:db8::/32\n", Auto, "203.0.113.9/32 2001:db8::/32"),
            ("ip,count\n203.0.113.9,5\n", Csv, "203.0.113.9/32"),
            ("\"203.0.113.9\",\"x\"\n\"203.0.113.8\"\n", Csv, "203.0.113.8/31"),
            ("# list\n\"ip\",\"seen\"\n\"203.0.113.9\",\"a,b\"\n", Auto, "203.0.113.9/32"),
            ("[\"203.0.113.9\",\"2001:db8::1\"]", Json, "203.0.113.9/32 2001:db8::1/128"),
            (" {\"ipaddress\":[\"203.0.113.9\"],\"ID\":\"7\"}", Auto, "203.0.113.9/32"),
            ("[]", Auto, ""),
            (
                "203.0.113.9\nnonsense\n0.0.0.0/0\n127.0.0.1\n",
                Lines,
                "203.0.113.9/32 | skipped 1 of 4 entries that are no addresses, the first is \"nonsense\"; skipped 2 of 4 \
                 entries that are taken from no feed, the first is 0.0.0.0/0",
            ),
            (
                "203.0.113.9\na\nb\n",
                Lines,
                "ERROR is no list of addresses: 2 of 3 entries are none, the first is \"a\"; is the format right?",
            ),
            ("0.0.0.0/0\n", Lines, "ERROR has only entries that are taken from no feed, the first is 0.0.0.0/0"),
        ] {
            assert_eq!(shown(body, format), expected, "{body:?}");
        }
        for (body, format) in [
            ("<!DOCTYPE html><html><body>503</body></html>", Auto),
            ("<html>\n<body>\n<p>Blocked</p>\n</body>\n</html>\n", Auto),
            ("<html>\n<body>\n<p>Blocked</p>\n", Lines),
            ("<html>", Json),
            ("{\"error\":\"no key\"}", Auto),
            ("{\"ipaddress\":[\"no new bans\"],\"ID\":\"none\"}", Auto),
            ("[1,2,3]", Auto),
            ("ip,count\n", Csv),
            ("203.0.113.9,5\n", Lines),
        ] {
            assert!(shown(body, format).starts_with("ERROR is "), "{body:?}: {}", shown(body, format));
        }
    }

    #[test]
    fn bounds() {
        let lines = "192.0.2.1\n".repeat(LIST_NETS_MAX);
        assert_eq!(shown(&lines, FeedFormat::Auto), "192.0.2.1/32");
        let too_many = format!("ERROR has more than {LIST_NETS_MAX} entries");
        assert_eq!(shown(&(lines + "192.0.2.2"), FeedFormat::Auto), too_many);
        assert_eq!(shown(&format!("[{}0]", "0,".repeat(LIST_NETS_MAX)), FeedFormat::Auto), too_many);
        assert!(shown(&"x".repeat(100_000), FeedFormat::Lines).len() < 250);
    }
}
