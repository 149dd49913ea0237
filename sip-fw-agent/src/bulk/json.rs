//! sip-fw's own form: a JSON object for each ban, one per line.

use std::fmt::Write as _;

use sip_fw_core::SCHEMA;

use super::Entry;
use super::reading::{Reading, each_line};

/// Reads it.
pub(super) fn read(text: &str, reading: &mut Reading) {
    each_line(text, reading, |reading, number, line| match serde_json::from_str::<Entry>(line) {
        Ok(Entry { schema, .. }) if schema != SCHEMA => {
            reading.fault(number, format!("schema {schema}"), "schema 1: take the sip-fw that wrote it");
        }
        Ok(entry) => reading.take(number, entry),
        Err(error) => reading.fault(number, error.to_string(), "a ban as `sip-fw export` writes it"),
    });
}

/// Writes it.
///
/// # Errors
///
/// None that is known.
pub fn write(entries: &[Entry]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for entry in entries {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", serde_json::to_string(entry)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::reading::test_help::{faults, shown};
    use super::super::{Form, Terms, read};
    use super::*;

    const FULL: &str = "{\"schema\":1,\"source\":\"203.0.113.9\",\"until\":\"2026-11-25T22:10:00.000Z\",\
                        \"since\":\"2026-11-25T22:00:00.000Z\",\"level\":2,\"origin\":\"auth-failures\",\
                        \"evidence\":\"proven\",\"strikes\":5,\"user\":\"1000\",\"user_agent\":\"x\"}\n";
    const BARE: &str = "{\"schema\":1,\"source\":\"2001:db8::/48\",\"until\":null}\n";

    #[test]
    fn what_is_written_can_be_read() {
        let text = format!("{FULL}{BARE}");
        let reading = read(text.as_bytes(), Form::Auto, Terms::for_tests());
        assert_eq!(faults(&reading), [""; 0]);
        assert_eq!(shown(&reading), ["203.0.113.9 2026-11-25T22:10:00.000Z", "2001:db8::/48 lifted"]);
        assert_eq!(write(&reading.into_entries()).unwrap(), text);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = "{\"schema\":1,\"source\":\"203.0.113.9\"}\n\n{\"schema\":2,\"source\":\"203.0.113.9\",\"until\":null}\n\
                    {\"schema\":1,\"source\":\"x\",\"until\":null}\n{\"schema\":1,\"source\":\"203.0.113.9\",\"until\":\"soon\"}\n\
                    {\"schema\":1,\"source\":\"203.0.113.9\",\"until\":null,\"colour\":1}\n";
        let found = faults(&read(text.as_bytes(), Form::Json, Terms::for_tests()));
        let begins = [
            "1: found missing field `until`",
            "3: found schema 2; allowed: schema 1",
            "4: found \"x\"; allowed: an address",
            "5: found a time looks like",
            "6: found unknown field `colour`",
        ];
        assert_eq!(found.len(), begins.len(), "{found:#?}");
        for (found, begin) in found.iter().zip(begins) {
            assert!(found.starts_with(begin), "{found}");
        }
    }
}
