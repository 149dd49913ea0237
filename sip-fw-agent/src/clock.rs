//! The only place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use sip_fw_core::time::{Time, Timestamp};

/// Now, on both clocks.
#[must_use]
pub fn now() -> Time {
    Time { kernel_ns: crate::kernel::now_ns(), wall: wall() }
}

/// Now, on the wall clock.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { unix_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX) }
}
