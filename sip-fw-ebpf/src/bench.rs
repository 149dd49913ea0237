//! What benchmarks run instead of the entry points: the same program on a packet whose source changes from run to run.
//! Never attached.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use sip_fw_common::limits::BENCH_SOURCES;

use crate::packet;

/// The sources, as they stand in a packet: IPv4 in the first four bytes.
#[map]
pub static BENCH_ADDRESSES: Array<[u8; 16]> = Array::with_max_entries(BENCH_SOURCES, 0);

/// The number of the next one.
#[map]
pub static BENCH_NEXT: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// Writes the next source into the packet.
#[inline(always)]
pub fn rotate(context: &XdpContext) {
    let Some(next) = BENCH_NEXT.get_ptr_mut(0) else { return };
    // SAFETY: per CPU, so nobody else uses it meanwhile.
    let number = unsafe {
        *next = (*next).wrapping_add(1) & (BENCH_SOURCES - 1);
        *next
    };
    if let Some(address) = BENCH_ADDRESSES.get(number) {
        packet::set_source(context, address);
    }
}
