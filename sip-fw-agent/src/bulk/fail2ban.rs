//! What `fail2ban-client banned` and `fail2ban-client get JAIL banip --with-time` say.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use sip_fw_core::time::{Timestamp, Until};

use super::Entry;
use super::reading::{Reading, each_line};

const TIMES: &str = "ADDRESS DATE TIME + SECONDS = DATE TIME, as `fail2ban-client get JAIL banip --with-time` says";

/// Reads either.
pub(super) fn read(text: &str, reading: &mut Reading) {
    if text.trim_start().starts_with('[') {
        return banned(text, reading);
    }
    each_line(text, reading, |reading, number, line| match with_time(line, reading) {
        Some(entry) => reading.take(number, entry),
        None => reading.fault(number, format!("{line:?}"), TIMES),
    });
}

/// A list of jails, each with its addresses, as Python writes it: JSON but for the quotes.
fn banned(text: &str, reading: &mut Reading) {
    match serde_json::from_str::<Vec<BTreeMap<String, Vec<String>>>>(&text.replace('\'', "\"")) {
        Ok(jails) => {
            for source in jails.iter().flat_map(BTreeMap::values).flatten() {
                reading.ban(1, source, None);
            }
        }
        Err(error) => reading.fault(error.line(), error.to_string(), "what `fail2ban-client banned` says"),
    }
}

/// Times are those of a clock on the wall: of the time zone of the host where fail2ban runs.
fn with_time(line: &str, reading: &Reading) -> Option<Entry> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [source, date, time, "+", seconds, "=", end_date, end_time] = words[..] else { return None };
    let at = |date: &str, time: &str| {
        let civil: DateTime = format!("{date}T{time}").parse().ok()?;
        let unix_ms = reading.terms.zone.to_timestamp(civil).ok()?.as_millisecond();
        Some(Timestamp { unix_ms })
    };
    let until = match seconds.parse::<i64>().ok()? {
        ..0 => Until::Lifted,
        0.. => Until::At(at(end_date, end_time)?),
    };
    Some(Entry { since: Some(at(date, time)?), ..Entry::new(source.to_owned(), until) })
}

#[cfg(test)]
mod tests {
    use jiff::tz::{Offset, TimeZone};

    use super::super::reading::test_help::{faults, shown};
    use super::super::{Form, Terms, read};
    use super::*;

    #[test]
    fn what_banned_says() {
        let dump = include_bytes!("../../../tests/data/bulk/fail2ban-banned.txt");
        let reading = read(dump, Form::Auto, Terms { until: Some(Until::Lifted), ..Terms::for_tests() });
        let expected = ["203.0.113.9 lifted", "203.0.113.10 lifted", "2001:db8:1::9 lifted", "198.51.100.7 lifted"];
        assert_eq!((shown(&reading), faults(&reading)), (expected.map(str::to_owned).to_vec(), Vec::new()));
        assert_eq!(read(dump, Form::Auto, Terms::for_tests()).undated(), Some(1));
        let cut_off = read(&dump[..40], Form::Auto, Terms::for_tests());
        assert!(faults(&cut_off)[0].starts_with("1: found EOF while parsing"), "{:?}", faults(&cut_off));
    }

    #[test]
    fn what_banip_says_in_the_time_zone_of_its_host() {
        let dump = include_bytes!("../../../tests/data/bulk/fail2ban-banip.txt");
        for (hours, end) in [(0, "2026-11-25T22:08:34.000Z"), (-5, "2026-11-26T03:08:34.000Z")] {
            let zone = TimeZone::fixed(Offset::constant(hours));
            let reading = read(dump, Form::Auto, Terms { zone, ..Terms::for_tests() });
            let expected = ["203.0.113.9", "203.0.113.10", "2001:db8:1::9"].map(|source| format!("{source} {end}"));
            assert_eq!(shown(&reading)[..3], expected);
            assert_eq!((shown(&reading)[3].as_str(), reading.faulty()), ("198.51.100.7 lifted", 0));
        }
        let wrong = read(b"203.0.113.9 2026-11-25 21:58:34 + soon\n", Form::Auto, Terms::for_tests());
        assert!(faults(&wrong)[0].starts_with("1: found \"203.0.113.9 2026-11-25 21:58:34 + soon\""), "{wrong:?}");
    }
}
