//! The views of packets: nothing outside a packet is read, a cut packet never shows other addresses, and what etherparse reads
//! is read alike.

use etherparse::{EtherType, LinkExtSlice, NetSlice, SlicedPacket, TransportSlice};
use sip_fw_agent::replay::frame;
use sip_fw_common::limits::IPV6_EXTENSIONS_MAX;
use sip_fw_common::reason::Reason;
use sip_fw_common::wire::{self, Address, Ip, Packet, Transport};

/// A packet that fails where a read wraps around.
struct Strict<'a>(&'a [u8]);

impl Strict<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let end = at.checked_add(N as u64).expect("an offset that wraps around");
        self.0.get(at as usize..end as usize).map(|bytes| bytes.try_into().unwrap())
    }
}

impl Packet for Strict<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn u8(&self, at: u64) -> Option<u8> {
        self.bytes(at).map(u8::from_be_bytes)
    }
    fn u16(&self, at: u64) -> Option<u16> {
        self.bytes(at).map(u16::from_be_bytes)
    }
    fn u32(&self, at: u64) -> Option<u32> {
        self.bytes(at).map(u32::from_be_bytes)
    }
    fn u64(&self, at: u64) -> Option<u64> {
        self.bytes(at).map(u64::from_be_bytes)
    }
}

type Read = Result<(Ip, Result<Transport, Reason>), Reason>;

fn read(bytes: &[u8]) -> Read {
    let packet = Strict(bytes);
    wire::ip(&packet).map(|ip| (ip, wire::transport(&packet, &ip)))
}

/// Checks one frame.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes);
    if let Ok((ip, transport)) = &whole {
        let size = bytes.len() as u64;
        assert!(ip.end <= size && ip.fragment <= 2, "{ip:?} of {size} bytes");
        if let Ok(Transport { payload, payload_len, .. }) = transport {
            assert!(payload + payload_len <= size, "{transport:?} of {size} bytes");
        }
    }
    assert!(!matches!(whole, Err(reason) if !matches!(reason, Reason::NotIp | Reason::Malformed)), "{whole:?}");
    for cut in [1, 4, 20, bytes.len() / 2] {
        let part = read(&bytes[..bytes.len().saturating_sub(cut)]);
        if let (Ok((part, _)), Ok((whole, _))) = (&part, &whole) {
            assert_eq!((part.source, part.destination), (whole.source, whole.destination), "{cut} bytes shorter");
        }
    }
    if let (Ok((ip, _)), Some((source, destination))) = (&whole, frame::addresses(bytes)) {
        assert_eq!((address(source), address(destination)), (ip.source, ip.destination), "as replay reads it");
    }
    if let Some(expected) = expected(bytes) {
        let (ip, transport) = whole.unwrap();
        let found = transport.map(|found| {
            let payload = &bytes[found.payload as usize..(found.payload + found.payload_len) as usize];
            (ip.source, ip.destination, found.tcp, found.source_port, found.destination_port, payload)
        });
        assert_eq!(found, Ok(expected));
    }
}

fn address(address: std::net::IpAddr) -> Address {
    match address {
        std::net::IpAddr::V4(v4) => Address::V4(v4.to_bits()),
        std::net::IpAddr::V6(v6) => Address::V6 { high: (v6.to_bits() >> 64) as u64, low: v6.to_bits() as u64 },
    }
}

/// Source, destination, is it TCP, their ports, the payload.
type Expected<'a> = (Address, Address, bool, u16, u16, &'a [u8]);

/// What etherparse reads of a whole packet whose headers the programs follow.
fn expected(bytes: &[u8]) -> Option<Expected<'_>> {
    let packet = SlicedPacket::from_ethernet(bytes).ok()?;
    let is_vlan = |link: &LinkExtSlice<'_>| match link {
        LinkExtSlice::Vlan(tag) => {
            matches!(tag.ether_type(), EtherType::IPV4 | EtherType::IPV6 | EtherType(0x8100 | 0x88a8))
        }
        _ => false,
    };
    let first = u16::from_be_bytes([bytes[12], bytes[13]]);
    if packet.link_exts.len() > 2 || !packet.link_exts.iter().all(is_vlan) || first == 0x9100 {
        return None;
    }
    let (source, destination) = match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) if ip.extensions().auth.is_none() => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Ipv6(ip) => {
            let extensions = ip.extensions().clone();
            // The programs look no further than 1,023 bytes.
            let transport_at = 14 + 4 * packet.link_exts.len() + 40 + extensions.slice().len();
            let is_long = transport_at > 900 || extensions.into_iter().count() > IPV6_EXTENSIONS_MAX;
            // Without a length a jumbogram is meant.
            if is_long || ip.header().payload_length() == 0 {
                return None;
            }
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        _ => return None,
    };
    let (source, destination) = (address(source), address(destination));
    match packet.transport.as_ref()? {
        TransportSlice::Udp(udp) if udp.length() >= 8 => {
            Some((source, destination, false, udp.source_port(), udp.destination_port(), udp.payload()))
        }
        TransportSlice::Tcp(tcp) => {
            Some((source, destination, true, tcp.source_port(), tcp.destination_port(), tcp.payload()))
        }
        _ => None,
    }
}
