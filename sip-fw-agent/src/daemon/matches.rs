//! When each line of the access list matched last: seen once a second, so that packets need not read a clock for it.

use sip_fw_core::time::Timestamp;

use crate::kernel::Matched;

/// The counters of the rule set in force as they were last seen.
#[derive(Debug, Default)]
pub struct Matches {
    seen: Vec<(Matched, Option<Timestamp>)>,
}

impl Matches {
    /// Another rule set counts from 0.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Takes what the kernel counted.
    pub fn look(&mut self, counted: &[Matched], now: Timestamp) {
        self.seen.resize(counted.len(), (Matched::default(), None));
        for (seen, counted) in self.seen.iter_mut().zip(counted) {
            if seen.0 != *counted {
                *seen = (*counted, Some(now));
            }
        }
    }

    /// What a line matched, by its number in the kernel, and when last.
    pub fn of(&self, number: u32) -> (Matched, Option<Timestamp>) {
        self.seen.get(number as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_is_when_a_counter_moved() {
        let mut matches = Matches::default();
        let at = |unix_ms| Timestamp { unix_ms };
        let counted = |packets| [Matched { packets, bytes: 0 }];
        matches.look(&counted(0), at(1));
        assert_eq!(matches.of(0).1, None);
        matches.look(&counted(5), at(2));
        matches.look(&counted(5), at(3));
        assert_eq!((matches.of(0).0.packets, matches.of(0).1), (5, Some(at(2))));
        assert_eq!(matches.of(7), (Matched::default(), None));
        matches.forget();
        assert_eq!(matches.of(0), (Matched::default(), None));
    }
}
