//! The configuration: any text gives a configuration whose rule set can be compiled, or faults that say what, where and what is
//! allowed, a line each.

use std::path::Path;

use sip_fw_agent::config::{Config, parse};
use sip_fw_common::limits::{LADDER_STEPS_MAX, SERVICES_MAX, STRIKES_MAX};
use sip_fw_core::rules::{PlanError, RuleSet};

/// Checks one text.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split('\n').count();
    match parse(Path::new("/etc/a.toml"), &text) {
        Ok(config) => usable(&config),
        Err(faults) => {
            assert!(!faults.list.is_empty(), "refused without a fault");
            for fault in &faults.list {
                assert!(!fault.key.is_empty() && !fault.found.is_empty() && !fault.allowed.is_empty(), "{fault:?}");
                assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault:?} of {lines} lines");
            }
            let shown = faults.to_string();
            assert_eq!(shown.split('\n').count(), faults.list.len(), "a line for each fault: {shown}");
            assert!(shown.split('\n').all(|line| line.starts_with("/etc/a.toml:")), "{shown}");
        }
    }
}

fn usable(config: &Config) {
    let settings = config.settings();
    assert!((1..=STRIKES_MAX as u32).contains(&settings.threshold), "{settings:?}");
    assert!((1..=LADDER_STEPS_MAX as u32).contains(&settings.ladder_steps), "{settings:?}");
    let ladder = &settings.ladder_ns[..settings.ladder_steps as usize];
    assert!(ladder[0] > 0 && ladder.windows(2).all(|pair| pair[0] < pair[1]), "{settings:?}");
    assert!(config.services.len() <= SERVICES_MAX);
    match RuleSet::compile(&config.plan(Vec::new(), 2, |_| Vec::new())) {
        Ok(set) => assert_eq!(set.services().count(), config.services.len()),
        Err(PlanError::TooManyPrefixes { found, allowed }) => assert!(found > allowed as usize),
        Err(PlanError::TooLarge { found, allowed }) => assert!(found > allowed),
    }
}
