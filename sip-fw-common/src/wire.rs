//! Ethernet, VLAN, IPv4, IPv6, UDP and TCP, as far as the programs read them: the two addresses, the two ports, and
//! where the payload begins and ends.

use crate::limits::{IPV6_EXTENSIONS_MAX, VLAN_TAGS_MAX};
use crate::reason::Reason;

/// Bytes of a packet, from its Ethernet header on. Reads outside it give None. Numbers are big-endian on the wire and
/// in host order here.
pub trait Packet {
    /// Length of the packet in bytes, also of parts that cannot be read directly.
    fn size(&self) -> u64;
    /// The byte at this offset.
    fn u8(&self, at: u64) -> Option<u8>;
    /// The two bytes at this offset.
    fn u16(&self, at: u64) -> Option<u16>;
    /// The four bytes at this offset.
    fn u32(&self, at: u64) -> Option<u32>;
    /// The eight bytes at this offset.
    fn u64(&self, at: u64) -> Option<u64>;
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// IPv4, in host order.
    V4(u32),
    /// IPv6, its first and its last eight bytes, in host order.
    V6 {
        /// The first, which make a source.
        high: u64,
        /// The last.
        low: u64,
    },
}

/// What the IP header and its extensions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Protocol of the payload.
    pub protocol: u8,
    /// 0: whole; 1: the first of several fragments; 2: a later one.
    pub fragment: u8,
    /// Offset of the payload.
    pub payload: u64,
    /// Offset behind the payload; padding of short Ethernet frames is outside.
    pub end: u64,
}

/// What the transport header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// TCP, else UDP.
    pub tcp: bool,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Offset of the payload.
    pub payload: u64,
    /// Length of the payload.
    pub payload_len: u64,
}

mod field {
    pub const ETHERTYPE: u64 = 12;
    pub const ETHERNET_LEN: u64 = 14;
    pub const VLAN_LEN: u64 = 4;
    pub const V4_TOTAL_LEN: u64 = 2;
    pub const V4_FRAGMENT: u64 = 6;
    pub const V4_PROTOCOL: u64 = 9;
    pub const V4_SOURCE: u64 = 12;
    pub const V4_DESTINATION: u64 = 16;
    pub const V6_PAYLOAD_LEN: u64 = 4;
    pub const V6_NEXT: u64 = 6;
    pub const V6_SOURCE: u64 = 8;
    pub const V6_DESTINATION: u64 = 24;
    pub const V6_LEN: u64 = 40;
    pub const UDP_LENGTH: u64 = 4;
    pub const UDP_LEN: u64 = 8;
    pub const TCP_OFFSET: u64 = 12;
    pub const TCP_LEN: u64 = 20;
}

const ETHERTYPE_V4: u16 = 0x0800;
const ETHERTYPE_V6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const NEXT_HOP_BY_HOP: u8 = 0;
const NEXT_ROUTING: u8 = 43;
const NEXT_FRAGMENT: u8 = 44;
const NEXT_AUTHENTICATION: u8 = 51;
const NEXT_DESTINATION: u8 = 60;
/// Reserved (RFC 3692): extension headers that reach too far.
const UNREADABLE: u8 = 255;

/// Offsets stay below this, which the verifier has to see. Longer header chains are malformed.
const OFFSET_MASK: u64 = 0x3ff;

/// Reads the Ethernet and IP headers.
///
/// # Errors
/// [`Reason::NotIp`] or [`Reason::Malformed`].
#[inline(always)]
pub fn ip(packet: &impl Packet) -> Result<Ip, Reason> {
    let mut kind = packet.u16(field::ETHERTYPE).ok_or(Reason::NotIp)?;
    let mut at = field::ETHERNET_LEN;
    let mut tags = 0;
    while tags < VLAN_TAGS_MAX && (kind == ETHERTYPE_VLAN || kind == ETHERTYPE_QINQ) {
        kind = packet.u16(at + 2).ok_or(Reason::Malformed)?;
        at += field::VLAN_LEN;
        tags += 1;
    }
    match kind {
        ETHERTYPE_V4 => ipv4(packet, at),
        ETHERTYPE_V6 => ipv6(packet, at),
        _ => Err(Reason::NotIp),
    }
}

#[inline(always)]
fn ipv4(packet: &impl Packet, at: u64) -> Result<Ip, Reason> {
    let version = packet.u8(at).ok_or(Reason::Malformed)?;
    let header_len = u64::from(version & 0xf) * 4;
    if version >> 4 != 4 || header_len < 20 {
        return Err(Reason::Malformed);
    }
    let total_len = u64::from(packet.u16(at + field::V4_TOTAL_LEN).ok_or(Reason::Malformed)?);
    let fragment = packet.u16(at + field::V4_FRAGMENT).ok_or(Reason::Malformed)?;
    Ok(Ip {
        source: Address::V4(packet.u32(at + field::V4_SOURCE).ok_or(Reason::Malformed)?),
        destination: Address::V4(packet.u32(at + field::V4_DESTINATION).ok_or(Reason::Malformed)?),
        protocol: packet.u8(at + field::V4_PROTOCOL).ok_or(Reason::Malformed)?,
        fragment: fragment_state(fragment & 0x1fff != 0, fragment & 0x2000 != 0),
        payload: at + header_len,
        end: end(packet, at + total_len),
    })
}

