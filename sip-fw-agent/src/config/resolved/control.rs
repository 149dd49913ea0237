//! Who may use the control socket besides root.

use super::check::Check;
use crate::config::raw::{RawControl, Spot};

/// The longest name that useradd and groupadd take.
const GROUP_BYTES_MAX: usize = 32;
const GROUP: &str = "sip-fw";

/// Who may use the control socket besides root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlRules {
    /// Its members may ask.
    pub group: String,
    /// The file names it: then it is a fault of the host if there is no such group.
    pub is_explicit: bool,
    /// They may also change what is enforced.
    pub group_may_change: bool,
}

impl Check<'_> {
    pub(super) fn control(&mut self, raw: &RawControl) -> ControlRules {
        let group = match &raw.group {
            Some(Spot { line, value }) => {
                if !is_group_name(value) {
                    let allowed =
                        "the name of a group: 1 to 32 of the characters a-z, A-Z, 0-9, _, . and -, not - first";
                    self.fault(*line, "control.group", format!("{value:?}"), allowed);
                }
                value.as_str()
            }
            None => GROUP,
        };
        ControlRules {
            group: group.to_owned(),
            is_explicit: raw.group.is_some(),
            group_may_change: raw.group_may_change.as_ref().is_some_and(|spot| spot.value),
        }
    }
}

fn is_group_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=GROUP_BYTES_MAX).contains(&text.len()) && !text.starts_with('-') && text.chars().all(is_plain)
}
