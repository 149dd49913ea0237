//! Tells people: records to the journal or to stderr, tables to terminals.

mod fields;
mod journal;
pub mod queue;
pub mod table;
pub mod writer;

use std::io::Write;

use libsystemd::logging::Priority;
use sip_fw_core::record::{EventName, Record};

pub use self::fields::{fields, variable};

/// Form of the log on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line of text per record.
    Text,
    /// One JSON object per line.
    Json,
}

/// Where records go.
#[derive(Clone, Copy, Debug)]
pub enum Reporter {
    /// The journal, with a field for each key.
    Journal,
    /// Standard error.
    Stderr(LogFormat),
}

impl Reporter {
    /// The journal if stderr leads there and no format was asked for.
    #[must_use]
    pub fn new(format: Option<LogFormat>) -> Self {
        match format {
            None if libsystemd::logging::connected_to_journal() => Self::Journal,
            None => Self::Stderr(LogFormat::Text),
            Some(format) => Self::Stderr(format),
        }
    }

    /// Tells one record. A log that cannot be written must not stop the agent.
    pub fn record(self, record: &Record) {
        match self {
            Self::Journal => {
                if journal::send(record).is_err() {
                    stderr_line(&record.to_string());
                }
            }
            Self::Stderr(LogFormat::Text) => stderr_line(&record.to_string()),
            Self::Stderr(LogFormat::Json) => {
                if let Ok(line) = serde_json::to_string(record) {
                    stderr_line(&line);
                }
            }
        }
    }
}

/// How urgent a record is, on syslog's scale.
#[must_use]
pub const fn priority(event: EventName) -> Priority {
    match event {
        EventName::Degraded | EventName::DeviceFault | EventName::DistributedGuessing => Priority::Warning,
        EventName::Ban
        | EventName::Unban
        | EventName::Detached
        | EventName::Shun
        | EventName::Enumeration
        | EventName::DialScan => Priority::Notice,
        EventName::AuthFailure
        | EventName::Denied
        | EventName::Scanner
        | EventName::Flood
        | EventName::PeerLearned
        | EventName::AuthSuccess
        | EventName::Expire
        | EventName::RulesApplied
        | EventName::Attached
        | EventName::AgentStarted
        | EventName::AgentStopped => Priority::Info,
    }
}

/// Writes a line to stderr; nobody can be told if that fails.
pub fn stderr_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
