//! The only clock.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns};
use sip_fw_common::abi::Live;

use crate::maps::{TICK, Tick};

/// CLOCK_MONOTONIC_COARSE (kernel 5.11) moved by the offset, or the time of the capture that is replayed. Its tick of
/// 1 to 4 ms is fine for deadlines.
#[inline(always)]
pub fn now_ns(live: &Live) -> u64 {
    if live.fixed_now_ns != 0 {
        return live.fixed_now_ns;
    }
    coarse_ns().wrapping_add(live.clock_offset_ns)
}

/// Between two ticks the coarse clock stands still, and the number of the tick is read in no time: the clock is read once for each,
/// and what it says may be one tick late.
#[inline(always)]
fn coarse_ns() -> u64 {
    // SAFETY: the helpers take nothing and cannot fail.
    let (number, read) = unsafe { (bpf_jiffies64(), || bpf_ktime_get_coarse_ns()) };
    let Some(last) = TICK.get_ptr_mut(0) else { return read() };
    // SAFETY: per CPU. A program that interrupts another one between two of these lines leaves a tick that was, and its time.
    unsafe {
        if (*last).number != number {
            *last = Tick { number, now_ns: read() };
        }
        (*last).now_ns
    }
}
