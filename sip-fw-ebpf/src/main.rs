//! The kernel programs: entry points only. What they do is in [`ingress`] and [`egress`].
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod atomic;
mod bench;
mod clock;
mod egress;
mod ingress;
mod maps;
mod packet;
mod scan;
mod tables;
mod words;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

/// Let the next program decide (linux/bpf.h, 6.6); before TCX the same number means the default action.
const TCX_NEXT: i32 = -1;

/// Drops packets of banned sources and remembers SIP requests.
#[xdp]
pub fn sip_fw_ingress(context: XdpContext) -> u32 {
    ingress::run(&context)
}

/// [`sip_fw_ingress`] for benchmarks.
#[xdp]
pub fn sip_fw_bench_ingress(context: XdpContext) -> u32 {
    bench::rotate(&context);
    ingress::run(&context)
}

/// What [`sip_fw_bench_ingress`] costs without sip-fw.
#[xdp]
pub fn sip_fw_bench_floor(context: XdpContext) -> u32 {
    bench::rotate(&context);
    XDP_PASS
}

/// The fastest firewall that there can be.
#[xdp]
pub fn sip_fw_bench_drop(_: XdpContext) -> u32 {
    XDP_DROP
}

/// The fastest one that reads whom a packet is from.
#[xdp]
pub fn sip_fw_bench_read(context: XdpContext) -> u32 {
    bench::read(&context)
}

/// Sends packets of sources that take turns out of an interface.
#[xdp]
pub fn sip_fw_bench_send(context: XdpContext) -> u32 {
    bench::send(&context)
}

/// What [`sip_fw_egress`] costs without sip-fw.
#[classifier]
pub fn sip_fw_bench_egress_floor(_: TcContext) -> i32 {
    TCX_NEXT
}

/// Judges the answers that leave. Lets every packet and every later program have its turn.
#[classifier]
pub fn sip_fw_egress(context: TcContext) -> i32 {
    egress::run(&context);
    TCX_NEXT
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
