//! The programs' clock, read from user space.

use nix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC_COARSE in nanoseconds: the very clock that the kernel programs compare deadlines with. The exact one
/// is up to a tick ahead of it, so that a ban lifted now would last for another tick.
#[must_use]
pub fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE)
        .map_or(0, |now| now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}
