//! What happens.

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, Event, Shun, Source};

use crate::guard::Admitted;
use crate::source::Target;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The kernel programs say something.
    Kernel(Event),
    /// The kernel programs say something that proves its source.
    Proven {
        /// What.
        event: Event,
        /// What the ban table holds for its source now.
        found: Option<Ban>,
    },
    /// Time passed; these are the tables now.
    Tick {
        /// The ban table.
        bans: Vec<(Source, Ban)>,
        /// The prefix table.
        prefix_bans: Vec<(IpNet, Ban)>,
        /// The shuns.
        shuns: Vec<(Source, Shun)>,
    },
    /// Many sources of a prefix are banned, see [`super::Controller::crowded`].
    Crowd {
        /// The prefix.
        prefix: IpNet,
        /// Why it must not be banned.
        spared: Option<String>,
    },
    /// An operator ends a shun.
    Unshun {
        /// Whose.
        source: Source,
    },
    /// An operator bans.
    Ban {
        /// Whom.
        admitted: Admitted,
        /// For how long.
        length: BanLength,
        /// Why.
        reason: Option<String>,
        /// What the table holds for this target now.
        found: Option<Ban>,
    },
    /// An operator brings a ban from elsewhere.
    Import {
        /// Whom.
        admitted: Admitted,
        /// The ban; one that is over is a memory for the ladder.
        ban: Ban,
        /// What the table holds for this target now.
        found: Option<Ban>,
    },
    /// So many bans were brought from elsewhere.
    Imported {
        /// How many.
        count: u64,
        /// From where, and why.
        why: String,
    },
    /// An operator lifts a ban.
    Unban {
        /// Whose.
        target: Target,
        /// What the table holds for this target now.
        found: Ban,
    },
    /// The agent begins.
    Started {
        /// Its version.
        version: &'static str,
    },
    /// The agent ends.
    Stopped {
        /// Why, and what stays enforced.
        reason: String,
    },
    /// The programs are attached to an interface.
    Attached {
        /// Its name.
        interface: String,
        /// How the ingress program is attached.
        ingress: &'static str,
        /// How the egress program is attached.
        egress: &'static str,
    },
    /// The programs were taken off.
    Detached {
        /// Why.
        reason: String,
    },
    /// A new configuration is in force.
    RulesApplied,
    /// A new configuration was not taken.
    RulesRefused {
        /// Why.
        reason: String,
    },
    /// So many events found the ring buffer full.
    EventsLost(u64),
    /// So many bans found the table full.
    BansLost(u64),
}

/// How long an operator bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanLength {
    /// The next step of the ladder.
    Ladder,
    /// So many nanoseconds.
    Nanos(u64),
    /// Until an operator lifts it.
    UntilLifted,
}
