//! Real programs as peers: Kamailio, Asterisk, SIPp, SIPVicious and baresip, each started inside a host of the bed.

mod asterisk;
mod baresip;
mod kamailio;
mod sipp;
mod sipvicious;

pub use asterisk::{Asterisk, find_asterisk};
pub use baresip::Baresip;
pub use kamailio::{Kamailio, Nonces};
pub use sipp::{Scenario, Sipp, SippEnd};
pub use sipvicious::{CrackEnd, svcrack, svwar};

/// Name and password of the accounts on every PBX of the bed. The first has the weak password that svcrack finds.
pub const ACCOUNTS: [(&str, &str); 4] =
    [("1000", "1234"), ("1001", "Str0ng-passw0rd"), ("1002", "secret"), ("alice", "wonderland")];
