//! Who sends, and the frames that carry what is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use etherparse::PacketBuilder;
use sip_fw_common::abi::Source;

use crate::sip::Transport;
use crate::{Family, SIP_PORT};

const LOCAL_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);

/// How the packets of a scenario travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Address family.
    pub family: Family,
    /// Transport.
    pub transport: Transport,
}

impl Way {
    /// Every way a SIP message comes.
    pub const EVERY: [Self; 4] = [
        Self { family: Family::V4, transport: Transport::Udp },
        Self { family: Family::V6, transport: Transport::Udp },
        Self { family: Family::V4, transport: Transport::Tcp },
        Self { family: Family::V6, transport: Transport::Tcp },
    ];
    /// Every way a forged packet comes.
    pub const UDP: [Self; 2] = [Self::EVERY[0], Self::EVERY[1]];

    /// For people.
    pub const fn name(self) -> &'static str {
        match (self.family, self.transport) {
            (Family::V4, Transport::Udp) => "udp4",
            (Family::V6, Transport::Udp) => "udp6",
            (Family::V4, Transport::Tcp) => "tcp4",
            (Family::V6, Transport::Tcp) => "tcp6",
        }
    }

    /// Whether over TCP.
    pub const fn is_tcp(self) -> bool {
        matches!(self.transport, Transport::Tcp)
    }
}

/// One end of an exchange with this host: an address, and the ports of a flow or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// This host's port.
    pub local_port: u16,
    /// Transport.
    pub transport: Transport,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// To this host.
    Host,
    /// To the peer.
    Peer,
}

impl Peer {
    /// Host `host` of site `site`. A site is an IPv4 /24 or an IPv6 /48, a host an address or a /64 of it.
    pub fn new(way: Way, site: u16, host: u16) -> Self {
        let address = match way.family {
            Family::V4 => {
                let [high, low] = site.to_be_bytes();
                let [_, host] = host.to_be_bytes();
                IpAddr::V4(Ipv4Addr::new(11, high, low, host))
            }
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2a00, 0x11, site, host, 0, 0, 0, 7)),
        };
        Self { address, port: 40_000, local_port: SIP_PORT, transport: way.transport }
    }

    /// The same source from another port: another phone behind its address.
    pub const fn at_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Who it is to the firewall.
    pub fn source(&self) -> Source {
        source_of(self.address)
    }

    /// Whether over TCP.
    pub const fn is_tcp(&self) -> bool {
        matches!(self.transport, Transport::Tcp)
    }

    /// A packet with this payload, from its Ethernet header on; `sequence` is TCP's.
    pub fn frame(&self, towards: Towards, sequence: u32, payload: &[u8]) -> Result<Vec<u8>> {
        let (from_port, to_port) = match towards {
            Towards::Host => (self.port, self.local_port),
            Towards::Peer => (self.local_port, self.port),
        };
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = match (self.address, towards) {
            (IpAddr::V4(peer), Towards::Host) => link.ipv4(peer.octets(), LOCAL_V4.octets(), 64),
            (IpAddr::V4(peer), Towards::Peer) => link.ipv4(LOCAL_V4.octets(), peer.octets(), 64),
            (IpAddr::V6(peer), Towards::Host) => link.ipv6(peer.octets(), LOCAL_V6.octets(), 64),
            (IpAddr::V6(peer), Towards::Peer) => link.ipv6(LOCAL_V6.octets(), peer.octets(), 64),
        };
        let mut frame = Vec::with_capacity(payload.len() + 80);
        match self.transport {
            Transport::Udp => ip.udp(from_port, to_port).write(&mut frame, payload)?,
            Transport::Tcp => ip.tcp(from_port, to_port, sequence, 65_000).psh().ack(1).write(&mut frame, payload)?,
        }
        Ok(frame)
    }
}

/// Who an address is to the firewall: IPv6 is judged by /64.
pub fn source_of(address: IpAddr) -> Source {
    match address {
        IpAddr::V4(address) => Source::v4(address.to_bits()),
        IpAddr::V6(address) => Source::v6((address.to_bits() >> 64) as u64, Source::v6_mask(64)),
    }
}
