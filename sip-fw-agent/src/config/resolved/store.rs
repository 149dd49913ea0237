//! Bounds of the store.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::check::Check;
use crate::config::raw::RawStore;
use crate::store::StoreRules;

const DAY: Duration = Duration::from_secs(86_400);
const BYTES: RangeInclusive<i64> = 1 << 20..=1 << 40;

impl Check<'_> {
    pub(super) fn store(&mut self, raw: &RawStore) -> StoreRules {
        StoreRules {
            keep: self.length("store.keep", raw.keep.as_ref(), 90 * DAY),
            bytes_max: self.number("store.max_size", raw.max_size.as_ref(), &BYTES, 256 << 20).unsigned_abs(),
        }
    }
}
