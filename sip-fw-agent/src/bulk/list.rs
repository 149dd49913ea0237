//! Plain lists of addresses and prefixes.

use super::Entry;
use super::reading::{Reading, each_line};

/// Reads it: addresses between blanks, comments after # and ;.
pub(super) fn read(text: &str, reading: &mut Reading) {
    each_line(text, reading, |reading, number, line| {
        for source in line.split(['#', ';']).next().unwrap_or_default().split_ascii_whitespace() {
            reading.ban(number, source, None);
        }
    });
}

/// Writes it: one per line.
#[must_use]
pub fn write(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{}\n", entry.source)).collect()
}

#[cfg(test)]
mod tests {
    use sip_fw_core::time::Until;

    use super::super::reading::test_help::{faults, shown};
    use super::super::{Form, Terms, read};
    use super::*;

    #[test]
    fn addresses_and_comments() {
        let text = "# from the log\n203.0.113.9\n  198.51.100.0/24  # an office\r\n\n2001:db8::1 203.0.113.8;both\nhost.example\n";
        let terms = Terms { until: Some(Until::Lifted), ..Terms::for_tests() };
        let reading = read(text.as_bytes(), Form::Auto, terms);
        assert_eq!(
            shown(&reading),
            ["203.0.113.9 lifted", "198.51.100.0/24 lifted", "2001:db8::1 lifted", "203.0.113.8 lifted"]
        );
        assert!(faults(&reading)[0].starts_with("6: found \"host.example\""), "{:?}", faults(&reading));
        let written = write(&reading.into_entries());
        assert_eq!(written, "203.0.113.9\n198.51.100.0/24\n2001:db8::1\n203.0.113.8\n");
    }
}
