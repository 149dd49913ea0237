//! What `ipset save` says and `ipset restore` takes: sets of addresses and of prefixes, with or without timeouts.

use std::collections::HashMap;
use std::fmt::Write as _;

use sip_fw_core::time::{Timestamp, Until};

use super::Entry;
use super::reading::{Reading, each_line};

const TYPES: &str = "sets of type hash:ip and hash:net";
/// The longest timeout that ipset takes, in seconds.
const TIMEOUT_MAX: i64 = 2_147_483;
/// Names of the sets that are written.
const SETS: [(&str, &str); 2] = [("sip-fw-4", "inet"), ("sip-fw-6", "inet6")];

/// What a set says of its entries.
struct Set {
    /// What is in it can be banned.
    is_known: bool,
    /// Seconds of those that do not say theirs.
    timeout: Option<String>,
    /// Bits of an address that count.
    netmask: Option<String>,
}

/// Reads it.
pub(super) fn read(text: &str, reading: &mut Reading) {
    let mut sets: HashMap<String, Set> = HashMap::new();
    each_line(text, reading, |reading, number, line| {
        // Comments of entries stand between quotes.
        let line: String = line.split('"').step_by(2).collect();
        let words: Vec<&str> = line.split_ascii_whitespace().filter(|word| *word != "-exist").collect();
        match &words[..] {
            ["create", name, kind, options @ ..] => {
                let set = Set::new(kind, options);
                if !set.is_known {
                    reading.fault(number, format!("set {name} of type {kind}"), TYPES);
                }
                sets.insert((*name).to_owned(), set);
            }
            ["add", name, source, options @ ..] => match sets.get(*name) {
                Some(set) => set.add(number, source, options, reading),
                None => reading.fault(number, format!("an entry of {name}"), "entries of sets that were created above"),
            },
            [] => {}
            [word, ..] if word.starts_with('#') => {}
            [word, ..] => reading.fault(number, format!("{word:?}"), "what `ipset save` says: create and add"),
        }
    });
}

impl Set {
    fn new(kind: &str, options: &[&str]) -> Self {
        let said = |name| option(options, name).map(str::to_owned);
        Self {
            is_known: matches!(kind, "hash:ip" | "hash:net") && !options.contains(&"bitmask"),
            timeout: said("timeout"),
            netmask: said("netmask"),
        }
    }

    fn add(&self, line: usize, source: &str, options: &[&str], reading: &mut Reading) {
        // It was told where the set was created.
        if !self.is_known {
            return;
        }
        if options.contains(&"nomatch") {
            reading.fault(line, format!("{source} nomatch"), "bans; let exceptions in by access rules");
            return;
        }
        let until = match option(options, "timeout").or(self.timeout.as_deref()).map(str::parse::<u32>) {
            None => None,
            Some(Ok(0)) => Some(Until::Lifted),
            Some(Ok(seconds)) => {
                let unix_ms = reading.terms.now.unix_ms.saturating_add(i64::from(seconds) * 1000);
                Some(Until::At(Timestamp { unix_ms }))
            }
            Some(Err(_)) => {
                reading.fault(line, "a timeout that is no number", "seconds");
                return;
            }
        };
        match &self.netmask {
            Some(length) => reading.ban(line, &format!("{source}/{length}"), until),
            None => reading.ban(line, source, until),
        }
    }
}

fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    options.iter().skip_while(|word| **word != name).nth(1).copied()
}

/// Writes it: a set for each family, with what is left of each ban in seconds. Longer ones than ipset takes are cut.
#[must_use]
pub fn write(entries: &[Entry], now: Timestamp) -> String {
    let mut text = String::new();
    for (set, family) in SETS {
        let of_family = |entry: &&Entry| entry.source.contains(':') == (family == "inet6");
        let room = entries.iter().filter(of_family).count().max(65_536);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "create {set} hash:net family {family} maxelem {room} timeout 0");
        for Entry { source, until, .. } in entries.iter().filter(of_family) {
            let timeout = match until {
                Until::At(time) => (time.unix_ms.saturating_sub(now.unix_ms) / 1000).clamp(1, TIMEOUT_MAX),
                Until::Lifted => 0,
            };
            let _ = writeln!(text, "add {set} {source} timeout {timeout}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::reading::test_help::{faults, shown};
    use super::super::{Form, Terms, read};
    use super::*;

    #[test]
    fn a_real_dump() {
        let dump = include_bytes!("../../../tests/data/bulk/ipset.txt");
        let reading = read(dump, Form::Auto, Terms { until: Some(Until::Lifted), ..Terms::for_tests() });
        assert_eq!(
            shown(&reading),
            [
                "203.0.113.9 2026-11-25T22:59:35.000Z",
                "203.0.113.10 lifted",
                "198.51.100.0/24 lifted",
                "2001:db8:2::/48 lifted",
            ]
        );
        assert_eq!(
            faults(&reading),
            [
                "7: found 192.0.2.0/28 nomatch; allowed: bans; let exceptions in by access rules",
                "10: found set ports of type hash:ip,port; allowed: sets of type hash:ip and hash:net",
                "12: found set map of type bitmap:ip; allowed: sets of type hash:ip and hash:net",
                "14: found set all of type list:set; allowed: sets of type hash:ip and hash:net",
            ]
        );
    }

    #[test]
    fn options_of_sets_and_entries() {
        let text = "create a hash:ip family inet netmask 24 timeout 60\nadd a 203.0.113.0\nadd a 198.51.100.0 timeout 120\n\
                    create b hash:net comment\nadd -exist b 192.0.2.0/24 comment \"timeout 5 nomatch\"\nadd c 192.0.2.9\nflush\n";
        let reading = read(text.as_bytes(), Form::Ipset, Terms::for_tests());
        let expected = ["203.0.113.0/24 2026-11-25T22:01:00.000Z", "198.51.100.0/24 2026-11-25T22:02:00.000Z"];
        assert_eq!((shown(&reading), reading.undated()), (expected.map(str::to_owned).to_vec(), Some(5)));
        assert_eq!(
            faults(&reading),
            [
                "6: found an entry of c; allowed: entries of sets that were created above",
                "7: found \"flush\"; allowed: what `ipset save` says: create and add",
            ]
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let now = Terms::for_tests().now;
        let at = |seconds: i64| Until::At(Timestamp { unix_ms: now.unix_ms + seconds * 1000 });
        let entries = [("203.0.113.9", at(90)), ("2001:db8::/64", Until::Lifted), ("198.51.100.0/24", at(9_000_000))]
            .map(|(source, until)| Entry::new(source.to_owned(), until));
        let text = write(&entries, now);
        assert!(
            text.starts_with(
                "create sip-fw-4 hash:net family inet maxelem 65536 timeout 0\nadd sip-fw-4 203.0.113.9 timeout 90\n"
            ),
            "{text}"
        );
        let reading = read(text.as_bytes(), Form::Auto, Terms::for_tests());
        assert_eq!(
            shown(&reading),
            [
                "203.0.113.9 2026-11-25T22:01:30.000Z",
                "198.51.100.0/24 2026-12-20T18:31:23.000Z",
                "2001:db8::/64 lifted"
            ]
        );
    }
}
