//! What the shell must do.

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, Shun, Source};

use crate::record::Record;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Write a ban into the ban table.
    PutBan {
        /// Who.
        source: Source,
        /// The ban.
        ban: Ban,
    },
    /// End a ban now, take its step of the ladder away and forget the strikes.
    LiftBan {
        /// Who.
        source: Source,
    },
    /// Write a ban into the prefix table.
    PutPrefixBan {
        /// Who.
        prefix: IpNet,
        /// The ban.
        ban: Ban,
    },
    /// Take a ban out of the prefix table.
    RemovePrefixBan {
        /// Who.
        prefix: IpNet,
    },
    /// Take an ended ban out of the ban table, unless a new one began there meanwhile.
    ForgetBan {
        /// Who.
        source: Source,
    },
    /// Write a shun, or a new deadline of one.
    PutShun {
        /// Who.
        source: Source,
        /// The shun; what it counted stays.
        shun: Shun,
    },
    /// End a shun.
    RemoveShun {
        /// Who.
        source: Source,
    },
    /// Tell people.
    Report(Record),
}
