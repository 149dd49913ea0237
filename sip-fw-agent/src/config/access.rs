//! The access list of the configuration: ordered rules, and where their addresses come from.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// One line of the access list, `[[access]]`. The first line that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// Its line in the file.
    pub line: usize,
    /// Its name, used by no other line.
    pub name: String,
    /// Whom it matches; at least one.
    pub from: Vec<Origin>,
    /// Numbers of the services it is for; None for all, and for the ports of no service, too.
    pub to: Option<Vec<u8>>,
    /// What it does.
    pub action: AccessAction,
}

/// What a line of the access list does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessAction {
    /// Never inspected, never banned.
    Trust,
    /// Passes the gate, but is still judged.
    Allow,
    /// Dropped.
    Deny,
    /// The line is not in force.
    Off,
}

/// What happens to those whom no line of the access list matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// They pass the gate.
    Allow,
    /// They are dropped.
    Deny,
}

/// Where addresses come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// An address or a prefix.
    Net(IpNet),
    /// A host name: its A and AAAA records.
    Host(String),
    /// `file:PATH`: one address or prefix per line.
    File(PathBuf),
    /// `feed:NAME`: a list fetched over HTTP.
    Feed(String),
    /// `country:JP`: two capital letters (ISO 3166-1), looked up in the database of `country_db`.
    Country(String),
    /// `own`: the addresses of this host.
    Own,
    /// `learned`: the known peers.
    Learned,
}

/// A list that is fetched over HTTP, `[[feed]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRules {
    /// Its name.
    pub name: String,
    /// Where it is: `http://` or `https://`.
    pub url: String,
    /// Time between two fetches.
    pub interval: Duration,
    /// Its form.
    pub format: FeedFormat,
    /// Bytes of the longest list that is taken.
    pub max_bytes: u64,
}

/// Form of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedFormat {
    /// Told from its first byte that is not blank.
    Auto,
    /// One address or prefix per line; `#` and `;` begin comments.
    Lines,
    /// The first column of each line is an address or prefix; a first line that is none is a header.
    Csv,
    /// A JSON array of addresses, or an object that has such an array (APIBAN: `{"ipaddress":[…],"ID":"…"}`).
    Json,
}
