//! The access list as it is in force: every line with what it matched, and the line that decides for an address.

use std::net::IpAddr;

use sip_fw_core::SCHEMA;
use sip_fw_core::rules::{Action, Line, RuleSet};
use sip_fw_core::time::Timestamp;

use super::view::{AccessRuleView, AccessView, DecisionView, PendingView};
use crate::config::{AccessRule, Config, DefaultAction};
use crate::kernel::Matched;
use crate::lists::{Named, Snapshot};

/// What a line matched, by its number in the kernel, and when last.
pub type Matching<'a> = &'a dyn Fn(u32) -> (Matched, Option<Timestamp>);

/// The access list in force.
pub struct Access<'a> {
    /// Compiled.
    pub set: &'a RuleSet,
    /// As it was written.
    pub config: &'a Config,
    /// Addresses that the configuration does not spell out.
    pub lists: Snapshot,
    /// What lines matched.
    pub matches: Matching<'a>,
    /// When the configuration before comes back unless this one is confirmed.
    pub confirm_until: Option<Timestamp>,
}

impl Access<'_> {
    /// Every line in its order, then the defaults of the services.
    #[must_use]
    pub fn view(&self) -> AccessView {
        let names = self.config.service_names();
        let mut rules = Vec::new();
        let mut in_force = self.config.access_in_force().enumerate().peekable();
        for line in &self.config.access {
            let to = line.to.as_ref().map_or_else(
                || names.clone(),
                |to| to.iter().filter_map(|number| names.get(usize::from(*number)).cloned()).collect(),
            );
            let mut view = AccessRuleView {
                name: line.name.clone(),
                from: line.from.iter().map(|origin| Named(origin).to_string()).collect(),
                to,
                action: "off".to_owned(),
                ..AccessRuleView::default()
            };
            if let Some((order, (_, action))) = in_force.next_if(|(_, (found, _))| found.line == line.line) {
                view.action = action_name(action).to_owned();
                view.order = Some(order as u32 + 1);
                view.count((self.matches)(self.set.number_of_rule(order)));
                view.warning = self.warning(line, order);
            }
            rules.push(view);
        }
        for (number, service) in self.config.services.iter().enumerate() {
            let deny = service.default == DefaultAction::Deny;
            let mut view = AccessRuleView {
                name: "others".to_owned(),
                to: vec![service.name.clone()],
                action: if deny { "deny" } else { "allow" }.to_owned(),
                ..AccessRuleView::default()
            };
            view.count((self.matches)(self.set.number_of_default(number)));
            rules.push(view);
        }
        AccessView {
            schema: SCHEMA,
            generation: self.set.header().generation,
            memory_bytes: self.set.bytes(),
            prefixes: self.set.prefixes(),
            pending: self.confirm_until.map(|until| PendingView { until }),
            rules,
        }
    }

    /// The line that decides for an address at each service.
    #[must_use]
    pub fn decisions(&self, address: IpAddr, is_peer: bool) -> Vec<DecisionView> {
        let decide = |(number, service): (u8, &String)| {
            let verdict = self.set.verdict(address, number, is_peer);
            let (rule, order) = match verdict.by {
                Line::Own => ("own addresses".to_owned(), None),
                Line::Default => ("others".to_owned(), None),
                Line::Rule(rule) => {
                    let line = self.config.access_in_force().nth(rule);
                    (line.map_or_else(String::new, |(line, _)| line.name.clone()), Some(rule as u32 + 1))
                }
            };
            DecisionView { service: service.clone(), action: action_name(verdict.action).to_owned(), rule, order }
        };
        (0..).zip(&self.config.service_names()).map(decide).collect()
    }

    fn warning(&self, line: &AccessRule, order: usize) -> Option<String> {
        if self.set.ever_decides(order) {
            return None;
        }
        let troubled = line.from.iter().find_map(|origin| self.lists.entry(origin)?.trouble.clone());
        Some(troubled.map_or_else(
            || "never matches: it has no addresses, or earlier lines match all of them".to_owned(),
            |trouble| format!("never matches: {trouble}"),
        ))
    }
}

impl AccessRuleView {
    fn count(&mut self, (matched, last): (Matched, Option<Timestamp>)) {
        self.packets = matched.packets;
        self.bytes = matched.bytes;
        self.last_match = last;
    }
}

const fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        Action::Trust => "trust",
    }
}
