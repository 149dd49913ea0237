//! From a captured packet to the Ethernet frame that the programs read, and to its two addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sip_fw_common::limits::VLAN_TAGS_MAX;
use sip_fw_common::wire::{self, Packet};

/// What the bytes of a packet begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
    /// Four bytes of the address family, then an IP header.
    Loopback,
    /// Linux cooked.
    Cooked,
    /// Linux cooked, version 2.
    Cooked2,
}

/// Bytes of a frame that the programs are given: a SIP head, and the longest headers before it. The kernel takes no
/// more than a page in one piece.
pub const FRAME_BYTES_MAX: usize = 3328;

const ETHERNET_LEN: usize = 14;
const ETHERTYPE_AT: usize = 12;
const VLAN_LEN: usize = 4;
const V4: u16 = 0x0800;
const V6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;
const UDP: u8 = 17;
const UDP_LENGTH_AT: usize = 4;

impl Link {
    /// The link types that are read, for people.
    pub const ALLOWED: &str = "Ethernet (1), BSD loopback (0, 108), raw IP (12, 14, 101, 228, 229), \
                               Linux cooked (113, 276)";

    /// The link type with this number (www.tcpdump.org/linktypes.html).
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            12 | 14 | 101 | 228 | 229 => Some(Self::Ip),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            _ => None,
        }
    }
}

/// Writes the Ethernet frame of a packet; None where there is no IP packet in it.
pub fn ethernet(link: Link, data: &[u8], frame: &mut Vec<u8>) -> Option<()> {
    frame.clear();
    match link {
        Link::Ethernet => frame.extend_from_slice(data),
        Link::Ip => wrap(ip_ethertype(data)?, data, frame),
        Link::Loopback => wrap(ip_ethertype(data.get(4..)?)?, data.get(4..)?, frame),
        Link::Cooked => wrap(u16_at(data, 14)?, data.get(16..)?, frame),
        Link::Cooked2 => wrap(u16_at(data, 0)?, data.get(20..)?, frame),
    }
    cut(frame);
    Some(())
}

/// Source and destination of the IP packet in a frame.
#[must_use]
pub fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let mut kind = u16_at(frame, ETHERTYPE_AT)?;
    let mut at = ETHERNET_LEN;
    for _ in 0..VLAN_TAGS_MAX {
        if kind == VLAN || kind == QINQ {
            kind = u16_at(frame, at + 2)?;
            at += VLAN_LEN;
        }
    }
    let ip = frame.get(at..)?;
    match kind {
        V4 => {
            let address = |at: usize| Some(Ipv4Addr::from(*ip.get(at..)?.first_chunk::<4>()?));
            ip.get(..20)?;
            Some((address(12)?.into(), address(16)?.into()))
        }
        V6 => {
            let address = |at: usize| Some(Ipv6Addr::from(*ip.get(at..)?.first_chunk::<16>()?));
            Some((address(8)?.into(), address(24)?.into()))
        }
        _ => None,
    }
}

/// The bytes of a frame, for the readers of [`wire`].
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Packet for Bytes<'_> {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn u8(&self, at: u64) -> Option<u8> {
        self.0.u8(at)
    }
    fn u16(&self, at: u64) -> Option<u16> {
        self.0.u16(at)
    }
    fn u32(&self, at: u64) -> Option<u32> {
        self.0.u32(at)
    }
    fn u64(&self, at: u64) -> Option<u64> {
        self.0.u64(at)
    }
}

fn wrap(ethertype: u16, packet: &[u8], frame: &mut Vec<u8>) {
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(packet);
}

/// Cuts a frame to what the programs are given. A UDP length beyond the packet would make it malformed, so it is cut
/// as well; nothing reads that far.
fn cut(frame: &mut Vec<u8>) {
    if frame.len() <= FRAME_BYTES_MAX {
        return;
    }
    frame.truncate(FRAME_BYTES_MAX);
    let Ok(ip) = wire::ip(&Bytes(frame)) else { return };
    let at = ip.payload as usize;
    let Some(len) = FRAME_BYTES_MAX.checked_sub(at) else { return };
    let (UDP, 0, Ok(len)) = (ip.protocol, ip.fragment, u16::try_from(len)) else { return };
    if let Some(field) = frame.get_mut(at + UDP_LENGTH_AT..at + UDP_LENGTH_AT + 2) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

fn ip_ethertype(packet: &[u8]) -> Option<u16> {
    match packet.first()? >> 4 {
        4 => Some(V4),
        6 => Some(V6),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(len: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&(28 + len).to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0, 203, 0, 113, 9, 192, 0, 2, 10]);
        packet.extend_from_slice(&[0x13, 0xc4, 0x13, 0xc4]);
        packet.extend_from_slice(&(8 + len).to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend(std::iter::repeat_n(b'x', usize::from(len)));
        packet
    }

    #[test]
    fn every_link_gives_the_same_frame() {
        let packet = ip(10);
        let mut expected = Vec::new();
        ethernet(Link::Ip, &packet, &mut expected).unwrap();
        let with = |header: &[u8]| [header, &packet].concat();
        let cooked = [&[0; 14][..], &[8, 0]].concat();
        let cooked2 = [&[8, 0][..], &[0; 18]].concat();
        for (link, data) in [
            (Link::Loopback, with(&[2, 0, 0, 0])),
            (Link::Cooked, with(&cooked)),
            (Link::Cooked2, with(&cooked2)),
            (Link::Ethernet, expected.clone()),
        ] {
            let mut frame = Vec::new();
            ethernet(link, &data, &mut frame).unwrap();
            assert_eq!(frame, expected, "{link:?}");
        }
        let (source, destination) = addresses(&expected).unwrap();
        assert_eq!((source.to_string(), destination.to_string()), ("203.0.113.9".into(), "192.0.2.10".into()));
    }

    #[test]
    fn tags_are_skipped_and_short_packets_have_no_address() {
        let mut tagged = vec![0; 12];
        tagged.extend_from_slice(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]);
        tagged.extend(ip(0));
        assert!(addresses(&tagged).is_some());
        for len in 0..22 + 19 {
            assert_eq!(addresses(&tagged[..len]), None, "{len} bytes");
        }
        assert_eq!(ethernet(Link::Cooked, &[0; 15], &mut Vec::new()), None);
    }

    #[test]
    fn long_datagrams_stay_readable() {
        let mut frame = Vec::new();
        ethernet(Link::Ip, &ip(9000), &mut frame).unwrap();
        assert_eq!(frame.len(), FRAME_BYTES_MAX);
        let bytes = Bytes(&frame);
        let transport = wire::transport(&bytes, &wire::ip(&bytes).unwrap()).unwrap();
        assert_eq!((transport.payload, transport.payload_len), (42, FRAME_BYTES_MAX as u64 - 42));
    }
}
