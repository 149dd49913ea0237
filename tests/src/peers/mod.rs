//! Who else is there, each inside a host of the bed: Kamailio, Asterisk, SIPp, SIPVicious and baresip as real programs,
//! and small servers of our own for DNS, for lists over HTTP, for alerts, and for any other TCP port.

mod asterisk;
mod baresip;
mod dns;
mod echo;
mod http;
mod inbox;
mod kamailio;
mod listener;
mod lists;
mod sipp;
mod sipvicious;
mod workforce;

pub use asterisk::{Asterisk, find_asterisk};
pub use baresip::Baresip;
pub use dns::Dns;
pub use echo::Echo;
pub use inbox::{Inbox, syslog_udp};
pub use kamailio::{Kamailio, Nonces, Unknown};
pub use lists::ListServer;
pub use sipp::{Scenario, Sipp, SippEnd};
pub use sipvicious::{CrackEnd, Vicious, svcrack, svwar};
pub use workforce::{Books, Callee, Workforce};

/// Name and password of the accounts on every PBX of the bed. The first has the weak password that svcrack finds.
pub const ACCOUNTS: [(&str, &str); 4] =
    [("1000", "1234"), ("1001", "Str0ng-passw0rd"), ("1002", "secret"), ("alice", "wonderland")];
