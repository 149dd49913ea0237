//! What every part of the configuration is checked with: faults, and values with a range.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sip_fw_core::duration::{self, Short};

use crate::config::Fault;
use crate::config::raw::Spot;

const LENGTH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

/// Collects the faults.
pub(super) struct Check<'a> {
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    pub(super) fn fault(
        &mut self,
        line: impl Into<Option<usize>>,
        key: &str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.faults.push(Fault {
            line: line.into(),
            key: key.to_owned(),
            found: found.into(),
            allowed: allowed.into(),
        });
    }

    pub(super) fn path(
        &mut self,
        key: &str,
        raw: Option<&Spot<String>>,
        default: PathBuf,
        bytes_max: usize,
    ) -> PathBuf {
        let Some(Spot { line, value }) = raw else { return default };
        if !value.starts_with('/') || value.contains('\0') {
            self.fault(*line, key, format!("{value:?}"), "an absolute path");
            return default;
        }
        if value.len() > bytes_max {
            self.fault(
                *line,
                key,
                format!("{} bytes", value.len()),
                format!("an absolute path of at most {bytes_max} bytes"),
            );
            return default;
        }
        value.into()
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        raw: Option<&Spot<i64>>,
        range: &RangeInclusive<i64>,
        default: i64,
    ) -> i64 {
        let Some(Spot { line, value }) = raw else { return default };
        if !range.contains(value) {
            self.fault(*line, key, value.to_string(), format!("{} to {}", range.start(), range.end()));
            return default;
        }
        *value
    }

    pub(super) fn length(&mut self, key: &str, raw: Option<&Spot<String>>, default: Duration) -> Duration {
        self.length_in(key, raw, &LENGTH, default)
    }

    pub(super) fn length_in(
        &mut self,
        key: &str,
        raw: Option<&Spot<String>>,
        range: &RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let Some(Spot { line, value }) = raw else { return default };
        match duration::parse(value) {
            Ok(length) if range.contains(&length) => length,
            Ok(_) | Err(_) => {
                let (first, last) = (Short(*range.start()), Short(*range.end()));
                let allowed = format!("a whole number and a unit (30s, 10m, 1h, 1d, 1w), from {first} to {last}");
                self.fault(*line, key, format!("{value:?}"), allowed);
                default
            }
        }
    }

    /// The choice made; the first one when none was, or a wrong one.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        key: &str,
        raw: Option<&Spot<String>>,
        choices: &[(&str, T); N],
    ) -> T {
        const { assert!(N > 0) };
        let Some(Spot { line, value }) = raw else { return choices[0].1 };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| name == value) {
            return *choice;
        }
        self.fault(*line, key, format!("{value:?}"), one_of(choices));
        choices[0].1
    }

    pub(super) fn missing(&mut self, line: usize, key: &str, allowed: &str) {
        self.fault(line, key, "nothing", allowed);
    }
}

pub(super) fn one_of<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(" or ")
}
