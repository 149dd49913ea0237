//! `interfaces`: "auto", or names.

use super::check::Check;
use crate::config::raw::Spot;

/// Interfaces that get the programs at most.
pub const INTERFACES_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 15;
const AUTO: &str = "auto";
const ALLOWED: &str =
    "\"auto\", or 1 to 16 names of network interfaces, each once, of 1 to 15 bytes without / or spaces";

/// Whose packets are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// Those of every interface with Ethernet framing and an address, as they come.
    Auto,
    /// Those of these, each once.
    Named(Vec<String>),
}

impl Check<'_> {
    pub(super) fn interfaces(&mut self, raw: Option<&Spot<Vec<Spot<String>>>>) -> Interfaces {
        let Some(list) = raw else {
            if !self.faults.iter().any(|fault| fault.key == "interfaces" || fault.key == "syntax") {
                self.fault(None, "interfaces", "nothing", ALLOWED);
            }
            return Interfaces::Auto;
        };
        if matches!(&list.value[..], [only] if only.value == AUTO) {
            return Interfaces::Auto;
        }
        if !(1..=INTERFACES_MAX).contains(&list.value.len()) {
            self.fault(list.line, "interfaces", format!("{} names", list.value.len()), ALLOWED);
        }
        let mut names: Vec<String> = Vec::new();
        for Spot { line, value } in &list.value {
            let odd = |c: char| c == '/' || c == '\0' || c.is_whitespace();
            let wrong = value.is_empty() || value.len() > NAME_BYTES_MAX || value.contains(odd) || value == AUTO;
            if wrong || names.contains(value) {
                self.fault(*line, "interfaces", format!("{value:?}"), ALLOWED);
            }
            names.push(value.clone());
        }
        Interfaces::Named(names)
    }
}
