//! The configuration as everything else sees it: every value is in its range.

mod access;
mod alerts;
mod ban;
mod check;
mod control;
mod feeds;
mod host_name;
mod interfaces;
mod limits;
mod metrics;
mod name_servers;
mod origin;
mod overlap;
mod paths;
mod scanners;
mod services;
mod store;
mod url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sip_fw_common::abi::{ServiceKind, Settings};
use sip_fw_common::limits::LADDER_STEPS_MAX;
use sip_fw_core::source::Ipv6Prefix;

use self::check::Check;
use super::raw::Raw;
use super::{AccessRule, AlertRules, DefaultAction, Fault, FeedRules};
use crate::kernel::TableSizes;
use crate::store::StoreRules;

pub use self::ban::BanRules;
pub use self::control::ControlRules;
pub use self::interfaces::{INTERFACES_MAX, Interfaces};
pub use self::paths::Paths;
pub use self::scanners::SignatureTable;
pub use self::services::{Listen, ServiceRules};

/// What is done with the packets of banned sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are dropped.
    Enforce,
    /// Everything is decided and reported, nothing is dropped.
    Observe,
}

/// What the agent leaves behind when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Everything enforced.
    Keep,
    /// Nothing.
    Detach,
}

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Interfaces to attach to.
    pub interfaces: Interfaces,
    /// Whether to drop.
    pub mode: Mode,
    /// Bits of an IPv6 address that make a source.
    pub ipv6: Ipv6Prefix,
    /// What to leave behind.
    pub on_exit: OnExit,
    /// Where things are.
    pub paths: Paths,
    /// The services, by their number.
    pub services: Vec<ServiceRules>,
    /// When and how long to ban.
    pub ban: BanRules,
    /// Sizes of the tables.
    pub limits: TableSizes,
    /// The access list, in the order of the file: the first line that matches decides.
    pub access: Vec<AccessRule>,
    /// Lists fetched over HTTP.
    pub feeds: Vec<FeedRules>,
    /// Database that tells countries, in MaxMind's format.
    pub country_db: Option<PathBuf>,
    /// Name servers for the host names of the access list; none for those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// Most prefixes that the access list may come to, names, files and feeds resolved.
    pub prefixes_max: u32,
    /// What scanners write.
    pub signatures: SignatureTable,
    /// Bounds of what is kept on disk.
    pub store: StoreRules,
    /// Who is told what happens, beside the journal.
    pub alerts: AlertRules,
    /// Where metrics are served; None for nowhere.
    pub metrics: Option<SocketAddr>,
    /// Who may use the control socket besides root.
    pub control: ControlRules,
}

impl Config {
    /// The programs' settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let mut ladder_ns = [0; LADDER_STEPS_MAX];
        for (to, step) in ladder_ns.iter_mut().zip(&self.ban.ladder) {
            *to = nanos(*step);
        }
        Settings {
            window_ns: nanos(self.ban.window),
            decay_ns: nanos(self.ban.decay),
            known_peer_ns: nanos(self.ban.known_peer),
            ladder_ns,
            ipv6_mask: self.ipv6.mask(),
            threshold: self.ban.threshold,
            ladder_steps: self.ban.ladder.len().min(LADDER_STEPS_MAX) as u32,
            observe: u32::from(self.mode == Mode::Observe),
            scope_host: u32::from(self.ban.scope_host),
        }
    }

    /// Every port of every service: is it TCP, the port, the number of the service.
    #[must_use]
    pub fn ports(&self) -> Vec<(bool, u16, u8)> {
        let ports = (0..).zip(&self.services).flat_map(|(number, service)| {
            let of = move |listen: &Listen| {
                let tcp = listen.tcp;
                (listen.first..=listen.last).map(move |port| (tcp, port, number))
            };
            service.listen.iter().flat_map(of)
        });
        ports.collect()
    }

    /// Kinds of the services, by their number.
    #[must_use]
    pub fn service_kinds(&self) -> Vec<ServiceKind> {
        self.services.iter().map(|service| service.kind).collect()
    }

    /// Names of the services, by their number.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        self.services.iter().map(|service| service.name.clone()).collect()
    }

    /// What happens to those whom no line of the access list matches, by the number of the service.
    #[must_use]
    pub fn service_defaults(&self) -> Vec<DefaultAction> {
        self.services.iter().map(|service| service.default).collect()
    }
}

/// Checks every value; None exactly when there is a fault.
pub fn resolve(raw: &Raw, faults: &mut Vec<Fault>) -> Option<Config> {
    let before = faults.len();
    let mut check = Check { faults };
    let services = check.services(&raw.services);
    let feeds = check.feeds(&raw.feeds);
    let config = Config {
        interfaces: check.interfaces(raw.interfaces.as_ref()),
        mode: check.choice("mode", raw.mode.as_ref(), &[("enforce", Mode::Enforce), ("observe", Mode::Observe)]),
        ipv6: Ipv6Prefix::new(check.number("ipv6_prefix", raw.ipv6_prefix.as_ref(), &(32..=64), 64) as u8),
        on_exit: check.choice("on_exit", raw.on_exit.as_ref(), &[("keep", OnExit::Keep), ("detach", OnExit::Detach)]),
        paths: check.paths(&raw.paths),
        ban: check.ban(&raw.ban),
        limits: check.limits(&raw.limits),
        access: check.access(raw, &services, &feeds),
        country_db: check.country_db(raw.country_db.as_ref()),
        dns_servers: check.name_servers(raw.dns_servers.as_ref()),
        prefixes_max: check.prefixes_max(&raw.limits),
        signatures: check.scanners(&raw.scanners),
        store: check.store(&raw.store),
        alerts: check.alerts(raw),
        metrics: check.metrics(&raw.metrics),
        control: check.control(&raw.control),
        services,
        feeds,
    };
    (before == 0 && check.faults.is_empty()).then_some(config)
}

/// The paths alone; defaults for those that are faulty.
pub fn paths(raw: &Raw) -> Paths {
    Check { faults: &mut Vec::new() }.paths(&raw.paths)
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
