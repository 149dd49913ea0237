//! Who listens on this host, and whether sip-fw is in front of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sip_fw_common::abi::ServiceKind;

use super::finding::{Finding, Group, State, unknown};
use crate::config::ServiceRules;
use crate::host::Listener;

/// Ports on which nobody expects anything but SIP.
const SIP_PORTS: [u16; 3] = [5060, 5061, 5080];
/// Ports on which PBXs speak SIP; beside these, theirs are for media, consoles and each other.
const PBX_SIP_PORTS: std::ops::RangeInclusive<u16> = 5060..=5099;
/// Ports on which they speak it inside TLS (RFC 3261 §19.1.2; FreeSWITCH's external profile).
const TLS_PORTS: [u16; 2] = [5061, 5081];

/// The processes of PBXs, by the beginnings of their names, in small letters.
const PBXS: [&str; 5] = ["asterisk", "freeswitch", "kamailio", "opensips", "3cx"];

/// What is known of services and of whoever listens.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The services of the configuration.
    pub services: &'a [ServiceRules],
    /// Who listens; why that cannot be told.
    pub listeners: Result<Vec<Listener>, String>,
    /// Interfaces with addresses that no program is in front of.
    pub unattached: Vec<Unattached>,
}

/// An interface that no program is in front of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unattached {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Only containers, neighbours, and whoever is in a tunnel reach it.
    pub near: bool,
}

/// What is to be said of them.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    let all = match &facts.listeners {
        Ok(all) => all,
        Err(error) => return vec![unknown(Group::Services, "listening", error)],
    };
    let outward: Vec<&Listener> = all.iter().filter(|listener| !listener.local.ip().is_loopback()).collect();
    let mut findings: Vec<_> = facts.services.iter().map(|service| listening(service, &outward)).collect();
    findings.extend(unprotected(facts.services, &outward));
    findings.extend(tls(facts.services, &outward));
    findings.extend(unattached(facts, &outward));
    findings
}

/// Whether a service has this port.
#[must_use]
pub fn serves(service: &ServiceRules, listener: &Listener) -> bool {
    let port = listener.local.port();
    service.listen.iter().any(|range| range.tcp == listener.tcp && (range.first..=range.last).contains(&port))
}

/// The PBX among the processes that hold a socket.
#[must_use]
pub fn pbx(listener: &Listener) -> Option<&'static str> {
    let is = |owner: &String, name: &&str| owner.to_ascii_lowercase().starts_with(*name);
    PBXS.into_iter().find(|name| listener.owners.iter().any(|owner| is(owner, name)))
}

/// Whether a socket speaks SIP inside TLS, as far as its port tells.
#[must_use]
pub fn is_tls(listener: &Listener) -> bool {
    listener.tcp && TLS_PORTS.contains(&listener.local.port())
}

fn listening(service: &ServiceRules, listeners: &[&Listener]) -> Finding {
    let name = &service.name;
    let found = |state, text: String| Finding::new(Group::Services, "listening", state, text).of(name);
    let (mut taken, mut idle) = (Vec::new(), Vec::new());
    for range in &service.listen {
        let port = range.to_string();
        let mut inside = listeners
            .iter()
            .filter(|found| found.tcp == range.tcp && (range.first..=range.last).contains(&found.local.port()))
            .peekable();
        if inside.peek().is_none() {
            idle.push(port);
        } else {
            let owners: BTreeSet<&str> = inside.flat_map(|found| &found.owners).map(String::as_str).collect();
            let owners: Vec<_> = owners.into_iter().collect();
            taken.push(if owners.is_empty() { port } else { format!("{port} ({})", owners.join(", ")) });
        }
    }
    let (taken, idle) = (taken.join(", "), idle.join(", "));
    let is_sip = service.kind == ServiceKind::Sip;
    if idle.is_empty() {
        return found(State::Ok, format!("{name}: somebody listens on {taken}"));
    }
    if taken.is_empty() && is_sip {
        return found(State::Warning, format!("{name}: nothing listens on {idle}")).advise(
            "start the PBX, or correct `listen`; a container may have sockets of its own, which are not seen here",
        );
    }
    if taken.is_empty() {
        return found(State::Note, format!("{name}: nothing listens on {idle} at this moment"));
    }
    found(State::Note, format!("{name}: somebody listens on {taken}, nothing on {idle}"))
}

