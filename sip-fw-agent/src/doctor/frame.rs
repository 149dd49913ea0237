//! A packet that says nothing, from any address to any port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Empty lines, as phones send them to keep their way open (RFC 5626 §3.5.1): nothing that a PBX or a program would judge.
const PAYLOAD: &[u8] = b"\r\n\r\n";

const SOURCE_PORT: u16 = 5060;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const TTL: u8 = 64;

/// The packet, from its Ethernet header on. Its checksums are left out: the programs leave them to the stack.
#[must_use]
pub fn frame(source: IpAddr, tcp: bool, port: u16) -> Vec<u8> {
    let segment = if tcp { tcp_segment(port) } else { datagram(port) };
    let protocol = if tcp { PROTOCOL_TCP } else { PROTOCOL_UDP };
    let (kind, header) = match source {
        IpAddr::V4(source) => ([0x08, 0x00], ipv4(source, protocol, segment.len() as u16)),
        IpAddr::V6(source) => ([0x86, 0xdd], ipv6(source, protocol, segment.len() as u16)),
    };
    [&[0; 12], kind.as_slice(), &header, &segment].concat()
}

fn ipv4(source: Ipv4Addr, protocol: u8, length: u16) -> Vec<u8> {
    const LENGTH: u16 = 20;
    let total = (LENGTH + length).to_be_bytes();
    let destination = Ipv4Addr::new(192, 0, 2, 1).octets();
    let start = [0x45, 0, total[0], total[1], 0, 0, 0, 0, TTL, protocol, 0, 0];
    [start.as_slice(), &source.octets(), &destination].concat()
}

fn ipv6(source: Ipv6Addr, protocol: u8, length: u16) -> Vec<u8> {
    let length = length.to_be_bytes();
    let destination = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets();
    let start = [0x60, 0, 0, 0, length[0], length[1], protocol, TTL];
    [start.as_slice(), &source.octets(), &destination].concat()
}

fn datagram(port: u16) -> Vec<u8> {
    const LENGTH: u16 = 8;
    let length = LENGTH + PAYLOAD.len() as u16;
    [&SOURCE_PORT.to_be_bytes(), &port.to_be_bytes(), &length.to_be_bytes(), &[0; 2], PAYLOAD].concat()
}

fn tcp_segment(port: u16) -> Vec<u8> {
    /// Five words of header; ACK.
    const OFFSET_AND_FLAGS: [u8; 2] = [0x50, 0x10];
    [&SOURCE_PORT.to_be_bytes(), &port.to_be_bytes(), [0; 8].as_slice(), &OFFSET_AND_FLAGS, &[0; 6], PAYLOAD].concat()
}

#[cfg(test)]
mod tests {
    use sip_fw_common::wire::{self, Address};

    use super::*;
    use crate::replay::frame::Bytes;

    #[test]
    fn the_programs_can_read_it() {
        for (source, expected) in [
            ("192.0.2.66", Address::V4(0xc000_0242)),
            ("2001:db8:66::1", Address::V6 { high: 0x2001_0db8_0066_0000, low: 1 }),
        ] {
            for tcp in [false, true] {
                let frame = frame(source.parse().unwrap(), tcp, 5070);
                let bytes = Bytes(&frame);
                let ip = wire::ip(&bytes).unwrap();
                assert_eq!((ip.source, ip.fragment, ip.end), (expected, 0, frame.len() as u64));
                let transport = wire::transport(&bytes, &ip).unwrap();
                assert_eq!((transport.tcp, transport.destination_port), (tcp, 5070));
                assert_eq!(&frame[transport.payload as usize..], PAYLOAD);
            }
        }
    }
}
