//! Whom a rule set would cut off that nobody wants cut off.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use sip_fw_common::abi::{PeerKey, ServiceKind};
use sip_fw_core::rules::{Action, Line, RuleSet, Verdict};
use sip_fw_core::text::shown;

use crate::config::{Config, Mode};
use crate::host::{Session, gateways, management_sessions, name_servers};
use crate::kernel::{KernelError, Tables};

/// A known peer that was seen this long ago or later is in use.
const PEER_IN_USE_NS: u64 = 3_600_000_000_000;

/// So many are named, the others counted.
const TOLD_MAX: usize = 20;

/// Whom this host needs, and who needs it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Sessions at TCP ports of services that are not SIP: SSH, web consoles.
    pub sessions: Vec<Session>,
    /// Default gateways.
    pub gateways: Vec<IpAddr>,
    /// Name servers.
    pub name_servers: Vec<IpAddr>,
    /// Known peers seen lately: where, and the user.
    pub peers: Vec<(IpAddr, Option<String>)>,
}

impl Facts {
    /// From the kernel's tables.
    pub fn gather(config: &Config, tables: &Tables, now_ns: u64) -> Result<Self, KernelError> {
        let kinds = config.service_kinds();
        let opaque = |number: u8| kinds.get(usize::from(number)) == Some(&ServiceKind::Opaque);
        let ports: Vec<_> = config.ports().into_iter().filter(|(tcp, _, number)| *tcp && opaque(*number)).collect();
        let ports: Vec<_> = ports.into_iter().map(|(tcp, port, _)| (tcp, port)).collect();
        let sessions = management_sessions(&ports)
            .map_err(|error| KernelError::Access { what: "the table of sockets".into(), reason: error.to_string() })?;
        let lately = |last_ns: u64| now_ns.saturating_sub(last_ns) < PEER_IN_USE_NS;
        let peers = tables.peers()?.into_iter().filter(|(key, peer)| key.user != 0 && lately(peer.last_ns));
        let mut name_servers = name_servers();
        name_servers.extend(config.dns_servers.iter().map(std::net::SocketAddr::ip));
        name_servers.retain(|server| !server.is_loopback());
        Ok(Self {
            sessions,
            gateways: gateways(),
            name_servers,
            peers: peers.map(|(key, peer)| (address(key), shown(&peer.user))).collect(),
        })
    }
}

/// Says whom the rule set would cut off and by which line; nothing if nobody, or if nothing is dropped at all.
pub fn find(set: &RuleSet, config: &Config, facts: &Facts) -> Vec<String> {
    if config.mode == Mode::Observe {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    let names: Vec<&str> = config.access_in_force().map(|(line, _)| line.name.as_str()).collect();
    let mut ask = |who: String, address: IpAddr, number: u8, is_peer: bool, by_default: bool| {
        let Verdict { action, by } = set.verdict(address, number, is_peer);
        if action == Action::Deny && (by_default || matches!(by, Line::Rule(_))) {
            let service = config.services.get(usize::from(number)).map_or("", |service| service.name.as_str());
            found.insert(format!("{who} at service \"{service}\", {}", line(&names, by)));
        }
    };
    let ports = config.ports();
    for Session { local, peer } in &facts.sessions {
        for (_, port, number) in ports.iter().filter(|(tcp, port, _)| *tcp && *port == local.port()) {
            ask(format!("the session of {} with tcp/{port}", peer.ip()), peer.ip(), *number, false, true);
        }
    }
    let services = (0..).zip(&config.services).map(|(number, _)| number);
    for number in services {
        // Neither calls a service: only a line that names them is a mistake.
        for gateway in &facts.gateways {
            ask(format!("the default gateway {gateway}"), *gateway, number, false, false);
        }
        for server in &facts.name_servers {
            ask(format!("the name server {server}"), *server, number, false, false);
        }
    }
    // Services are renumbered when one is added: whoever is known at one is asked for at all that speak SIP.
    let speaks_sip = |(_, kind): &(u8, ServiceKind)| *kind == ServiceKind::Sip;
    for (number, _) in (0..).zip(config.service_kinds()).filter(speaks_sip) {
        for (address, user) in &facts.peers {
            let user = user.as_ref().map_or_else(String::new, |user| format!(", user \"{user}\""));
            let source = config.ipv6.show(config.ipv6.source_of(*address));
            ask(format!("the known peer {source}{user}, seen within an hour,"), *address, number, true, true);
        }
    }
    let more = found.len().saturating_sub(TOLD_MAX);
    let told = found.into_iter().take(TOLD_MAX);
    told.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

/// The line of a verdict, for people.
fn line(names: &[&str], line: Line) -> String {
    match line {
        Line::Own => "by nothing: it is an address of this host".to_owned(),
        Line::Default => "by \"others\", its default: no access rule matches".to_owned(),
        Line::Rule(rule) => {
            format!("by access rule {}, \"{}\"", rule + 1, names.get(rule).unwrap_or(&""))
        }
    }
}

fn address(key: PeerKey) -> IpAddr {
    key.source
        .as_v4()
        .map_or_else(|| IpAddr::V6(Ipv6Addr::from_bits(u128::from(key.source.bits) << 64)), |v4| IpAddr::V4(v4.into()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const TEXT: &str = r#"
interfaces = ["eth0"]
[[service]]
name = "ssh"
kind = "opaque"
listen = ["tcp/22"]
default = "deny"
[[service]]
name = "sip"
kind = "sip"
listen = ["udp/5060"]
[[access]]
name = "office"
from = "192.0.2.0/24"
to = "ssh"
action = "allow"
[[access]]
name = "bad network"
from = "203.0.113.0/24"
action = "deny"
"#;

    fn said(text: &str, facts: &Facts) -> Vec<String> {
        let config = parse(Path::new("x"), text).unwrap();
        let set = RuleSet::compile(&config.plan(Vec::new(), 1, |_| Vec::new())).unwrap();
        find(&set, &config, facts)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn whom_it_would_cut_off() {
        let session = |peer: &str| Session { local: "192.0.2.1:22".parse().unwrap(), peer: peer.parse().unwrap() };
        let facts = Facts {
            sessions: vec![session("192.0.2.7:5000"), session("198.51.100.7:5000")],
            gateways: vec![ip("203.0.113.1"), ip("198.51.100.1")],
            name_servers: vec![ip("203.0.113.53")],
            peers: vec![(ip("203.0.113.9"), Some("1000".to_owned())), (ip("198.51.100.9"), None)],
        };
        assert_eq!(
            said(TEXT, &facts),
            [
                "the default gateway 203.0.113.1 at service \"sip\", by access rule 2, \"bad network\"",
                "the default gateway 203.0.113.1 at service \"ssh\", by access rule 2, \"bad network\"",
                "the known peer 203.0.113.9, user \"1000\", seen within an hour, at service \"sip\", by access rule 2, \"bad network\"",
                "the name server 203.0.113.53 at service \"sip\", by access rule 2, \"bad network\"",
                "the name server 203.0.113.53 at service \"ssh\", by access rule 2, \"bad network\"",
                "the session of 198.51.100.7 with tcp/22 at service \"ssh\", by \"others\", its default: no access rule matches",
            ]
        );
        let crowd =
            Facts { peers: (0..30).map(|n| (ip(&format!("203.0.113.{n}")), None)).collect(), ..Facts::default() };
        let told = said(TEXT, &crowd);
        assert_eq!((told.len(), told.last().unwrap().as_str()), (21, "and 10 more"));
        assert_eq!(said(&format!("mode = \"observe\"\n{TEXT}"), &facts), [""; 0], "nothing is dropped");
    }
}
