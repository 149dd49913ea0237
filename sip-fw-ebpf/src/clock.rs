//! The only clock.

use aya_ebpf::helpers::bpf_ktime_get_coarse_ns;
use sip_fw_common::abi::Live;

/// CLOCK_MONOTONIC_COARSE (kernel 5.11) moved by the offset, or the time of the capture that is replayed. Its tick of
/// 1 to 4 ms is fine for deadlines and costs half of the exact clock.
#[inline(always)]
pub fn now_ns(live: &Live) -> u64 {
    if live.fixed_now_ns != 0 {
        return live.fixed_now_ns;
    }
    // SAFETY: the helper takes nothing and cannot fail.
    unsafe { bpf_ktime_get_coarse_ns() }.wrapping_add(live.clock_offset_ns)
}
