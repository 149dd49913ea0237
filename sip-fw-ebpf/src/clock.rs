//! The only clock.

use aya_ebpf::helpers::bpf_ktime_get_coarse_ns;
use sip_fw_common::abi::Settings;

/// CLOCK_MONOTONIC_COARSE (kernel 5.11) moved by the offset, or the time of the capture that is replayed. Its tick of
/// 1 to 4 ms is fine for deadlines and costs half of the exact clock.
#[inline(always)]
pub fn now_ns(settings: &Settings) -> u64 {
    if settings.fixed_now_ns != 0 {
        return settings.fixed_now_ns;
    }
    // SAFETY: the helper takes nothing and cannot fail.
    unsafe { bpf_ktime_get_coarse_ns() }.wrapping_add(settings.clock_offset_ns)
}
