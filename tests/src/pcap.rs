//! Captures, read whole and written, without the crate that the product reads them with.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use std::net::{IpAddr, SocketAddr};

/// A packet of a capture.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// The link type.
    pub link: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What a packet carries over UDP or TCP.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// TCP, else UDP.
    pub tcp: bool,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Every packet of a little-endian pcap or pcapng file, up to where it is cut off.
pub fn read(bytes: &[u8]) -> Vec<Packet> {
    if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        return read_ng(bytes);
    }
    read_legacy(bytes).unwrap_or_else(|| panic!("magic {:x?}", u32_at(bytes, 0)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Every packet of a little-endian pcap file, up to where it is cut off; None for any other file.
pub fn read_legacy(bytes: &[u8]) -> Option<Vec<Packet>> {
    let unit_ns = match u32_at(bytes, 0)? {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        _ => return None,
    };
    let link = u32_at(bytes, 20)?;
    let mut packets = Vec::new();
    let mut at = 24;
    while let Some(len) = u32_at(bytes, at + 8) {
        let Some(data) = bytes.get(at + 16..at + 16 + len as usize) else { break };
        let (seconds, fraction) = (u32_at(bytes, at)?, u32_at(bytes, at + 4)?);
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit_ns;
        packets.push(Packet { time_ns, link, data: data.to_vec() });
        at += 16 + len as usize;
    }
    Some(packets)
}

/// A word that every such block has.
fn word(block: &[u8], at: usize) -> u32 {
    u32_at(block, at).unwrap_or_else(|| panic!("a block of {} bytes", block.len()))
}

/// Enough for what dumpcap and tcpdump write: one section, Enhanced Packet Blocks, times in micro- or nanoseconds.
fn read_ng(bytes: &[u8]) -> Vec<Packet> {
    let mut interfaces: Vec<(u32, u64)> = Vec::new();
    let mut packets = Vec::new();
    let mut at = 0;
    while let (Some(kind), Some(len)) = (u32_at(bytes, at), u32_at(bytes, at + 4)) {
        let Some(block) = bytes.get(at..at + len as usize) else { break };
        match kind {
            1 => {
                // Option 9 is if_tsresol.
                let nanoseconds = block.windows(5).skip(16).any(|option| option == [9, 0, 1, 0, 9]);
                interfaces.push((word(block, 8) & 0xffff, if nanoseconds { 1 } else { 1000 }));
            }
            6 => {
                let (link, unit_ns) = interfaces[word(block, 8) as usize];
                let ticks = u64::from(word(block, 12)) << 32 | u64::from(word(block, 16));
                let data = block[28..28 + word(block, 20) as usize].to_vec();
                packets.push(Packet { time_ns: ticks * unit_ns, link, data });
            }
            _ => {}
        }
        at += len as usize;
    }
    packets
}

/// A pcap file of packets that all have this link type.
pub fn write(link: u32, nanoseconds: bool, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let (magic, unit_ns) = if nanoseconds { (0xa1b2_3c4du32, 1) } else { (0xa1b2_c3d4, 1000) };
    let mut bytes = Vec::new();
    for word in [magic, 0x0004_0002, 0, 0, 262_144, link] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for (time_ns, data) in packets {
        let len = data.len() as u32;
        let (seconds, fraction) = (time_ns / 1_000_000_000, time_ns % 1_000_000_000 / unit_ns);
        for word in [seconds as u32, fraction as u32, len, len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(data);
    }
    bytes
}

/// The IP packet in a captured one.
pub fn ip(packet: &Packet) -> Option<&[u8]> {
    let data = &packet.data;
    let (mut kind_at, mut at) = match packet.link {
        0 => return data.get(4..),
        12 | 101 | 228 => return Some(data),
        1 => (12, 14),
        113 => (14, 16),
        276 => (0, 20),
        other => panic!("link type {other}"),
    };
    loop {
        match data.get(kind_at..kind_at + 2)? {
            [0x81, 0] | [0x88, 0xa8] => (kind_at, at) = (at + 2, at + 4),
            [8, 0] | [0x86, 0xdd] => return data.get(at..),
            _ => return None,
        }
    }
}

/// The UDP datagram or TCP segment in a captured packet.
pub fn segment(packet: &Packet) -> Option<Segment> {
    let sliced = SlicedPacket::from_ip(ip(packet)?).ok()?;
    let (source, destination): (IpAddr, IpAddr) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return None,
    };
    let (from, to, payload, tcp) = match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port(), udp.payload(), false),
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port(), tcp.payload(), true),
        _ => return None,
    };
    let (source, destination) = (SocketAddr::new(source, from), SocketAddr::new(destination, to));
    Some(Segment { source, destination, tcp, payload: payload.to_vec() })
}
