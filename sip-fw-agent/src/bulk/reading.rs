//! What was read so far, and what was wrong with it.

use std::fmt;

use jiff::tz::TimeZone;
use sip_fw_core::source::{Ipv6Prefix, TargetError};
use sip_fw_core::text::cut;
use sip_fw_core::time::{Timestamp, Until};

use super::{ENTRIES_MAX, Entry, LINE_BYTES_MAX};

/// Faults that are told one by one.
const FAULTS_MAX: usize = 20;
/// Bytes that are shown of something wrong.
const SHOWN_BYTES_MAX: usize = 80;

/// What a text does not say itself.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Now.
    pub now: Timestamp,
    /// When bans end whose deadline is not said.
    pub until: Option<Until>,
    /// The time zone of times that do not say theirs.
    pub zone: TimeZone,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1; of a database the number of the entry.
    pub line: usize,
    /// What is there.
    pub found: String,
    /// What may be there.
    pub allowed: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}; allowed: {}", self.line, self.found, self.allowed)
    }
}

/// What was read of a text.
#[derive(Debug)]
pub struct Reading {
    /// What it was read by.
    pub terms: Terms,
    entries: Vec<Entry>,
    faults: Vec<Fault>,
    faulty: usize,
    undated: Option<usize>,
}

impl Reading {
    pub(super) const fn new(terms: Terms) -> Self {
        Self { terms, entries: Vec::new(), faults: Vec::new(), faulty: 0, undated: None }
    }

    /// The bans.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The first faults, in the order of their lines.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many faults there are.
    #[must_use]
    pub const fn faulty(&self) -> usize {
        self.faulty
    }

    /// The first line that says no deadline, while nobody else does.
    #[must_use]
    pub const fn undated(&self) -> Option<usize> {
        self.undated
    }

    pub(super) fn fault(&mut self, line: usize, found: impl AsRef<str>, allowed: &'static str) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { line, found: cut(found.as_ref(), SHOWN_BYTES_MAX), allowed });
        }
    }

    /// Takes a ban of an address or a prefix; without a deadline of its own it ends as the terms say.
    pub(super) fn ban(&mut self, line: usize, source: &str, until: Option<Until>) {
        match until.or(self.terms.until) {
            Some(until) => self.take(line, Entry::new(source.to_owned(), until)),
            None => drop(self.undated.get_or_insert(line)),
        }
    }

    /// Takes a ban if its source is one. Which IPv6 sources there are and who must not be banned is for the agent to say.
    pub(super) fn take(&mut self, line: usize, mut entry: Entry) {
        // A single IPv6 address stands for its source, with or without its length.
        let source = entry.source.trim();
        entry.source = source.strip_suffix("/128").unwrap_or(source).to_owned();
        if let Err(TargetError::Syntax(_)) = Ipv6Prefix::DEFAULT.parse(&entry.source) {
            self.fault(
                line,
                format!("{:?}", entry.source),
                "an address or a prefix, such as 203.0.113.9 or 2001:db8::/48",
            );
        } else if self.entries.len() < ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.fault(line, "one more", "4194304 entries; import a part at a time");
        }
    }
}

/// Reads line by line, with their numbers: those that are empty or too long are left out.
pub(super) fn each_line(text: &str, reading: &mut Reading, mut read: impl FnMut(&mut Reading, usize, &str)) {
    for (number, line) in (1..).zip(text.lines()) {
        if line.len() > LINE_BYTES_MAX {
            reading.fault(number, format!("{} bytes", line.len()), "lines of at most 4096 bytes");
        } else if !line.trim().is_empty() {
            read(reading, number, line.trim());
        }
    }
}

// Faults name them.
const _: () = assert!(LINE_BYTES_MAX == 4096 && ENTRIES_MAX == 4_194_304);

#[cfg(test)]
pub(super) mod test_help {
    use super::*;

    impl Terms {
        /// At 2026-11-25T22:00:00Z in UTC, with no deadline but those that are said.
        pub(in crate::bulk) fn for_tests() -> Self {
            Self { now: "2026-11-25T22:00:00.000Z".parse().unwrap(), until: None, zone: TimeZone::UTC }
        }
    }

    /// What was read, a line for each entry: source and deadline.
    pub fn shown(reading: &Reading) -> Vec<String> {
        let until = |until: Until| match until {
            Until::At(time) => time.to_string(),
            Until::Lifted => "lifted".to_owned(),
        };
        reading.entries.iter().map(|entry| format!("{} {}", entry.source, until(entry.until))).collect()
    }

    /// What was wrong.
    pub fn faults(reading: &Reading) -> Vec<String> {
        reading.faults().iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_and_the_first_are_told() {
        let mut reading = Reading::new(Terms { until: Some(Until::Lifted), ..Terms::for_tests() });
        for line in 1..=50 {
            reading.ban(line, "host.example", None);
        }
        assert_eq!((reading.faulty(), reading.faults().len()), (50, FAULTS_MAX));
        let first = "1: found \"host.example\"; allowed: an address or a prefix, such as 203.0.113.9 or 2001:db8::/48";
        assert_eq!(reading.faults()[0].to_string(), first);
        reading.ban(51, "2001:db8::1/128", None);
        assert_eq!(test_help::shown(&reading), ["2001:db8::1 lifted"]);
    }

    #[test]
    fn blanks_around_a_source_are_no_part_of_it() {
        let mut reading = Reading::new(Terms { until: Some(Until::Lifted), ..Terms::for_tests() });
        for source in ["2001:db8::1\u{b}", " 203.0.113.9", "2001:db8::2/128 "] {
            reading.ban(1, source, None);
        }
        assert_eq!(test_help::shown(&reading), ["2001:db8::1 lifted", "203.0.113.9 lifted", "2001:db8::2 lifted"]);
    }

    #[test]
    fn a_deadline_must_be_said() {
        let mut reading = Reading::new(Terms::for_tests());
        reading.ban(7, "203.0.113.9", None);
        reading.ban(8, "203.0.113.8", None);
        assert_eq!((reading.undated(), reading.faulty()), (Some(7), 0));
    }

    #[test]
    fn long_lines_are_faults() {
        let mut reading = Reading::new(Terms::for_tests());
        let text = format!("a\n\n{}\nb\r\n", "x".repeat(LINE_BYTES_MAX + 1));
        let mut lines = Vec::new();
        each_line(&text, &mut reading, |_, number, line| lines.push((number, line.to_owned())));
        assert_eq!(lines, [(1, "a".to_owned()), (4, "b".to_owned())]);
        assert_eq!(test_help::faults(&reading), ["3: found 4097 bytes; allowed: lines of at most 4096 bytes"]);
    }
}
