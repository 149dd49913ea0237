//! The only place that dereferences packet pointers, and copies messages out of packets.

use core::arch::asm;
use core::ffi::c_void;
use core::hint::black_box;
use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use sip_fw_common::abi::Source;
use sip_fw_common::checksum;
use sip_fw_common::head::Head;
use sip_fw_common::limits::HEAD_BYTES;
use sip_fw_common::wire::Packet;

use crate::words;

/// The directly readable part of a packet.
pub struct View {
    start: usize,
    end: usize,
    size: u64,
}

impl View {
    /// Of an arriving packet.
    #[inline(always)]
    pub fn ingress(context: &XdpContext) -> Self {
        // Or the compiler passes what it points to instead of the pointer: numbers, of which the verifier knows nothing.
        let context = XdpContext::new(pinned(context.ctx as usize) as *mut xdp_md);
        let (start, end) = (context.data(), context.data_end());
        Self { start, end, size: (end - start) as u64 }
    }

    /// Of a leaving packet.
    #[inline(always)]
    pub fn egress(context: &TcContext) -> Self {
        let context = TcContext::new(pinned(context.skb.skb as usize) as *mut __sk_buff);
        Self { start: context.data(), end: context.data_end(), size: u64::from(context.len()) }
    }

    #[inline(always)]
    fn read<T: Copy>(&self, at: u64) -> Option<T> {
        let from = pinned(self.start + at as usize);
        if from + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: the line above checked the whole value against the packet's end; BPF allows any alignment.
        Some(unsafe { *(from as *const T) })
    }
}

/// Offsets of the source address behind an Ethernet header, and their ethertypes.
const V4_CHECKSUM: usize = 24;
const V4_SOURCE: usize = 26;
const V6_SOURCE: usize = 22;
const ETHERTYPE_V4: [u8; 2] = [0x08, 0x00];

/// Puts another source address into a packet without VLAN tags. The checksum of an IPv4 header stays right.
#[inline(always)]
pub fn set_source(context: &XdpContext, address: &[u8; 16]) {
    let start = context.data();
    if start + V6_SOURCE + 16 > context.data_end() {
        return;
    }
    // SAFETY: the line above checked more than is read or written below.
    unsafe {
        if *((start + 12) as *const [u8; 2]) == ETHERTYPE_V4 {
            let source = (start + V4_SOURCE) as *mut [u8; 4];
            let checksum = (start + V4_CHECKSUM) as *mut [u8; 2];
            let new = [address[0], address[1], address[2], address[3]];
            *checksum = checksum::updated(*checksum, *source, new);
            *source = new;
        } else {
            *((start + V6_SOURCE) as *mut [u8; 16]) = *address;
        }
    }
}

/// Changes the lowest bit of a byte of the packet, below [`HEAD_BYTES`].
#[inline(always)]
pub fn flip(context: &XdpContext, at: u32) {
    let at = pinned(context.data() + (black_box(at) & (HEAD_BYTES as u32 - 1)) as usize);
    if at + 1 > context.data_end() {
        return;
    }
    // SAFETY: the line above checked the byte.
    unsafe { *(at as *mut u8) ^= 1 };
}

/// Hides a value from the compiler, not from the verifier. Keeps an address in one register: the verifier knows only
/// the register that was compared with the packet's end.
#[inline(always)]
pub fn pinned(mut address: usize) -> usize {
    // SAFETY: moves a register onto itself.
    unsafe { asm!("{0} = {0}", inout(reg) address, options(pure, nomem, nostack, preserves_flags)) };
    address
}

impl Packet for View {
    #[inline(always)]
    fn size(&self) -> u64 {
        self.size
    }
    #[inline(always)]
    fn u8(&self, at: u64) -> Option<u8> {
        self.read(at)
    }
    #[inline(always)]
    fn u16(&self, at: u64) -> Option<u16> {
        self.read(at).map(u16::from_be)
    }
    #[inline(always)]
    fn u32(&self, at: u64) -> Option<u32> {
        self.read(at).map(u32::from_be)
    }
    #[inline(always)]
    fn u64(&self, at: u64) -> Option<u64> {
        self.read(at).map(u64::from_be)
    }
}

/// A message that can be copied out of its packet, wherever the kernel keeps its bytes.
pub trait Message {
    /// Copies `len` bytes (1 to HEAD_BYTES - 1) from `offset`; false if they are not there.
    fn load(&self, offset: u32, to: *mut c_void, len: u32) -> bool;
}

impl Message for XdpContext {
    #[inline(always)]
    fn load(&self, offset: u32, to: *mut c_void, len: u32) -> bool {
        // SAFETY: `to` has room for HEAD_BYTES and the caller bounded `len` below it.
        unsafe { bpf_xdp_load_bytes(self.ctx, offset, to, len) == 0 }
    }
}

impl Message for TcContext {
    #[inline(always)]
    fn load(&self, offset: u32, to: *mut c_void, len: u32) -> bool {
        // SAFETY: `to` has room for HEAD_BYTES and the caller bounded `len` below it.
        unsafe { bpf_skb_load_bytes(self.as_ptr(), offset, to, len) == 0 }
    }
}

/// Copies the payload's first bytes; returns how many.
#[inline(always)]
pub fn copy_head(packet: &impl Message, payload: u64, payload_len: u64, head: &mut Head) -> Option<u64> {
    let len = if payload_len > HEAD_BYTES as u64 - 1 { HEAD_BYTES as u64 - 1 } else { payload_len };
    if len == 0 {
        return None;
    }
    // The mask is for the verifier, the black box keeps the compiler from removing it; `len` is already in range.
    let len = (black_box(len as u32 - 1) & (HEAD_BYTES as u32 - 1)) + 1;
    if !packet.load(payload as u32, head.as_mut_ptr().cast(), len) {
        return None;
    }
    head.seal(len);
    // What the compiler knows of the length it uses to remove masks that the verifier of 6.1 needs.
    Some(pinned(len as usize) as u64)
}

/// Where a message stands and whose it is.
pub struct Place {
    /// The peer.
    pub source: Source,
    /// Offset of the message.
    pub payload: u64,
    /// Its length.
    pub payload_len: u64,
    /// The rest.
    pub ports: Ports,
}

impl Place {
    /// No message yet.
    #[inline(always)]
    pub fn nowhere(place: &mut MaybeUninit<Self>) -> &mut Self {
        words::clear(place);
        // SAFETY: every word was written; integers and flags are valid as zeroes.
        unsafe { place.assume_init_mut() }
    }
}

/// What fits into one argument of a global function, which has five.
pub struct Ports {
    /// The peer's port.
    pub peer: u16,
    /// TCP, else UDP.
    pub tcp: bool,
    /// This host is the client: it called the peer's port from one of no service, so only requests of its own count.
    pub client: bool,
    /// Number of the service.
    pub service: u8,
    /// How the service refuses, see [`sip_fw_common::abi::Service::refusal`].
    pub refusal: u8,
}

impl Ports {
    /// As a number.
    #[inline(always)]
    pub fn pack(&self) -> u64 {
        u64::from(self.peer)
            | u64::from(self.tcp) << 16
            | u64::from(self.client) << 17
            | u64::from(self.service) << 24
            | u64::from(self.refusal) << 32
    }

    /// From [`Ports::pack`].
    #[inline(always)]
    pub fn unpack(packed: u64) -> Self {
        Self {
            peer: packed as u16,
            tcp: packed >> 16 & 1 != 0,
            client: packed >> 17 & 1 != 0,
            service: (packed >> 24) as u8,
            refusal: (packed >> 32) as u8,
        }
    }
}