/// SIP ports of no service that reads them.
fn unprotected(services: &[ServiceRules], listeners: &[&Listener]) -> Vec<Finding> {
    let speaks_sip = |found: &Listener| {
        let port = found.local.port();
        SIP_PORTS.contains(&port) || pbx(found).is_some() && PBX_SIP_PORTS.contains(&port)
    };
    let mut bare = BTreeMap::<(bool, u16), Vec<&Listener>>::new();
    for found in listeners.iter().filter(|found| !is_tls(found) && speaks_sip(found)) {
        if !services.iter().any(|service| serves(service, found) && service.kind == ServiceKind::Sip) {
            bare.entry((found.tcp, found.local.port())).or_default().push(found);
        }
    }
    if bare.is_empty() {
        let text = "every SIP port that somebody listens on is read";
        return vec![Finding::ok(Group::Services, "unprotected", text)];
    }
    let finding = |((tcp, port), found): ((bool, u16), Vec<&Listener>)| {
        let port = format!("{}/{port}", if tcp { "tcp" } else { "udp" });
        let gated = services.iter().find(|service| found.iter().any(|found| serves(service, found)));
        let (state, text) = match gated {
            Some(service) => {
                let text = format!(
                    "{port}: {} here; service \"{}\" closes it to banned sources but reads nothing",
                    who(&found),
                    service.name
                );
                (State::Warning, text)
            }
            None => (State::Problem, format!("{port}: {} here, and no service protects it", who(&found))),
        };
        Finding::new(Group::Services, "unprotected", state, text)
            .of(&port)
            .advise(format!("add \"{port}\" to the `listen` of a service of kind \"sip\", then sip-fw apply"))
    };
    bare.into_iter().map(finding).collect()
}

/// SIP inside TLS, which nobody but the PBX can read.
fn tls(services: &[ServiceRules], listeners: &[&Listener]) -> Vec<Finding> {
    let mut ports = BTreeMap::<u16, Vec<&Listener>>::new();
    for found in listeners.iter().filter(|found| is_tls(found)) {
        ports.entry(found.local.port()).or_default().push(found);
    }
    let finding = |(port, found): (u16, Vec<&Listener>)| {
        let owner = services.iter().find(|service| found.iter().any(|found| serves(service, found)));
        let say = |state, text: String| Finding::new(Group::Services, "tls", state, text).of(format!("tcp/{port}"));
        let who = who(&found);
        match owner {
            Some(service) if service.kind == ServiceKind::Opaque => {
                say(State::Note, format!("tcp/{port}: {who} here, TLS cannot be read; banned sources are kept out"))
            }
            Some(service) => {
                say(State::Note, format!("tcp/{port}: {who} here, and TLS cannot be read; banned sources are kept out"))
                    .advise(format!("move it from service \"{}\" to one of kind \"opaque\"", service.name))
            }
            None => say(
                State::Warning,
                format!("tcp/{port}: {who} here, TLS cannot be read, and banned sources get through"),
            )
            .advise(format!("add a service of kind \"opaque\" with listen = [\"tcp/{port}\"], then sip-fw apply")),
        }
    };
    ports.into_iter().map(finding).collect()
}

/// Ports of services that can be reached past the programs.
fn unattached(facts: &Facts<'_>, listeners: &[&Listener]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for interface in &facts.unattached {
        let ports = reachable(facts.services, listeners, interface);
        if ports.is_empty() {
            continue;
        }
        let Unattached { name, addresses, near } = interface;
        let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        let ports = ports.into_iter().collect::<Vec<_>>().join(", ");
        let text =
            format!("{name} ({}) is not protected: {ports} can be reached there past sip-fw", addresses.join(", "));
        let state = if *near { State::Note } else { State::Warning };
        findings.push(
            Finding::new(Group::Services, "unattached", state, text).of(name).advise(format!(
                "add \"{name}\" to `interfaces` and restart the agent, or let the PBX not listen there"
            )),
        );
    }
    if findings.is_empty() {
        let text = "no interface without sip-fw leads to a service";
        findings.push(Finding::ok(Group::Services, "unattached", text));
    }
    findings
}

