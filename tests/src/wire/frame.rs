//! A frame reduced to the SIP message in it, or to the TCP handshake it belongs to.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::Direction;
use super::capture::Frame;
use crate::SIP_PORT;
use crate::sip::Message;

/// A SIP message that passed a tap.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it passed.
    pub time: SystemTime,
    /// Which way it went.
    pub direction: Direction,
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// It came over TCP.
    pub tcp: bool,
    /// Request line or status line.
    pub first_line: String,
    /// Status, for a response.
    pub status: Option<u16>,
    /// Method of the request line, or of CSeq.
    pub method: String,
    /// Branch of the top Via.
    pub branch: String,
    /// The user of the Digest credentials it carries.
    pub credentials: Option<String>,
    /// The nonce of its credentials or of its challenge.
    pub nonce: Option<String>,
    /// It is a challenge that says stale=true.
    pub stale: bool,
}

/// A TCP segment with SYN: somebody knocks, or is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which way it went.
    pub direction: Direction,
    /// Sender.
    pub source: SocketAddr,
    /// Receiver.
    pub destination: SocketAddr,
    /// It has ACK, too: the listener's answer.
    pub accepted: bool,
}

/// The opening of a connection in one frame, to or from any port.
pub fn opening(frame: &[u8], direction: Direction) -> Option<Opening> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (source, destination) = addresses(&packet)?;
    let TransportSlice::Tcp(tcp) = packet.transport.as_ref()? else { return None };
    tcp.syn().then(|| Opening {
        direction,
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        accepted: tcp.ack(),
    })
}

/// The SIP messages of one frame; none if it is not SIP.
pub fn messages(bytes: &[u8], frame: &Frame) -> Vec<Seen> {
    let Ok(packet) = SlicedPacket::from_ethernet(bytes) else { return Vec::new() };
    let Some((source, destination)) = addresses(&packet) else { return Vec::new() };
    let (source_port, destination_port, payload, tcp) = match &packet.transport {
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port(), udp.payload(), false),
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port(), tcp.payload(), true),
        _ => return Vec::new(),
    };
    if source_port != SIP_PORT && destination_port != SIP_PORT {
        return Vec::new();
    }
    let source = SocketAddr::new(source, source_port);
    let destination = SocketAddr::new(destination, destination_port);
    let mut rest = payload.to_vec();
    let mut found = Vec::new();
    while let Some(bytes) = Message::cut(&mut rest) {
        if let Some(message) = Message::parse(&bytes) {
            found.push(reduce(&message, frame, source, destination, tcp));
        }
        if !tcp {
            break;
        }
    }
    found
}

fn addresses(packet: &SlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    Some(match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Arp(_) => return None,
    })
}

fn reduce(message: &Message, frame: &Frame, source: SocketAddr, destination: SocketAddr, tcp: bool) -> Seen {
    let credentials = message.credentials();
    let challenge = message.challenge();
    let nonce = credentials.as_ref().map(|credentials| credentials.nonce.clone());
    Seen {
        time: frame.time,
        direction: frame.direction,
        source,
        destination,
        tcp,
        first_line: message.first_line.clone(),
        status: message.status(),
        method: message.method().unwrap_or_default().to_owned(),
        branch: message.branch().unwrap_or_default().to_owned(),
        credentials: credentials.map(|credentials| credentials.user),
        nonce: nonce.or_else(|| challenge.as_ref().map(|challenge| challenge.nonce.clone())),
        stale: challenge.is_some_and(|challenge| challenge.stale),
    }
}
