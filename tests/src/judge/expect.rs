//! What a source deserves.

/// What must become of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing, ever, and every packet goes on.
    Good,
    /// A ban once the limit is reached, each time again after a ban is over.
    Banned(Limit),
    /// A shun, and no ban: what is seen may be forged.
    Shunned(Limit),
    /// No decision, but of this many packets at once and this many a second what is more is dropped.
    Limited {
        /// At once.
        burst: u64,
        /// A second.
        per_second: u64,
    },
    /// Others send in its name. No ban; if it is a known peer no shun either, and its own packets go on.
    Forged {
        /// It is a known peer.
        known_peer: bool,
    },
    /// It only helps somebody else: whatever becomes of it is right.
    Any,
}

/// How much evidence is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Failures that prove their source.
    Proven(u64),
    /// Failures that do not.
    Unproven(u64),
    /// Requests without credentials that were refused or challenged.
    Refused(u64),
    /// Packets that went on.
    Packets(u64),
    /// Proven failures of all sources together, and one of its own.
    Together(u64),
}

impl Expect {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Banned(_) => "banned",
            Self::Shunned(_) => "shunned",
            Self::Limited { .. } => "limited",
            Self::Forged { .. } => "forged",
            Self::Any => "any",
        }
    }
}
