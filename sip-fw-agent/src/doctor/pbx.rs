//! How the PBX behind a service refuses, and what its nonces prove.

use std::collections::BTreeSet;

use sip_fw_common::abi::ServiceKind;

use super::finding::{Finding, Group, State, unknown};
use super::services::{is_tls, pbx, serves};
use crate::config::ServiceRules;
use crate::host::Listener;
use crate::kernel::NonceCount;

/// `refusal` of a service that tells PBXs apart by their nonces.
const AUTO: u8 = 0;

const CURE: &str = "bind nonces to the source: modparam(\"auth\", \"auth_checks_register\", 8), and the same for \
                    auth_checks_no_dlg and auth_checks_in_dlg";

/// What is known of the PBX.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The services of the configuration.
    pub services: &'a [ServiceRules],
    /// Who listens.
    pub listeners: &'a [Listener],
    /// Services can be reached past sip-fw.
    pub reached_past: bool,
    /// The nonces that were handed out; None where nothing is attached.
    pub nonces: Option<Result<NonceCount, String>>,
}

/// What is to be said of it.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    let sip = facts.services.iter().filter(|service| service.kind == ServiceKind::Sip);
    let mut findings: Vec<_> = sip.filter_map(|service| refusal(service, facts.listeners)).collect();
    findings.extend(facts.nonces.as_ref().map(|nonces| self::nonces(facts, nonces)));
    findings
}

fn refusal(service: &ServiceRules, listeners: &[Listener]) -> Option<Finding> {
    let found = |state, text: String| Finding::new(Group::Pbx, "refusal", state, text).of(&service.name);
    let name = &service.name;
    let behind: BTreeSet<_> = listeners.iter().filter(|found| serves(service, found)).filter_map(pbx).collect();
    let scripted = behind.iter().find(|pbx| matches!(**pbx, "kamailio" | "opensips"));
    match scripted {
        Some(pbx) if service.refusal == AUTO => Some(
            found(
                State::Note,
                format!("{name}: {pbx} says 403 after a right password where its script forbids a call, and refusal = \"auto\" counts that as a failure"),
            )
            .advise("if its script does so: refusal = \"challenge\""),
        ),
        _ if behind.is_empty() => None,
        _ => {
            let behind = behind.into_iter().collect::<Vec<_>>().join(", ");
            Some(found(State::Ok, format!("{name}: how {behind} refuses is understood")))
        }
    }
}

fn nonces(facts: &Facts<'_>, counted: &Result<NonceCount, String>) -> Finding {
    let found = |state, text: String| Finding::new(Group::Pbx, "nonces", state, text);
    let NonceCount { all, shared } = match counted {
        Ok(counted) => *counted,
        Err(error) => return unknown(Group::Pbx, "nonces", error),
    };
    let kamailio = |listener: &&Listener| pbx(listener) == Some("kamailio");
    let weak =
        format!("{shared} of {all} nonces went to several sources: failures with them prove nothing and ban nobody");
    if !facts.listeners.iter().any(|listener| kamailio(&listener)) {
        return match (all, shared) {
            (0, _) => found(State::Ok, "no nonce was handed out yet".to_owned()),
            (_, 0) => found(State::Ok, format!("each of {all} nonces went to one source")),
            _ => found(State::Note, weak),
        };
    }
    if shared > 0 {
        return found(State::Warning, format!("kamailio: {weak}")).advise(CURE);
    }
    let tls = facts.listeners.iter().filter(kamailio).any(is_tls);
    let text = match (tls, facts.reached_past) {
        (true, _) => "kamailio hands the nonces of a second out over TLS, too, where sip-fw does not see who gets them",
        (_, true) => "kamailio hands the nonces of a second out where sip-fw is not attached, too",
        _ => {
            "kamailio hands everybody the same nonce within a second, unless told otherwise; on a busy server that proves little"
        }
    };
    found(State::Note, text.to_owned()).advise(CURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const SIP: &str = "interfaces = [\"eth0\"]\n";

    fn listener(owner: &str, local: &str, tcp: bool) -> Listener {
        Listener { tcp, local: local.parse().unwrap(), owners: [owner.to_owned()].into() }
    }

    fn said(text: &str, listeners: &[Listener], nonces: (usize, usize), reached_past: bool) -> Vec<(State, String)> {
        let config = parse(std::path::Path::new("x"), text).unwrap();
        let (all, shared) = nonces;
        let nonces = Some(Ok(NonceCount { all, shared }));
        let facts = Facts { services: &config.services, listeners, reached_past, nonces };
        judge(&facts).into_iter().map(|finding| (finding.state, finding.text)).collect()
    }

    #[test]
    fn asterisk_is_understood() {
        let asterisk = [listener("asterisk", "0.0.0.0:5060", false)];
        let expected = [
            (State::Ok, "sip: how asterisk refuses is understood".to_owned()),
            (State::Ok, "each of 20 nonces went to one source".to_owned()),
        ];
        assert_eq!(said(SIP, &asterisk, (20, 0), false), expected);
        assert_eq!(said(SIP, &asterisk, (20, 3), false)[1].0, State::Note);
        assert_eq!(said(SIP, &[], (0, 0), false), [(State::Ok, "no nonce was handed out yet".to_owned())]);
    }

    #[test]
    fn kamailio_needs_attention() {
        let kamailio = [listener("kamailio", "192.0.2.1:5060", false)];
        let told = said(SIP, &kamailio, (20, 3), false);
        assert_eq!(told[0].0, State::Note);
        let weak = "kamailio: 3 of 20 nonces went to several sources: failures with them prove nothing and ban nobody";
        assert_eq!(told[1], (State::Warning, weak.to_owned()));
        assert_eq!(said(SIP, &kamailio, (20, 0), false)[1].0, State::Note);
        assert!(said(SIP, &kamailio, (20, 0), true)[1].1.contains("not attached"));
        let tls = [kamailio[0].clone(), listener("kamailio", "192.0.2.1:5061", true)];
        assert!(said(SIP, &tls, (20, 0), false)[1].1.contains("over TLS"));
        let decided = "interfaces = [\"eth0\"]\n[[service]]\nname = \"sip\"\nkind = \"sip\"\nlisten = [\"udp/5060\"]\nrefusal = \"challenge\"\n";
        assert_eq!(said(decided, &kamailio, (20, 0), false)[0].0, State::Ok);
    }
}
