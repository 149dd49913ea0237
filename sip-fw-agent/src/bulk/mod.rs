//! Bans in bulk: the forms in which they leave and come, sip-fw's own and those of other tools.
//!
//! Readers take a text and know no file, clock or kernel. What is wrong is told with its line; nothing is guessed.

mod entry;
mod fail2ban;
mod fail2ban_db;
mod ipset;
mod json;
mod list;
mod reading;

pub use entry::Entry;
pub use fail2ban_db::is_database;
pub use ipset::write as write_ipset;
pub use json::write as write_json;
pub use list::write as write_list;
pub use reading::{Fault, Reading, Terms};

use std::path::Path;

/// Entries of one import: those of the largest table.
pub const ENTRIES_MAX: usize = 4_194_304;
/// Bytes of a text that is imported: as many entries, with a name and a User-Agent here and there.
pub const TEXT_BYTES_MAX: u64 = 512 << 20;
/// Bytes of a line.
pub const LINE_BYTES_MAX: usize = 4096;

/// The form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Told from how it begins
    Auto,
    /// What `sip-fw export` writes: one JSON object per line
    Json,
    /// Addresses and prefixes; # and ; begin a comment
    List,
    /// fail2ban's database, or what `fail2ban-client banned` or `get JAIL banip --with-time` say
    Fail2ban,
    /// What `ipset save` says: sets of type hash:ip and hash:net
    Ipset,
}

/// Reads a text.
pub fn read(text: &[u8], form: Form, terms: Terms) -> Reading {
    let mut reading = Reading::new(terms);
    let text = match str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            let line = text[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            reading.fault(line, "bytes that are no UTF-8", "text");
            return reading;
        }
    };
    match told(text, form) {
        Form::Json => json::read(text, &mut reading),
        Form::Fail2ban => fail2ban::read(text, &mut reading),
        Form::Ipset => ipset::read(text, &mut reading),
        Form::List | Form::Auto => list::read(text, &mut reading),
    }
    reading
}

/// Reads fail2ban's database.
///
/// # Errors
///
/// When it cannot be opened or is another one.
pub fn read_database(file: &Path, terms: Terms) -> Result<Reading, rusqlite::Error> {
    let mut reading = Reading::new(terms);
    fail2ban_db::read(file, &mut reading)?;
    Ok(reading)
}

fn told(text: &str, form: Form) -> Form {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    match form {
        Form::Auto if first.starts_with('{') => Form::Json,
        Form::Auto if first.starts_with('[') || first.contains(" + ") => Form::Fail2ban,
        Form::Auto if first.starts_with("create ") || first.starts_with("add ") => Form::Ipset,
        form => form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_tell_themselves() {
        for (text, expected) in [
            ("{\"schema\":1}", Form::Json),
            ("[{'sip': []}]", Form::Fail2ban),
            ("203.0.113.9 \t2026-11-25 21:58:34 + 600 = 2026-11-25 22:08:34", Form::Fail2ban),
            ("# saved\ncreate bad hash:ip", Form::Ipset),
            ("\n203.0.113.9\n", Form::Auto),
            ("", Form::Auto),
        ] {
            assert_eq!(told(text, Form::Auto), expected, "{text}");
            assert_eq!(told(text, Form::List), Form::List);
        }
    }

    #[test]
    fn what_is_no_text_is_told_with_its_line() {
        let reading = read(b"203.0.113.9\n\xff\n", Form::Auto, Terms::for_tests());
        let faults: Vec<_> = reading.faults().iter().map(ToString::to_string).collect();
        assert_eq!(faults, ["2: found bytes that are no UTF-8; allowed: text"]);
    }
}
