//! Is this host really protected? Facts are gathered in one place for each group of checks, and judged by functions that
//! only look at them.

mod agent;
mod attachment;
mod canary;
mod clock;
mod finding;
mod frame;
mod interfaces;
mod kernel;
mod nic;
mod pbx;
mod services;
mod store;
mod traffic;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use sip_fw_common::abi::ServiceKind;

use self::interfaces::Interface;
use self::services::Unattached;
use crate::config::{Config, Interfaces, Paths};
use crate::control::view::StatusView;
use crate::host;
use crate::kernel::{KernelError, Tables, count_nonces};

pub use self::agent::File;
pub use self::finding::{Finding, Group, Report, State};

/// What the doctor starts from.
pub struct Patient<'a> {
    /// Where the configuration is.
    pub path: &'a Path,
    /// How it is.
    pub file: File,
    /// What it says, if it is valid.
    pub config: Option<Config>,
    /// Where things are.
    pub paths: &'a Paths,
    /// What the agent, or what is pinned, says; or why nothing does.
    pub status: Result<StatusView, String>,
    /// Quiet for longer is strange.
    pub quiet_max: Duration,
}

/// Looks at everything that can be looked at.
#[must_use]
pub fn examine(patient: Patient<'_>) -> Report {
    let Patient { path, file, config, paths, status, quiet_max } = patient;
    let status = status.as_ref().map_err(String::as_str);
    let mut tables = Tables::open(&paths.pins);
    let mut findings = agent::judge(&agent::Facts { path, file: &file, socket: &paths.socket, status });
    findings.extend(kernel::judge(&kernel::Facts::gather(&paths.pins)));
    match host::interfaces() {
        Ok(links) => findings.extend(network(config.as_ref(), paths, &tables, &links)),
        Err(error) => findings.push(finding::unknown(Group::Attachment, "attached", error)),
    }
    if let (Ok(status), Ok(tables)) = (status, &tables) {
        let last_request = last_request(tables).unwrap_or_default();
        findings.extend(traffic::judge(&traffic::Facts { status, last_request, quiet_max }));
    }
    let live = tables.as_ref().ok().map(|tables| tables.live().map_err(|error| error.to_string()));
    let wall = crate::clock::wall();
    findings.extend(clock::judge(&clock::Facts { wall, keeper: host::clock_keeper(), live }));
    let history = status.ok().and_then(|status| status.store.clone());
    findings.extend(store::judge(&store::Facts::gather(&paths.state, history)));
    if let Ok(tables) = &mut tables {
        findings.extend(canary::examine(&paths.pins, tables));
    }
    Report::new(status.is_ok_and(|status| status.agent.running), findings)
}

/// What concerns interfaces and ports.
fn network(
    config: Option<&Config>,
    paths: &Paths,
    tables: &Result<Tables, KernelError>,
    links: &[host::Interface],
) -> Vec<Finding> {
    let pinned = interfaces::pinned(tables);
    let names: Vec<String> = match config {
        Some(Config { interfaces: Interfaces::Named(names), .. }) => names.clone(),
        _ => pinned.iter().flatten().map(|attachment| attachment.interface.clone()).collect(),
    };
    let seen: Vec<_> = names.iter().map(|name| Interface::gather(name, &paths.pins, &pinned, links)).collect();
    let services = config.map_or(&[][..], |config| config.services.as_slice());
    let reads_tcp =
        services.iter().any(|service| service.kind == ServiceKind::Sip && service.listen.iter().any(|range| range.tcp));
    let of_interface =
        |seen: &Interface| attachment::judge(seen).into_iter().chain(nic::judge(seen, reads_tcp)).collect::<Vec<_>>();
    let mut findings: Vec<_> = seen.iter().flat_map(of_interface).collect();
    if config.is_none() {
        return findings;
    }
    // Where the pins are not to be seen, the interfaces of the configuration are taken for protected.
    let is_protected = |seen: &&Interface| seen.ingress() != "none" || seen.attachment.is_err();
    let protected = seen.iter().filter(is_protected).map(|seen| seen.name.as_str()).collect();
    let facts = services::Facts {
        services,
        listeners: host::listeners().map_err(|error| error.to_string()),
        unattached: unattached(links, &protected, &host::interface_addresses()),
    };
    findings.extend(services::judge(&facts));
    let listeners = facts.listeners.as_deref().unwrap_or_default();
    let all: Vec<_> = listeners.iter().collect();
    let reached_past = facts.unattached.iter().any(|found| !services::reachable(services, &all, found).is_empty());
    let nonces = tables.as_ref().ok().map(|_| count_nonces(&paths.pins).map_err(|error| error.to_string()));
    findings.extend(pbx::judge(&pbx::Facts { services, listeners, reached_past, nonces }));
    findings
}

