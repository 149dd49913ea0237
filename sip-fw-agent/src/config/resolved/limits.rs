//! Sizes of the tables.

use std::ops::RangeInclusive;

use super::check::Check;
use crate::config::raw::{RawLimits, Spot};
use crate::kernel::TableSizes;

const PREFIXES: RangeInclusive<i64> = 1024..=4_194_304;

impl TableSizes {
    /// The smallest that a configuration may ask for.
    pub const SMALLEST: Self = Self { ban_prefixes: 16, ..Self::same(1024) };
    /// What a configuration gets that says nothing of them.
    pub const DEFAULT: Self = Self { ban_prefixes: 1024, strikes: 16_384, ..Self::same(65_536) };
    /// The largest that a configuration may ask for.
    pub const LARGEST: Self = Self { ban_prefixes: 65_536, ..Self::same(4_194_304) };

    /// So many entries in each table.
    #[must_use]
    pub const fn same(entries: u32) -> Self {
        Self {
            bans: entries,
            ban_prefixes: entries,
            sources: entries,
            strikes: entries,
            transactions: entries,
            nonces: entries,
            peers: entries,
        }
    }
}

impl Check<'_> {
    pub(super) fn prefixes_max(&mut self, raw: &RawLimits) -> u32 {
        self.number("limits.prefixes", raw.prefixes.as_ref(), &PREFIXES, 262_144) as u32
    }

    pub(super) fn limits(&mut self, raw: &RawLimits) -> TableSizes {
        let mut size = |key: &str, spot: &Option<Spot<i64>>, of: fn(&TableSizes) -> u32| {
            let [smallest, default, largest] =
                [TableSizes::SMALLEST, TableSizes::DEFAULT, TableSizes::LARGEST].map(|sizes| i64::from(of(&sizes)));
            self.number(key, spot.as_ref(), &(smallest..=largest), default) as u32
        };
        TableSizes {
            bans: size("limits.bans", &raw.bans, |sizes| sizes.bans),
            ban_prefixes: size("limits.ban_prefixes", &raw.ban_prefixes, |sizes| sizes.ban_prefixes),
            sources: size("limits.sources", &raw.sources, |sizes| sizes.sources),
            strikes: size("limits.strikes", &raw.strikes, |sizes| sizes.strikes),
            transactions: size("limits.transactions", &raw.transactions, |sizes| sizes.transactions),
            nonces: size("limits.nonces", &raw.nonces, |sizes| sizes.nonces),
            peers: size("limits.peers", &raw.peers, |sizes| sizes.peers),
        }
    }
}
