//! What benchmarks run instead of the entry points: the same programs on a packet that changes from run to run, and what that
//! costs without sip-fw; and what sends such packets to a host that is measured. Never attached to a host's own interface.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_redirect};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use sip_fw_common::abi::{Rotation, Sending};
use sip_fw_common::limits::{BENCH_BURST, BENCH_SOURCES};
use sip_fw_common::wire::PlainUdp;

use crate::packet::{self, View};

/// The sources, as they stand in a packet: IPv4 in the first four bytes.
#[map]
pub static BENCH_ADDRESSES: Array<[u8; 16]> = Array::with_max_entries(BENCH_SOURCES, 0);

/// What changes in the packet.
#[map]
pub static BENCH_ROTATION: PerCpuArray<Rotation> = PerCpuArray::with_max_entries(1, 0);

/// Where packets are sent, and how fast.
#[map]
pub static BENCH_SENDING: PerCpuArray<Sending> = PerCpuArray::with_max_entries(1, 0);

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

/// Drops plain UDP of any source.
#[inline(always)]
pub fn read(context: &XdpContext) -> u32 {
    let plain = PlainUdp::of(&View::ingress(context));
    if plain.source(u64::MAX).bits == 0 { XDP_PASS } else { XDP_DROP }
}

/// Changes the packet and sends it out of the interface, if its time has come.
#[inline(always)]
pub fn send(context: &XdpContext) -> u32 {
    let Some(sending) = BENCH_SENDING.get_ptr_mut(0) else { return XDP_ABORTED };
    // SAFETY: per CPU, so nobody else uses it meanwhile.
    let sending = unsafe { &mut *sending };
    if !is_due(sending) {
        return XDP_DROP;
    }
    rotate(context);
    // SAFETY: the helper only notes the interface's number, which the kernel checks.
    unsafe { bpf_redirect(sending.interface, 0) as u32 }
}

/// Whether the next packet is. A generator that did not get the CPU catches up by one burst at most: more of them at once overrun the
/// queue of the receiver.
#[inline(always)]
fn is_due(sending: &mut Sending) -> bool {
    if sending.burst_ns == 0 {
        return true;
    }
    if sending.left == 0 {
        // SAFETY: the helper takes nothing and cannot fail.
        let now = unsafe { bpf_ktime_get_ns() };
        if now < sending.due_ns {
            return false;
        }
        sending.due_ns = sending.due_ns.max(now.saturating_sub(sending.burst_ns)) + sending.burst_ns;
        sending.left = BENCH_BURST;
    }
    sending.left -= 1;
    true
}
