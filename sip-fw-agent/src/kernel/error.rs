//! What went wrong between the agent and the kernel.

use std::fmt;
use std::path::PathBuf;

/// What went wrong between the agent and the kernel. Each text says what to do next where that is known.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Nothing is pinned: no agent runs and none left anything attached.
    #[error("sip-fw is not attached: {0} does not exist")]
    NotAttached(PathBuf),
    /// This binary was built without the kernel programs.
    #[error("this sip-fw was built without its kernel programs (SIP_FW_SKIP_BPF); build it again without that")]
    NoObject,
    /// A pinned map is not the one this build expects.
    #[error(
        "pinned map {path}: {property} is {found}, expected {expected}; `sip-fw detach` removes it, and the next start fills new \
         tables from the store"
    )]
    PinnedMap {
        /// The pin.
        path: PathBuf,
        /// What differs.
        property: &'static str,
        /// The pin's.
        found: String,
        /// This build's or this configuration's.
        expected: String,
    },
    /// Pins of another ABI are there.
    #[error(
        "{path} belongs to another version of sip-fw (this one uses {expected}): start that version, or run `sip-fw detach` and start \
         this one, which fills new tables from the store"
    )]
    OtherVersion {
        /// The directory found.
        path: PathBuf,
        /// The directory this build uses.
        expected: String,
    },
    /// The kernel is too old for the programs.
    #[error(
        "Linux {release} lacks {missing}: the programs cannot run here, so nothing is watched and nothing dropped; boot Linux {} or \
         newer",
        super::features::OLDEST_LINUX
    )]
    Lacking {
        /// The version that runs.
        release: String,
        /// What it lacks, each with the version that brought it.
        missing: String,
    },
    /// The verifier or the kernel refused a program.
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The last lines the verifier said.
        reason: String,
    },
    /// Attaching failed.
    #[error("cannot attach {program} to {interface}: {reason}")]
    Attach {
        /// Name of the program.
        program: &'static str,
        /// Name of the interface.
        interface: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A system call on a map, pin or file failed.
    #[error("{what}: {reason}")]
    Access {
        /// What was tried.
        what: String,
        /// Why it failed.
        reason: String,
    },
}

impl KernelError {
    /// An [`KernelError::Access`] from any error, with its causes.
    pub(super) fn access(what: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Access { what: what.into(), reason: chain(error) }
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

/// The last lines of a verifier log that say something.
pub(super) fn verifier_reason(log: &impl fmt::Display) -> String {
    let log = log.to_string();
    let lines: Vec<_> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.iter().rev().filter(|line| !line.starts_with("processed ") && !line.starts_with("stack depth"));
    let mut last: Vec<_> = said.take(3).copied().collect();
    last.reverse();
    last.join("; ")
}
