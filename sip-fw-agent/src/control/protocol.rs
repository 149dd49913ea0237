//! What travels over the control socket: one line of JSON each way, or a stream of lines for events.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bulk::Entry;
use crate::exit_code::ExitCode;
use crate::kernel::KernelError;

/// Bytes of a request line, its line end included. Most requests need a hundred; an import brings some hundred bans in each.
pub const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// Bans in one request: the agent's loop has nothing else to do meanwhile, some milliseconds.
pub const IMPORT_BANS_MAX: usize = 256;

/// Bytes of a reply line. The largest table listed in full, with room.
pub const REPLY_BYTES_MAX: u64 = 1 << 30;

/// Open connections. People and monitoring need a few.
pub const CONNECTIONS_MAX: usize = 32;

/// Open connections of others than root: the rest is kept for root.
pub const GUESTS_MAX: usize = 24;

/// Replies as large as a table that are built for others than root, or wait until they are taken, at once.
pub const LISTINGS_MAX: usize = 2;

/// Records that a follower may lag behind before it misses some.
pub const FOLLOW_LAG_MAX: usize = 1024;

/// Records kept in memory for `events --since`. A few hundred bytes each.
pub const HISTORY_RECORDS_MAX: usize = 1000;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the agent and its programs are.
    Status,
    /// The bans.
    Bans {
        /// Also those that ended and are remembered for the ladder.
        ended: bool,
    },
    /// What each source did.
    Sources {
        /// Only so many, the worst first; without it all, the last seen first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worst: Option<usize>,
    },
    /// What happened.
    Events {
        /// Only the records of the last so many seconds; without it all that are kept, or none to follow.
        since_seconds: Option<u64>,
        /// Then also those to come.
        follow: bool,
    },
    /// Everything about one source.
    Explain {
        /// An address.
        address: String,
        /// What would happen there; without it at every port.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
    },
    /// Ban.
    Ban {
        /// An address or a prefix.
        target: String,
        /// For how long.
        length: Length,
        /// Why.
        reason: Option<String>,
    },
    /// Take over bans from elsewhere.
    Import {
        /// At most [`IMPORT_BANS_MAX`].
        bans: Vec<Entry>,
        /// From where.
        from: String,
        /// Why.
        reason: Option<String>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Lift a ban.
    Unban {
        /// An address or a prefix.
        target: String,
    },
    /// Lift every ban.
    UnbanAll,
    /// The access list in force.
    Rules,
    /// The known peers.
    Peers,
    /// Put a configuration in force.
    Apply {
        /// The file; without it the agent's own.
        file: Option<PathBuf>,
        /// Whoever is cut off.
        force: bool,
        /// Only for so long, unless it is confirmed.
        confirm_within_seconds: Option<u64>,
    },
    /// Keep the configuration that waits for it.
    Confirm,
    /// Take the programs off and end.
    Detach,
}

/// How long to ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// The next step of the ladder.
    Ladder,
    /// So many seconds.
    Seconds(u64),
    /// Until an operator lifts it.
    Permanent,
}

impl Request {
    /// Whether it changes what is enforced.
    #[must_use]
    pub const fn changes(&self) -> bool {
        match self {
            Self::Status
            | Self::Bans { .. }
            | Self::Sources { .. }
            | Self::Events { .. }
            | Self::Explain { .. }
            | Self::Rules
            | Self::Peers => false,
            Self::Ban { .. }
            | Self::Import { .. }
            | Self::Unban { .. }
            | Self::UnbanAll
            | Self::Apply { .. }
            | Self::Confirm
            | Self::Detach => true,
        }
    }

    /// Whether its reply may be as large as a table.
    #[must_use]
    pub const fn lists(&self) -> bool {
        matches!(self, Self::Bans { .. } | Self::Sources { .. } | Self::Rules | Self::Peers | Self::UnbanAll)
    }

    /// Reads a request line.
    ///
    /// # Errors
    ///
    /// When it is too long, or no request.
    pub fn parse(line: &[u8]) -> Result<Self, Failure> {
        if line.len() as u64 > REQUEST_BYTES_MAX || !line.ends_with(b"\n") {
            let message = format!("a request is one line of at most {REQUEST_BYTES_MAX} bytes");
            return Err(Failure::new(ExitCode::Usage, message));
        }
        serde_json::from_slice(line).map_err(|error| Failure::new(ExitCode::Usage, format!("no such request: {error}")))
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the CLI must end.
    pub exit: ExitCode,
    /// What to tell people.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: ExitCode, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        let exit = if matches!(error, KernelError::NotAttached(_)) { ExitCode::NoAgent } else { ExitCode::Failed };
        Self::new(exit, error.to_string())
    }
}

/// A reply line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// What was asked for.
    Ok(Value),
    /// Why not.
    Error(Failure),
}

impl Reply {
    /// As one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self)
            .unwrap_or_else(|error| format!("{{\"error\":{{\"exit\":1,\"message\":\"{error}\"}}}}"));
        line.push('\n');
        line
    }
}

impl From<Result<Value, Failure>> for Reply {
    fn from(result: Result<Value, Failure>) -> Self {
        result.map_or_else(Self::Error, Self::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let parse = |text: &str| Request::parse(format!("{text}\n").as_bytes());
        assert_eq!(parse("{\"verb\":\"status\"}"), Ok(Request::Status));
        assert_eq!(parse("{\"verb\":\"sources\"}"), Ok(Request::Sources { worst: None }));
        assert_eq!(
            parse("{\"verb\":\"ban\",\"target\":\"203.0.113.9\",\"length\":{\"seconds\":60},\"reason\":null}"),
            Ok(Request::Ban { target: "203.0.113.9".to_owned(), length: Length::Seconds(60), reason: None })
        );
        for wrong in ["", "{}", "{\"verb\":\"wat\"}", "{\"verb\":\"unban\",\"target\":\"x\",\"more\":1}", "[]"] {
            assert_eq!(parse(wrong).map_err(|failure| failure.exit), Err(ExitCode::Usage), "{wrong}");
        }
        let long = format!("{{\"verb\":\"unban\",\"target\":\"{}\"}}", "x".repeat(REQUEST_BYTES_MAX as usize));
        assert_eq!(parse(&long).map_err(|f| f.message), Err("a request is one line of at most 65536 bytes".to_owned()));
        assert!(Request::parse(b"{\"verb\":\"status\"}").is_err(), "no line end: cut off");
    }

    #[test]
    fn replies() {
        let failure = Failure::new(ExitCode::NotFound, "203.0.113.9 is not banned");
        assert_eq!(
            Reply::Error(failure).line(),
            "{\"error\":{\"exit\":3,\"message\":\"203.0.113.9 is not banned\"}}\n"
        );
        assert_eq!(Reply::Ok(Value::Bool(true)).line(), "{\"ok\":true}\n");
    }
}