/// The ports of services that somebody listens on at an address of this interface.
#[must_use]
pub fn reachable(services: &[ServiceRules], listeners: &[&Listener], interface: &Unattached) -> BTreeSet<String> {
    let here = |found: &Listener| {
        let local = found.local.ip();
        match local {
            IpAddr::V4(any) if any.is_unspecified() => interface.addresses.iter().any(IpAddr::is_ipv4),
            // It takes IPv4, too, unless it was told not to, which nothing tells.
            IpAddr::V6(any) if any.is_unspecified() => true,
            _ => interface.addresses.contains(&local),
        }
    };
    let served = |found: &&&Listener| services.iter().any(|service| serves(service, found)) && here(found);
    let port = |found: &&Listener| format!("{}/{}", if found.tcp { "tcp" } else { "udp" }, found.local.port());
    listeners.iter().filter(served).map(port).collect()
}

/// Who holds sockets.
fn who(found: &[&Listener]) -> String {
    let owners: BTreeSet<&str> = found.iter().flat_map(|found| &found.owners).map(String::as_str).collect();
    let addresses: BTreeSet<String> = found.iter().map(|found| found.local.ip().to_string()).collect();
    let owners = owners.into_iter().collect::<Vec<_>>().join(", ");
    let owners = if owners.is_empty() { "somebody".to_owned() } else { owners };
    format!("{owners} listens on {}", addresses.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const TEXT: &str = r#"
interfaces = ["eth0"]
[[service]]
name = "sip"
kind = "sip"
listen = ["udp/5060", "tcp/5060"]
[[service]]
name = "media"
kind = "opaque"
listen = ["udp/10000-20000", "tcp/5081"]
"#;

    fn listener(owner: &str, port: &str) -> Listener {
        let (protocol, local) = port.split_once('/').unwrap();
        let owners = (!owner.is_empty()).then(|| owner.to_owned()).into_iter().collect();
        Listener { tcp: protocol == "tcp", local: local.parse().unwrap(), owners }
    }

    fn findings(listeners: Vec<Listener>, unattached: Vec<Unattached>) -> Vec<Finding> {
        let config = parse(std::path::Path::new("x"), TEXT).unwrap();
        judge(&Facts { services: &config.services, listeners: Ok(listeners), unattached })
    }

    fn said(check: &str, listeners: &[(&str, &str)]) -> Vec<(State, String)> {
        let listeners = listeners.iter().map(|(owner, port)| listener(owner, port)).collect();
        let told = findings(listeners, Vec::new()).into_iter().filter(|finding| finding.check == check);
        told.map(|finding| (finding.state, finding.text)).collect()
    }

    #[test]
    fn who_listens() {
        let first = |listeners: &[(&str, &str)]| said("listening", listeners).remove(0);
        assert_eq!(
            first(&[("asterisk", "udp/0.0.0.0:5060"), ("asterisk", "tcp/[::]:5060")]),
            (State::Ok, "sip: somebody listens on udp/5060 (asterisk), tcp/5060 (asterisk)".to_owned())
        );
        assert_eq!(
            first(&[("", "udp/192.0.2.1:5060")]),
            (State::Note, "sip: somebody listens on udp/5060, nothing on tcp/5060".to_owned())
        );
        let idle = (State::Warning, "sip: nothing listens on udp/5060, tcp/5060".to_owned());
        assert_eq!(first(&[("asterisk", "udp/127.0.0.1:5060"), ("asterisk", "udp/0.0.0.0:5070")]), idle);
        let media = said("listening", &[]).remove(1);
        assert_eq!(
            media,
            (State::Note, "media: nothing listens on udp/10000-20000, tcp/5081 at this moment".to_owned())
        );
    }

    #[test]
    fn sip_ports_of_no_service() {
        let ports = |listeners: &[(&str, &str)]| {
            let told = said("unprotected", listeners).into_iter();
            told.map(|(state, text)| (state, text.split(':').next().unwrap().to_owned())).collect::<Vec<_>>()
        };
        let none = [(State::Ok, "every SIP port that somebody listens on is read".to_owned())];
        assert_eq!(ports(&[("asterisk", "udp/0.0.0.0:5060"), ("asterisk", "tcp/0.0.0.0:5038")]), none);
        assert_eq!(ports(&[("asterisk", "udp/0.0.0.0:12000"), ("nc", "udp/0.0.0.0:5070")]), none);
        assert_eq!(ports(&[("kamailio", "udp/[::1]:5070")]), none, "nobody outside reaches it");
        assert_eq!(
            ports(&[
                ("", "udp/[2001:db8::1]:5080"),
                ("FreeSWITCH", "tcp/0.0.0.0:5080"),
                ("kamailio", "udp/0.0.0.0:5070"),
                ("kamailio", "udp/[::]:5070"),
            ]),
            ["udp/5070", "udp/5080", "tcp/5080"].map(|port| (State::Problem, port.to_owned()))
        );
        let text = &said("unprotected", &[("kamailio", "udp/[::]:5070")])[0].1;
        assert_eq!(text, "udp/5070: kamailio listens on :: here, and no service protects it");
    }

    #[test]
    fn sip_in_an_opaque_service() {
        let text = TEXT.replace("kind = \"sip\"", "kind = \"opaque\"");
        let config = parse(std::path::Path::new("x"), &text).unwrap();
        let listeners = Ok(vec![listener("asterisk", "udp/0.0.0.0:5060")]);
        let told = judge(&Facts { services: &config.services, listeners, unattached: Vec::new() });
        let found = told.iter().find(|finding| finding.check == "unprotected").unwrap();
        assert_eq!((found.state, found.subject.as_deref()), (State::Warning, Some("udp/5060")));
    }

    #[test]
    fn tls_is_not_read() {
        assert_eq!(said("tls", &[("asterisk", "tcp/0.0.0.0:5060")]), []);
        assert_eq!(said("tls", &[("asterisk", "tcp/0.0.0.0:5061")])[0].0, State::Warning);
        assert_eq!(said("tls", &[("freeswitch", "tcp/0.0.0.0:5081")])[0].0, State::Note, "gated");
        assert_eq!(said("unprotected", &[("asterisk", "tcp/0.0.0.0:5061")])[0].0, State::Ok, "told once");
    }

    #[test]
    fn ways_past_the_programs() {
        let interface = |name: &str, addresses: &[&str], near| Unattached {
            name: name.to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            near,
        };
        let state = |port: &str, interface: Unattached| {
            let told = findings(vec![listener("asterisk", port)], vec![interface]);
            told.iter().find(|finding| finding.check == "unattached").unwrap().state
        };
        assert_eq!(state("udp/0.0.0.0:5060", interface("eth1", &["198.51.100.1"], false)), State::Warning);
        assert_eq!(state("udp/0.0.0.0:5060", interface("docker0", &["172.17.0.1"], true)), State::Note);
        assert_eq!(state("udp/0.0.0.0:5060", interface("eth1", &["2001:db8::1"], false)), State::Ok);
        assert_eq!(state("udp/[::]:5060", interface("eth1", &["198.51.100.1"], false)), State::Warning);
        assert_eq!(state("udp/192.0.2.1:5060", interface("eth1", &["198.51.100.1"], false)), State::Ok);
        assert_eq!(state("udp/198.51.100.1:5060", interface("eth1", &["198.51.100.1"], false)), State::Warning);
        assert_eq!(state("udp/0.0.0.0:5070", interface("eth1", &["198.51.100.1"], false)), State::Ok, "of no service");
    }
}
