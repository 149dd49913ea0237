//! When and how long to ban.

use std::time::Duration;

use sip_fw_common::limits::{LADDER_STEPS_MAX, STRIKES_MAX};
use sip_fw_core::duration;

use super::check::Check;
use crate::config::raw::RawBan;

/// When and how long to ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRules {
    /// Proven failures within the window that ban.
    pub threshold: u32,
    /// The window.
    pub window: Duration,
    /// Length of the ban at each step.
    pub ladder: Vec<Duration>,
    /// Quiet time after which the step is forgotten.
    pub decay: Duration,
    /// How long a source that authenticated stays a known peer.
    pub known_peer: Duration,
    /// A banned source reaches no port of this host at all.
    pub scope_host: bool,
}

impl Check<'_> {
    pub(super) fn ban(&mut self, raw: &RawBan) -> BanRules {
        BanRules {
            threshold: self.number("ban.threshold", raw.threshold.as_ref(), &(1..=STRIKES_MAX as i64), 5) as u32,
            window: self.length("ban.window", raw.window.as_ref(), Duration::from_secs(600)),
            ladder: self.ladder(raw),
            decay: self.length("ban.decay", raw.decay.as_ref(), Duration::from_secs(30 * 86_400)),
            known_peer: self.length("ban.known_peer", raw.known_peer.as_ref(), Duration::from_secs(7 * 86_400)),
            scope_host: self.choice("ban.scope", raw.scope.as_ref(), &[("services", false), ("host", true)]),
        }
    }

    fn ladder(&mut self, raw: &RawBan) -> Vec<Duration> {
        let Some(list) = &raw.ladder else {
            return [60, 600, 3600, 86_400, 604_800].map(Duration::from_secs).to_vec();
        };
        if !(1..=LADDER_STEPS_MAX).contains(&list.value.len()) {
            let allowed = format!("1 to {LADDER_STEPS_MAX} steps");
            self.fault(list.line, "ban.ladder", format!("{} steps", list.value.len()), allowed);
        }
        let mut steps: Vec<Duration> = Vec::new();
        for spot in &list.value {
            let faults = self.faults.len();
            let step = self.length("ban.ladder", Some(spot), Duration::ZERO);
            if self.faults.len() > faults {
                continue;
            }
            if let Some(last) = steps.last().filter(|last| step <= **last) {
                let allowed = format!("a step longer than the one before, {}", duration::Short(*last));
                self.fault(spot.line, "ban.ladder", format!("{:?}", spot.value), allowed);
                continue;
            }
            steps.push(step);
        }
        steps
    }
}