#[inline(always)]
fn ipv6(packet: &impl Packet, at: u64) -> Result<Ip, Reason> {
    let payload_len = u64::from(packet.u16(at + field::V6_PAYLOAD_LEN).ok_or(Reason::Malformed)?);
    let mut next = packet.u8(at + field::V6_NEXT).ok_or(Reason::Malformed)?;
    let mut fragment = 0;
    let mut payload = at + field::V6_LEN;
    let mut extensions = 0;
    while extensions < IPV6_EXTENSIONS_MAX {
        let len = match next {
            NEXT_HOP_BY_HOP | NEXT_ROUTING | NEXT_DESTINATION => 8 * (u64::from(byte(packet, payload + 1)?) + 1),
            NEXT_AUTHENTICATION => 4 * (u64::from(byte(packet, payload + 1)?) + 2),
            NEXT_FRAGMENT => {
                let offset = packet.u16(payload + 2).ok_or(Reason::Malformed)?;
                fragment = fragment_state(offset & 0xfff8 != 0, offset & 1 != 0);
                8
            }
            _ => break,
        };
        next = byte(packet, payload)?;
        payload += len;
        if payload > OFFSET_MASK {
            next = UNREADABLE;
        }
        payload &= OFFSET_MASK;
        if fragment == 2 || next == UNREADABLE {
            break;
        }
        extensions += 1;
    }
    Ok(Ip {
        source: ipv6_address(packet, at + field::V6_SOURCE)?,
        destination: ipv6_address(packet, at + field::V6_DESTINATION)?,
        protocol: next,
        fragment,
        payload,
        end: end(packet, at + field::V6_LEN + payload_len),
    })
}

#[inline(always)]
fn ipv6_address(packet: &impl Packet, at: u64) -> Result<Address, Reason> {
    let high = packet.u64(at).ok_or(Reason::Malformed)?;
    let low = packet.u64(at + 8).ok_or(Reason::Malformed)?;
    Ok(Address::V6 { high, low })
}

/// Reads the UDP or TCP header.
///
/// # Errors
/// [`Reason::NotIp`] for other protocols, [`Reason::Fragment`], [`Reason::Malformed`].
#[inline(always)]
pub fn transport(packet: &impl Packet, ip: &Ip) -> Result<Transport, Reason> {
    if ip.fragment == 2 {
        return Err(Reason::Fragment);
    }
    let at = ip.payload & OFFSET_MASK;
    let (tcp, header_len) = match ip.protocol {
        PROTOCOL_UDP => (false, field::UDP_LEN),
        PROTOCOL_TCP => {
            let header_len = u64::from(packet.u8(at + field::TCP_OFFSET).ok_or(Reason::Malformed)? >> 4) * 4;
            if header_len < field::TCP_LEN {
                return Err(Reason::Malformed);
            }
            (true, header_len)
        }
        // More extension headers than are skipped.
        NEXT_HOP_BY_HOP | NEXT_ROUTING | NEXT_FRAGMENT | NEXT_AUTHENTICATION | NEXT_DESTINATION | UNREADABLE => {
            return Err(Reason::Malformed);
        }
        _ => return Err(Reason::NotIp),
    };
    let ports = packet.u32(at).ok_or(Reason::Malformed)?;
    let payload = at + header_len;
    let mut payload_len = ip.end.checked_sub(payload).ok_or(Reason::Malformed)?;
    if !tcp && ip.fragment == 0 {
        let said = u64::from(packet.u16(at + field::UDP_LENGTH).ok_or(Reason::Malformed)?);
        // A length beyond the packet is dropped by the kernel; a shorter one cuts the datagram.
        if said < field::UDP_LEN || said - field::UDP_LEN > payload_len {
            return Err(Reason::Malformed);
        }
        payload_len = said - field::UDP_LEN;
    }
    Ok(Transport { tcp, source_port: (ports >> 16) as u16, destination_port: ports as u16, payload, payload_len })
}

#[inline(always)]
fn byte(packet: &impl Packet, at: u64) -> Result<u8, Reason> {
    packet.u8(at).ok_or(Reason::Malformed)
}

#[inline(always)]
fn fragment_state(later: bool, more: bool) -> u8 {
    if later { 2 } else { more as u8 }
}

/// The end of the IP packet, or of what there is of it.
#[inline(always)]
fn end(packet: &impl Packet, end: u64) -> u64 {
    let len = packet.size();
    if end < len { end } else { len }
}

#[cfg(not(target_arch = "bpf"))]
impl Packet for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn u8(&self, at: u64) -> Option<u8> {
        self.get(at as usize).copied()
    }
    fn u16(&self, at: u64) -> Option<u16> {
        Some(u16::from_be_bytes(*self.get(at as usize..)?.first_chunk()?))
    }
    fn u32(&self, at: u64) -> Option<u32> {
        Some(u32::from_be_bytes(*self.get(at as usize..)?.first_chunk()?))
    }
    fn u64(&self, at: u64) -> Option<u64> {
        Some(u64::from_be_bytes(*self.get(at as usize..)?.first_chunk()?))
    }
}
