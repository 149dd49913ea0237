//! How long the next ban of a source lasts.

use crate::abi::{Ban, Settings};
use crate::limits::LADDER_STEPS_MAX;

/// A step of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the step, from 1.
    pub level: u8,
    /// Length of the ban.
    pub length_ns: u64,
}

/// The step of the next ban of a source: one above its last, or the first if that has decayed or never was.
#[inline(always)]
#[must_use]
pub fn next(settings: &Settings, last: Option<&Ban>, now_ns: u64) -> Step {
    let level = match last {
        Some(ban) if now_ns < ban.until_ns.saturating_add(settings.decay_ns) => u32::from(ban.level) + 1,
        _ => 1,
    };
    let level = if level > settings.ladder_steps { settings.ladder_steps } else { level };
    let index = (level.wrapping_sub(1) as usize) & (LADDER_STEPS_MAX - 1);
    Step { level: level as u8, length_ns: settings.ladder_ns[index] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::BanOrigin;

    const MINUTE: u64 = 60_000_000_000;

    fn settings() -> Settings {
        Settings {
            window_ns: 10 * MINUTE,
            decay_ns: 100 * MINUTE,
            known_peer_ns: MINUTE,
            ladder_ns: [MINUTE, 10 * MINUTE, 60 * MINUTE, 0, 0, 0, 0, 0],
            ipv6_mask: u64::MAX,
            threshold: 5,
            ladder_steps: 3,
            observe: 0,
            scope_host: 0,
        }
    }

    fn ban(level: u8, until_ns: u64) -> Ban {
        Ban { level, ..Ban::new(BanOrigin::Failures, 0, until_ns) }
    }

    #[test]
    fn climbs_stays_at_the_top_and_decays() {
        let settings = settings();
        let step = |last: Option<&Ban>, now| next(&settings, last, now);
        assert_eq!(step(None, MINUTE), Step { level: 1, length_ns: MINUTE });
        assert_eq!(step(Some(&ban(1, MINUTE)), 2 * MINUTE), Step { level: 2, length_ns: 10 * MINUTE });
        assert_eq!(step(Some(&ban(3, MINUTE)), 2 * MINUTE), Step { level: 3, length_ns: 60 * MINUTE });
        assert_eq!(step(Some(&ban(3, MINUTE)), 102 * MINUTE).level, 1, "decayed");
        assert_eq!(step(Some(&ban(0, MINUTE)), 2 * MINUTE).level, 1, "pardoned");
    }
}
