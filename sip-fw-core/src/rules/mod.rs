//! Access rules: an ordered list becomes a rule set that the programs look up at the same cost, however long the list is.
//!
//! * [`Plan`]: what is to be in force, names and files already resolved.
//! * [`RuleSet`]: the plan compiled; decides exactly as the kernel does, with the same code.

mod build;
mod set;
mod sweep;
mod tree;

use std::net::IpAddr;

use ipnet::IpNet;
use sip_fw_common::abi::{Rate, ServiceKind, Settings};
pub use sip_fw_common::rules::Action;

pub use set::{Line, RuleSet, Verdict, action, gate, ports, service_kinds};

/// One line of the access list, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it matches.
    pub nets: Vec<IpNet>,
    /// It matches known peers, too.
    pub learned: bool,
    /// Numbers of the services it is for; None for all, and for the ports of no service.
    pub to: Option<Vec<u8>>,
    /// What it does.
    pub action: Action,
}

/// A service and its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Whether it is parsed.
    pub kind: ServiceKind,
    /// How it refuses a wrong password; see [`sip_fw_common::rules::ServiceEntry::refusal`].
    pub refusal: u8,
    /// What happens to those whom no rule matches: [`Action::Allow`] or [`Action::Deny`].
    pub default: Action,
    /// How many messages it takes of a source: of one that nobody knows, and of a known peer.
    pub rates: [Rate; 2],
    /// Its ports: is it TCP, first, last.
    pub ports: Vec<(bool, u16, u16)>,
}

/// Everything that a rule set is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the programs go by.
    pub settings: Settings,
    /// The services, by their number.
    pub services: Vec<Service>,
    /// The rules, the first match decides.
    pub rules: Vec<Rule>,
    /// Addresses of this host: trusted before any rule.
    pub own: Vec<IpAddr>,
    /// Number of the rule set.
    pub generation: u32,
    /// CPUs that count.
    pub cpus: u32,
    /// Prefixes that all rules may come to.
    pub prefixes_max: u32,
}

/// Why a plan cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too much memory, or too long to load.
    #[error("the access rules come to {found} prefixes; allowed: {allowed}, see [limits] prefixes")]
    TooManyPrefixes {
        /// How many.
        found: usize,
        /// How many are allowed.
        allowed: u32,
    },
    /// More than a rule set has room for.
    #[error("the rule set needs {found} bytes; allowed: {allowed}")]
    TooLarge {
        /// How many.
        found: u64,
        /// How many are allowed.
        allowed: u64,
    },
}
