//! The access list: its lines, and what they may not say together.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use sip_fw_core::source::show_net;
use sip_fw_core::text;

use super::ServiceRules;
use super::check::{Check, one_of};
use super::origin::{self, Offer};
use super::overlap;
use crate::config::raw::{Raw, RawAccess, Spot};
use crate::config::{AccessAction, AccessRule, FeedRules, Origin};

/// Reading this many takes 200 MB for a moment. Longer lists belong in files and feeds.
const LINES_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 64;
const ACTIONS: [(&str, AccessAction); 4] = [
    ("trust", AccessAction::Trust),
    ("allow", AccessAction::Allow),
    ("deny", AccessAction::Deny),
    ("off", AccessAction::Off),
];

impl Check<'_> {
    pub(super) fn access(&mut self, raw: &Raw, services: &[ServiceRules], feeds: &[FeedRules]) -> Vec<AccessRule> {
        if let Some(line) = raw.access.get(LINES_MAX) {
            let allowed = format!("at most {LINES_MAX}; longer lists come from file:/PATH or feed:NAME");
            self.fault(line.line, "access", format!("{} lines", raw.access.len()), allowed);
        }
        let offer = Offer {
            feeds: feeds.iter().map(|feed| feed.name.as_str()).collect(),
            country_db: raw.country_db.is_some(),
        };
        let numbers = (0..).zip(services).map(|(number, service)| (service.name.as_str(), number)).collect();
        let mut names = HashSet::new();
        let mut rules = Vec::new();
        for Spot { line, value } in raw.access.iter().take(LINES_MAX) {
            let name = self.access_name(*line, value, &mut names);
            let action = self.access_action(*line, value);
            let from = self.access_from(*line, value, action, &offer);
            let to = self.access_to(value, services, &numbers);
            rules.push(AccessRule { line: *line, name, from, to, action: action.unwrap_or(AccessAction::Off) });
        }
        self.trusted_first(&rules);
        rules
    }

    pub(super) fn country_db(&mut self, raw: Option<&Spot<String>>) -> Option<PathBuf> {
        raw.map(|path| self.path("country_db", Some(path), PathBuf::new(), usize::MAX))
    }

    fn access_name<'a>(&mut self, line: usize, raw: &'a RawAccess, names: &mut HashSet<&'a str>) -> String {
        let allowed =
            "a name of 1 to 64 bytes without quotes, control characters or spaces at its ends, used by no other line";
        let Some(name) = &raw.name else {
            self.missing(line, "access.name", allowed);
            return String::new();
        };
        let text = name.value.as_str();
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
            && text.trim() == text
            && !text.contains(['"', '\'', '`'])
            && text::escape(text) == text;
        if !names.insert(text) || !fits {
            self.fault(name.line, "access.name", format!("{text:?}"), allowed);
        }
        name.value.clone()
    }

    /// None when it is missing or wrong.
    fn access_action(&mut self, line: usize, raw: &RawAccess) -> Option<AccessAction> {
        let faults = self.faults.len();
        if raw.action.is_none() {
            self.missing(line, "access.action", &one_of(&ACTIONS));
        }
        let action = self.choice("access.action", raw.action.as_ref(), &ACTIONS);
        (self.faults.len() == faults).then_some(action)
    }

    fn access_from(
        &mut self,
        line: usize,
        raw: &RawAccess,
        action: Option<AccessAction>,
        offer: &Offer<'_>,
    ) -> Vec<Origin> {
        let Some(list) = &raw.from else {
            self.missing(line, "access.from", origin::ALLOWED);
            return Vec::new();
        };
        if list.value.is_empty() {
            self.fault(list.line, "access.from", "an empty list", origin::ALLOWED);
        }
        let mut origins = Vec::new();
        for Spot { line, value } in &list.value {
            match origin::parse(value, action, offer) {
                Ok(origin) => origins.push(origin),
                Err(refused) => self.fault(*line, "access.from", refused.found, refused.allowed),
            }
        }
        origins
    }

    fn access_to(
        &mut self,
        raw: &RawAccess,
        services: &[ServiceRules],
        numbers: &HashMap<&str, u8>,
    ) -> Option<Vec<u8>> {
        let list = raw.to.as_ref()?;
        let allowed = || {
            let names: Vec<_> = services.iter().map(|service| format!("{:?}", service.name)).collect();
            format!("names of services ({}); without the key the line is for all of them", names.join(", "))
        };
        if list.value.is_empty() {
            self.fault(list.line, "access.to", "an empty list", allowed());
        }
        let mut to = Vec::new();
        for Spot { line, value } in &list.value {
            match numbers.get(value.as_str()) {
                Some(number) => to.push(*number),
                None => self.fault(*line, "access.to", format!("{value:?}"), allowed()),
            }
        }
        to.sort_unstable();
        to.dedup();
        Some(to)
    }

    /// Trusted sources are never dropped, so nothing before their line may deny them.
    fn trusted_first(&mut self, rules: &[AccessRule]) {
        for overlap in overlap::find(rules) {
            let (Some(deny), Some(trust)) = (rules.get(overlap.deny), rules.get(overlap.trust)) else { continue };
            let found = format!(
                "{:?}, which denies {} before {:?} in line {} trusts it",
                deny.name,
                show_net(overlap.net),
                trust.name,
                trust.line
            );
            self.fault(deny.line, "access", found, format!("trusted sources first: move {:?} above it", trust.name));
        }
    }
}
