//! Packets with a recipe.

use etherparse::{LinkSlice, PacketBuilder, SlicedPacket};

/// How a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub v6: bool,
    pub tcp: bool,
    pub vlan_tags: u8,
    /// Last byte of the peer's IPv4 address, second 16 bits of its IPv6 address.
    pub peer: u8,
    pub peer_port: u16,
    pub local_port: u16,
}

pub const UDP4: Path = Path { v6: false, tcp: false, vlan_tags: 0, peer: 7, peer_port: 40_000, local_port: 5060 };
pub const UDP6: Path = Path { v6: true, ..UDP4 };
pub const TCP4: Path = Path { tcp: true, ..UDP4 };
pub const TCP6: Path = Path { v6: true, tcp: true, ..UDP4 };

/// Every way a SIP message comes.
pub const EVERY_WAY: [Path; 4] = [UDP4, UDP6, TCP4, TCP6];

impl Path {
    pub fn from(self, peer: u8) -> Self {
        Self { peer, ..self }
    }

    pub fn peer_v4(self) -> [u8; 4] {
        [192, 0, 2, self.peer]
    }

    pub fn peer_v6(self) -> [u8; 16] {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        address[5] = self.peer;
        address[15] = 9;
        address
    }

    /// A packet of the peer.
    pub fn arriving(self, payload: &[u8]) -> Vec<u8> {
        self.frame(true, payload)
    }

    /// A packet to the peer.
    pub fn leaving(self, payload: &[u8]) -> Vec<u8> {
        self.frame(false, payload)
    }

    fn frame(self, arriving: bool, payload: &[u8]) -> Vec<u8> {
        let local_v4 = [198, 51, 100, 1];
        let mut local_v6 = [0; 16];
        local_v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        local_v6[4] = 0xff;
        let (from_port, to_port) =
            if arriving { (self.peer_port, self.local_port) } else { (self.local_port, self.peer_port) };
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let mut frame = Vec::new();
        macro_rules! finish {
            ($link:expr) => {{
                let ip = match (self.v6, arriving) {
                    (false, true) => $link.ipv4(self.peer_v4(), local_v4, 64),
                    (false, false) => $link.ipv4(local_v4, self.peer_v4(), 64),
                    (true, true) => $link.ipv6(self.peer_v6(), local_v6, 64),
                    (true, false) => $link.ipv6(local_v6, self.peer_v6(), 64),
                };
                if self.tcp {
                    ip.tcp(from_port, to_port, 1, 1000).psh().ack(1).write(&mut frame, payload).unwrap();
                } else {
                    ip.udp(from_port, to_port).write(&mut frame, payload).unwrap();
                }
            }};
        }
        match self.vlan_tags {
            0 => finish!(builder),
            1 => finish!(builder.single_vlan(7.try_into().unwrap())),
            _ => finish!(builder.double_vlan(7.try_into().unwrap(), 8.try_into().unwrap())),
        }
        frame
    }
}

/// A UDP packet over IPv6 whose extension headers are `chain`: (next header number of it, its bytes after that number).
pub fn with_extensions(path: Path, chain: &[(u8, Vec<u8>)], payload: &[u8]) -> Vec<u8> {
    let plain = path.arriving(payload);
    let (l3, l4) = offsets(&plain);
    let mut frame = plain[..l4].to_vec();
    let last = frame[l3 + 6];
    let mut slot = l3 + 6;
    for (number, bytes) in chain {
        frame[slot] = *number;
        slot = frame.len();
        frame.push(last);
        frame.extend_from_slice(bytes);
    }
    frame.extend_from_slice(&plain[l4..]);
    let payload_len = u16::try_from(frame.len() - l3 - 40).unwrap();
    frame[l3 + 4..l3 + 6].copy_from_slice(&payload_len.to_be_bytes());
    frame
}

/// Offsets of the IP and of the transport header.
pub fn offsets(frame: &[u8]) -> (usize, usize) {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(LinkSlice::Ethernet2(_)) = sliced.link else { panic!("no Ethernet header") };
    let l3 = 14 + 4 * sliced.link_exts.len();
    let l4 = l3 + if frame[l3] >> 4 == 4 { 20 } else { 40 };
    (l3, l4)
}
