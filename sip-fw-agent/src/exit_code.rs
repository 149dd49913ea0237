//! How every verb ends.

use serde::{Deserialize, Serialize};

/// Exit code of the process. The numbers are documented and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
#[serde(into = "u8", from = "u8")]
pub enum ExitCode {
    /// It was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Nothing to lift, or nothing known of that source.
    NotFound = 3,
    /// The agent does not run, and it cannot be done without it.
    NoAgent = 4,
    /// It would cut off this host or a large part of the network.
    Refused = 5,
    /// `run` alone: everything was detached, so the agent ended. Whoever starts it again by itself undoes what somebody wanted.
    Detached = 6,
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        code as Self
    }
}

impl From<u8> for ExitCode {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Done,
            2 => Self::Usage,
            3 => Self::NotFound,
            4 => Self::NoAgent,
            5 => Self::Refused,
            6 => Self::Detached,
            _ => Self::Failed,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay() {
        let codes = [
            ExitCode::Done,
            ExitCode::Failed,
            ExitCode::Usage,
            ExitCode::NotFound,
            ExitCode::NoAgent,
            ExitCode::Refused,
            ExitCode::Detached,
        ];
        assert_eq!(codes.map(u8::from), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(ExitCode::from), codes);
        assert_eq!(serde_json::to_string(&ExitCode::Refused).unwrap(), "5");
    }
}
