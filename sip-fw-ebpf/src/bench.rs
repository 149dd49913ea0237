//! What benchmarks run instead of the entry points: the same programs on a packet that changes from run to run, and what that
//! costs without sip-fw. Never attached to an interface.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use sip_fw_common::abi::Rotation;
use sip_fw_common::limits::BENCH_SOURCES;

use crate::packet;

/// The sources, as they stand in a packet: IPv4 in the first four bytes.
#[map]
pub static BENCH_ADDRESSES: Array<[u8; 16]> = Array::with_max_entries(BENCH_SOURCES, 0);

/// What changes in the packet.
#[map]
pub static BENCH_ROTATION: PerCpuArray<Rotation> = PerCpuArray::with_max_entries(1, 0);

/// Changes the packet: its source, and a byte of its message.
#[inline(always)]
pub fn rotate(context: &XdpContext) {
    let Some(rotation) = BENCH_ROTATION.get_ptr_mut(0) else { return };
    // SAFETY: per CPU, so nobody else uses it meanwhile.
    let Rotation { next, mask, flipped, .. } = unsafe {
        (*rotation).next = (*rotation).next.wrapping_add(1);
        *rotation
    };
    if let Some(address) = BENCH_ADDRESSES.get(next & mask & (BENCH_SOURCES - 1)) {
        packet::set_source(context, address);
    }
    if flipped != 0 {
        packet::flip(context, flipped);
    }
}