/// Interfaces with addresses, in use, whose packets come past every protected one.
fn unattached(
    links: &[host::Interface],
    protected: &BTreeSet<&str>,
    addresses: &[(String, IpAddr)],
) -> Vec<Unattached> {
    let is_port = |link: &host::Interface| {
        let controller = links.iter().find(|found| Some(found.index) == link.controller);
        controller.is_some_and(|found| matches!(found.kind.as_deref(), Some("bridge" | "bond" | "team")))
    };
    // What arrives at a port, its controller takes.
    let bare = |link: &&host::Interface| {
        link.up && !link.loopback && !is_port(link) && !is_protected(link, links, protected, 0)
    };
    let unattached = |link: &host::Interface| {
        let own = addresses.iter().filter(|(name, _)| *name == link.name);
        let addresses: Vec<_> = own.map(|(_, address)| *address).collect();
        let near = !link.ethernet || link.kind.as_deref() == Some("bridge") || addresses.iter().all(is_link_local);
        Unattached { name: link.name.clone(), addresses, near }
    };
    links.iter().filter(bare).map(unattached).filter(|found| !found.addresses.is_empty()).collect()
}

const fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Interfaces are stacked a few deep; what is deeper is no honest configuration.
const STACKED_MAX: u8 = 8;

/// Whether an interface's packets come through a protected one: itself, the one below it, or all of its ports.
fn is_protected(link: &host::Interface, links: &[host::Interface], protected: &BTreeSet<&str>, depth: u8) -> bool {
    if protected.contains(link.name.as_str()) {
        return true;
    }
    if depth == STACKED_MAX {
        return false;
    }
    let below = |found: &&host::Interface| Some(found.index) == link.below || found.controller == Some(link.index);
    let mut carriers = links.iter().filter(below).peekable();
    carriers.peek().is_some() && carriers.all(|carrier| is_protected(carrier, links, protected, depth + 1))
}

/// How long ago the last SIP request was.
fn last_request(tables: &Tables) -> Result<Option<Duration>, KernelError> {
    let last_ns = tables.sources()?.into_iter().map(|(_, did)| did.last_seen_ns).max();
    Ok(last_ns.map(|last_ns| Duration::from_nanos(crate::kernel::now_ns().saturating_sub(last_ns))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, below: Option<u32>, controller: Option<u32>) -> host::Interface {
        let name = name.to_owned();
        host::Interface { index, name, below, controller, up: true, ethernet: true, ..host::Interface::default() }
    }

    #[test]
    fn stacked_interfaces() {
        let mut links = vec![
            link(1, "eth0", None, None),
            link(2, "eth0.100", Some(1), None),
            link(3, "eth1", None, Some(5)),
            link(4, "eth2", None, Some(5)),
            link(5, "bond0", None, None),
            link(6, "wg0", None, None),
            link(7, "down0", None, None),
            link(8, "bare0", None, None),
            // Each below the other: no kernel allows it.
            link(9, "a", Some(10), None),
            link(10, "b", Some(9), None),
        ];
        links[4].kind = Some("bond".to_owned());
        links[5].ethernet = false;
        links[6].up = false;
        let address = |name: &str| (name.to_owned(), "192.0.2.1".parse().unwrap());
        let addresses: Vec<_> = ["eth0", "eth0.100", "eth1", "bond0", "wg0", "down0", "a", "b"].map(address).into();
        let names = |protected: &[&str]| {
            let found = unattached(&links, &protected.iter().copied().collect(), &addresses).into_iter();
            found.map(|found| format!("{}{}", found.name, if found.near { "?" } else { "" })).collect::<Vec<_>>()
        };
        assert_eq!(names(&["eth0"]), ["bond0", "wg0?", "a", "b"]);
        assert_eq!(names(&["eth0", "eth1"]), ["bond0", "wg0?", "a", "b"], "half of a bond");
        assert_eq!(names(&["eth0", "eth1", "eth2", "a"]), ["wg0?"]);
        assert_eq!(names(&["bond0"]), ["eth0", "eth0.100", "wg0?", "a", "b"]);
    }
}
