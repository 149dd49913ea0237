//! From a configuration to the plan of a rule set.

use std::net::IpAddr;

use ipnet::IpNet;
use sip_fw_core::rules::{Action, Plan, Rule, Service};

use super::{AccessAction, AccessRule, Config, DefaultAction, Origin};

impl Config {
    /// The plan of the rule set. `nets` gives the addresses of origins that the file does not spell out.
    #[must_use]
    pub fn plan(&self, own: Vec<IpAddr>, cpus: u32, nets: impl Fn(&Origin) -> Vec<IpNet>) -> Plan {
        let services = self.services.iter().map(|service| Service {
            kind: service.kind,
            refusal: service.refusal,
            rates: service.rates,
            default: match service.default {
                DefaultAction::Allow => Action::Allow,
                DefaultAction::Deny => Action::Deny,
            },
            ports: service.listen.iter().map(|listen| (listen.tcp, listen.first, listen.last)).collect(),
        });
        Plan {
            settings: self.settings(),
            services: services.collect(),
            rules: self.access_in_force().map(|(line, action)| resolve(line, action, &own, &nets)).collect(),
            own,
            generation: 1,
            cpus,
            prefixes_max: self.prefixes_max,
        }
    }

    /// The lines of the access list that are not off, in their order.
    pub fn access_in_force(&self) -> impl Iterator<Item = (&AccessRule, Action)> {
        self.access.iter().filter_map(|line| {
            let action = match line.action {
                AccessAction::Trust => Action::Trust,
                AccessAction::Allow => Action::Allow,
                AccessAction::Deny => Action::Deny,
                AccessAction::Off => return None,
            };
            Some((line, action))
        })
    }
}

fn resolve(line: &AccessRule, action: Action, own: &[IpAddr], nets: &impl Fn(&Origin) -> Vec<IpNet>) -> Rule {
    let of = |origin: &Origin| match origin {
        Origin::Net(net) => vec![*net],
        Origin::Own => own.iter().map(|address| IpNet::from(*address)).collect(),
        Origin::Learned => Vec::new(),
        other => nets(other),
    };
    Rule {
        nets: line.from.iter().flat_map(of).collect(),
        learned: line.from.contains(&Origin::Learned),
        to: line.to.clone(),
        action,
    }
}
