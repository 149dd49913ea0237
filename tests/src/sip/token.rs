//! Strings that never come twice, for branches, tags, Call-IDs and nonces.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::md5_hex;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A new string of 16 hexadecimal digits.
pub fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let mut text = md5_hex(&format!("{}:{now}:{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    text.truncate(16);
    text
}
