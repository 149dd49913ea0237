//! SIP messages, friendly and hostile, and the packets they travel in.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use etherparse::PacketBuilder;

/// The nonce in credentials and challenges.
const NONCE: &str = "1763856000/3f2a9c1b7d5e4f60a1b2c3d4e5f60718";

/// A UDP packet from its Ethernet header on: `peer` to `local`, or back.
pub fn udp(peer: (IpAddr, u16), local_port: u16, arrives: bool, payload: &[u8]) -> Result<Vec<u8>> {
    let (peer, peer_port) = peer;
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let ip = match peer {
        IpAddr::V4(peer) => {
            let (from, to) = ordered(arrives, peer.octets(), [198, 51, 100, 1]);
            link.ipv4(from, to, 64)
        }
        IpAddr::V6(peer) => {
            let local = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            let (from, to) = ordered(arrives, peer.octets(), local);
            link.ipv6(from, to, 64)
        }
    };
    let (from_port, to_port) = ordered(arrives, peer_port, local_port);
    let mut frame = Vec::new();
    ip.udp(from_port, to_port).write(&mut frame, payload)?;
    Ok(frame)
}

fn ordered<T>(arrives: bool, peer: T, local: T) -> (T, T) {
    if arrives { (peer, local) } else { (local, peer) }
}

/// A REGISTER with credentials, filled up to `len` bytes with headers that nobody asks for.
pub fn register(len: usize) -> String {
    let credentials = format!(
        "Authorization: Digest username=\"1000\", realm=\"asterisk\", nonce=\"{NONCE}\", uri=\"sip:pbx.example.org\", \
         response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5\r\n"
    );
    filled("REGISTER sip:pbx.example.org SIP/2.0", "REGISTER", &credentials, len, "")
}

/// An OPTIONS of 330 bytes, as a phone or a scanner sends it.
pub fn options() -> String {
    filled("OPTIONS sip:pbx.example.org SIP/2.0", "OPTIONS", "", 330, "")
}

/// An INVITE with an SDP body.
pub fn invite() -> String {
    let sdp = "v=0\r\no=- 3842 3842 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
               m=audio 11780 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
               a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    let more = "Content-Type: application/sdp\r\n";
    filled("INVITE sip:2000@pbx.example.org SIP/2.0", "INVITE", more, 900, sdp)
}

/// The challenge to a request.
pub fn challenge(method: &str) -> String {
    format!(
        "SIP/2.0 401 Unauthorized\r\n\
         Via: SIP/2.0/UDP 192.0.2.10:5060;rport=5060;received=192.0.2.10;branch=z9hG4bK-524287-1---0a1b2c3d4e5f6071\r\n\
         Call-ID: 3848276298220188511@192.0.2.10\r\nFrom: <sip:1000@pbx.example.org>;tag=1c76a2\r\n\
         To: <sip:1000@pbx.example.org>;tag=z9hG4bK-5242\r\nCSeq: 42 {method}\r\n\
         WWW-Authenticate: Digest realm=\"asterisk\",nonce=\"{NONCE}\",opaque=\"0b1c2d3e4f506172\",algorithm=MD5,qop=\"auth\"\r\n\
         Server: Asterisk PBX 22.1.0\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of which one byte is told to change, so that each is an attempt of its own: the offset in its packet.
pub fn changing_byte(frame: &[u8]) -> Result<u32> {
    let mark = b"response=\"";
    let at = frame.windows(mark.len()).position(|part| part == mark).context("a request without credentials")?;
    Ok(u32::try_from(at + mark.len())?)
}

fn filled(start: &str, method: &str, more: &str, len: usize, body: &str) -> String {
    let head = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---0a1b2c3d4e5f6071;rport\r\nMax-Forwards: 70\r\n\
         Contact: <sip:1000@192.0.2.10:5060>\r\nTo: <sip:1000@pbx.example.org>\r\nFrom: <sip:1000@pbx.example.org>;tag=1c76a2\r\n\
         Call-ID: 3848276298220188511@192.0.2.10\r\nCSeq: 42 {method}\r\nUser-Agent: Yealink SIP-T46S 66.84.0.15\r\n{more}"
    );
    let end = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut fill = String::new();
    let mut left = len.saturating_sub(head.len() + end.len());
    while left > 0 {
        // A line of a route set, as requests through proxies carry them.
        let line = format!("X-Path: <sip:proxy{:0>width$}>\r\n", 1, width = left.saturating_sub(22).clamp(1, 60));
        left = left.saturating_sub(line.len());
        fill.push_str(&line);
    }
    format!("{head}{fill}{end}")
}
