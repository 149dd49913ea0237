//! Sizes of the tables.

use std::ops::RangeInclusive;

use super::check::Check;
use crate::config::raw::{RawLimits, Spot};
use crate::kernel::TableSizes;

const TABLE: RangeInclusive<i64> = 1024..=4_194_304;
const PREFIX_TABLE: RangeInclusive<i64> = 16..=65_536;

impl Check<'_> {
    pub(super) fn prefixes_max(&mut self, raw: &RawLimits) -> u32 {
        self.number("limits.prefixes", raw.prefixes.as_ref(), &TABLE, 262_144) as u32
    }

    pub(super) fn limits(&mut self, raw: &RawLimits) -> TableSizes {
        let mut size = |key: &str, spot: &Option<Spot<i64>>, range: &RangeInclusive<i64>, default: i64| {
            self.number(key, spot.as_ref(), range, default) as u32
        };
        TableSizes {
            bans: size("limits.bans", &raw.bans, &TABLE, 65_536),
            ban_prefixes: size("limits.ban_prefixes", &raw.ban_prefixes, &PREFIX_TABLE, 1024),
            sources: size("limits.sources", &raw.sources, &TABLE, 65_536),
            strikes: size("limits.strikes", &raw.strikes, &TABLE, 16_384),
            transactions: size("limits.transactions", &raw.transactions, &TABLE, 65_536),
            nonces: size("limits.nonces", &raw.nonces, &TABLE, 65_536),
            peers: size("limits.peers", &raw.peers, &TABLE, 65_536),
        }
    }
}
