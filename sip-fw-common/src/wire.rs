//! Ethernet, VLAN, IPv4, IPv6, UDP and TCP, as far as the programs read them: the two addresses, the two ports, and
//! where the payload begins and ends.

use crate::abi::Source;
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
pub fn ip(packet: &(impl Packet + ?Sized)) -> Result<Ip, Reason> {
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
fn ipv4(packet: &(impl Packet + ?Sized), at: u64) -> Result<Ip, Reason> {
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
fn ipv6(packet: &(impl Packet + ?Sized), at: u64) -> Result<Ip, Reason> {
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
fn ipv6_address(packet: &(impl Packet + ?Sized), at: u64) -> Result<Address, Reason> {
    let high = packet.u64(at).ok_or(Reason::Malformed)?;
    let low = packet.u64(at + 8).ok_or(Reason::Malformed)?;
    Ok(Address::V6 { high, low })
}

/// Reads the UDP or TCP header.
///
/// # Errors
/// [`Reason::NotIp`] for other protocols, [`Reason::Fragment`], [`Reason::Malformed`].
#[inline(always)]
pub fn transport(packet: &(impl Packet + ?Sized), ip: &Ip) -> Result<Transport, Reason> {
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

/// What most packets are: a whole UDP datagram in IP without tags, options, extensions or fragments, whose lengths agree. All zero
/// for any other packet: the verifier wants no fields that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PlainUdp {
    /// A [`Source`] that is not cut yet.
    source: u64,
    /// The two ports, and the bits below.
    ports: u64,
}

impl PlainUdp {
    const IS_PLAIN: u64 = 1 << 32;
    const IS_V6: u64 = 1 << 33;

    /// Reads a plain datagram. [`ip`] and [`transport`] read the same of it, and take longer.
    #[inline(always)]
    pub fn of(packet: &(impl Packet + ?Sized)) -> Self {
        let read = match packet.u16(field::ETHERTYPE) {
            Some(ETHERTYPE_V4) => Self::v4(packet),
            Some(ETHERTYPE_V6) => Self::v6(packet),
            _ => None,
        };
        read.unwrap_or_default()
    }

    /// Whether it is one.
    #[inline(always)]
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.ports & Self::IS_PLAIN != 0
    }

    /// Whom it is from, as far as the mask lets see it of IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn source(self, ipv6_mask: u64) -> Source {
        let mask = if self.ports & Self::IS_V6 == 0 { u64::MAX } else { ipv6_mask };
        Source { bits: self.source & mask }
    }

    /// Source port.
    #[inline(always)]
    #[must_use]
    pub const fn source_port(self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// Destination port.
    #[inline(always)]
    #[must_use]
    pub const fn destination_port(self) -> u16 {
        self.ports as u16
    }

    #[inline(always)]
    fn v4(packet: &(impl Packet + ?Sized)) -> Option<Self> {
        const IP: u64 = field::ETHERNET_LEN;
        let is_plain = packet.u8(IP)? == 0x45
            && packet.u16(IP + field::V4_FRAGMENT)? & 0x3fff == 0
            && packet.u8(IP + field::V4_PROTOCOL)? == PROTOCOL_UDP;
        if !is_plain {
            return None;
        }
        let ip_end = end(packet, IP + u64::from(packet.u16(IP + field::V4_TOTAL_LEN)?));
        let ports = Self::ports(packet, IP + 20, ip_end)?;
        Some(Self { source: Source::v4(packet.u32(IP + field::V4_SOURCE)?).bits, ports })
    }

    #[inline(always)]
    fn v6(packet: &(impl Packet + ?Sized)) -> Option<Self> {
        const IP: u64 = field::ETHERNET_LEN;
        if packet.u8(IP + field::V6_NEXT)? != PROTOCOL_UDP {
            return None;
        }
        let ip_end = end(packet, IP + field::V6_LEN + u64::from(packet.u16(IP + field::V6_PAYLOAD_LEN)?));
        let ports = Self::ports(packet, IP + field::V6_LEN, ip_end)? | Self::IS_V6;
        Some(Self { source: packet.u64(IP + field::V6_SOURCE)?, ports })
    }

    /// What the UDP header at this offset says, if its length fits.
    #[inline(always)]
    fn ports(packet: &(impl Packet + ?Sized), at: u64, ip_end: u64) -> Option<u64> {
        let udp = packet.u64(at)?;
        let said = udp >> 16 & 0xffff;
        if said < field::UDP_LEN || at + said > ip_end {
            return None;
        }
        Some(udp >> 32 | Self::IS_PLAIN)
    }
}

#[inline(always)]
fn byte(packet: &(impl Packet + ?Sized), at: u64) -> Result<u8, Reason> {
    packet.u8(at).ok_or(Reason::Malformed)
}

#[inline(always)]
fn fragment_state(later: bool, more: bool) -> u8 {
    if later { 2 } else { more as u8 }
}

/// The end of the IP packet, or of what there is of it.
#[inline(always)]
fn end(packet: &(impl Packet + ?Sized), end: u64) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 203.0.113.7:5060 to port 12000, eight bytes of payload, then padding.
    const PLAIN: [u8; 60] = {
        let mut frame = [0; 60];
        let head = [
            0x08, 0x00, 0x45, 0, 0, 36, 0, 0, 0x40, 0, 64, 17, 0, 0, 203, 0, 113, 7, 198, 51, 100, 1, 0x13, 0xc4, 0x2e,
            0xe0, 0, 16,
        ];
        let mut at = 0;
        while at < head.len() {
            frame[12 + at] = head[at];
            at += 1;
        }
        frame
    };

    /// The same over IPv6, from 2001:db8:0:7::1.
    const PLAIN_V6: [u8; 72] = {
        let mut frame = [0; 72];
        let head = [0x86, 0xdd, 0x60, 0, 0, 0, 0, 16, 17, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1];
        let mut at = 0;
        while at < head.len() {
            frame[12 + at] = head[at];
            at += 1;
        }
        let udp = [0x13, 0xc4, 0x2e, 0xe0, 0, 16];
        at = 0;
        while at < udp.len() {
            frame[54 + at] = udp[at];
            at += 1;
        }
        frame
    };

    #[test]
    fn a_plain_datagram_is_read() {
        let [v4, v6] = [Source::v4(0xcb00_7107), Source::v6(0x2001_0db8_0000_0000, u64::MAX << 16)];
        for (frame, source) in [(&PLAIN[..], v4), (&PLAIN_V6[..], v6)] {
            let plain = PlainUdp::of(frame);
            assert!(plain.is_plain());
            assert_eq!((plain.source_port(), plain.destination_port()), (5060, 12_000));
            assert_eq!(plain.source(u64::MAX << 16), source);
        }
    }

    #[test]
    fn what_is_read_at_once_is_what_is_read_step_by_step() {
        for whole in [&PLAIN[..], &PLAIN_V6[..]] {
            let mut plain_ones = 0;
            for len in 0..=whole.len() {
                for at in 12..whole.len().min(62) {
                    for value in 0..=255 {
                        let mut frame = whole.to_vec();
                        frame[at] = value;
                        plain_ones += usize::from(is_read_the_same(&frame[..len]));
                    }
                }
            }
            assert!(plain_ones > 10_000, "{plain_ones}");
        }
    }

    /// False if it is not plain.
    fn is_read_the_same(frame: &[u8]) -> bool {
        let plain = PlainUdp::of(frame);
        if !plain.is_plain() {
            return false;
        }
        let ip = ip(frame).unwrap();
        let Transport { tcp, source_port, destination_port, .. } = transport(frame, &ip).unwrap();
        let source = match ip.source {
            Address::V4(address) => Source::v4(address),
            Address::V6 { high, .. } => Source::v6(high, u64::MAX),
        };
        assert_eq!(plain.source(u64::MAX), source, "{frame:x?}");
        assert_eq!((false, plain.source_port(), plain.destination_port()), (tcp, source_port, destination_port));
        true
    }
}
