//! Packets with forged senders: raw IP, UDP only, as anybody on the internet without egress filtering can send them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use etherparse::PacketBuilder;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::SIP_PORT;
use crate::netns::Host;
use crate::sip::{Challenge, Request, Transport, token};

/// IPPROTO_RAW: the packet brings its own IP header.
const RAW: i32 = 255;

const HOPS: u8 = 64;

/// Between two packets, so that a PBX in user space can read them all: a lost packet proves nothing.
const PACE: Duration = Duration::from_micros(500);

/// Raw sockets of one host.
#[derive(Debug)]
pub struct Spoofer {
    v4: Socket,
    v6: Socket,
    pbx: Targets,
    /// Packets sent until now.
    pub sent: u64,
}

#[derive(Debug)]
struct Targets {
    v4: SocketAddr,
    v6: SocketAddr,
}

impl Spoofer {
    /// A spoofer on `host` whose victim is the SIP port of `pbx`.
    pub fn new(host: &Host, pbx: &Host) -> Result<Self> {
        let open = |domain| Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)));
        let (v4, v6) = host
            .namespace()
            .within(|| -> std::io::Result<_> { Ok((open(Domain::IPV4)?, open(Domain::IPV6)?)) })?
            .context("raw sockets")?;
        let pbx = Targets { v4: pbx.sip(crate::Family::V4), v6: pbx.sip(crate::Family::V6) };
        Ok(Self { v4, v6, pbx, sent: 0 })
    }

    /// A password guess in the name of `source`, on a nonce nobody ever gave out.
    pub fn junk_credentials(&mut self, source: SocketAddr, user: &str) -> Result<()> {
        let challenge =
            Challenge { realm: "pbx.test".into(), nonce: token(), opaque: None, qop: true, stale: false, proxy: false };
        self.credentials(source, user, &challenge)
    }

    /// A password guess in the name of `source` on a nonce that was obtained elsewhere.
    pub fn credentials(&mut self, source: SocketAddr, user: &str, challenge: &Challenge) -> Result<()> {
        let mut request = Request::new("REGISTER", user, source, self.target(source), Transport::Udp);
        request.extra = vec![challenge.answer(user, &token(), "REGISTER", &request.uri)];
        self.send(source, &request.bytes())
    }

    /// A scanner's OPTIONS in the name of `source`.
    pub fn scanner_options(&mut self, source: SocketAddr) -> Result<()> {
        let mut request = Request::new("OPTIONS", "100", source, self.target(source), Transport::Udp);
        request.user_agent = "friendly-scanner".to_owned();
        self.send(source, &request.bytes())
    }

    /// A refusal in the name of `source`, as if the PBX had asked it something.
    pub fn forged_response(&mut self, source: SocketAddr, status: &str) -> Result<()> {
        let pbx = self.target(source);
        let text = format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP {pbx};branch=z9hG4bK{}\r\nFrom: <sip:1000@pbx.test>;tag={}\r\nTo: <sip:1000@pbx.test>;tag={}\r\n\
             Call-ID: {}\r\nCSeq: 2 REGISTER\r\nWWW-Authenticate: Digest realm=\"pbx.test\", nonce=\"{}\"\r\nContent-Length: 0\r\n\r\n",
            token(),
            token(),
            token(),
            token(),
            token(),
        );
        self.send(source, text.as_bytes())
    }

    /// Any payload in the name of `source`.
    pub fn send(&mut self, source: SocketAddr, payload: &[u8]) -> Result<()> {
        let target = self.target(source);
        let mut packet = Vec::with_capacity(payload.len() + 48);
        let to = match (source.ip(), target.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), HOPS)
                    .udp(source.port(), SIP_PORT)
                    .write(&mut packet, payload)?;
                SocketAddr::new(IpAddr::V4(to), 0)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), HOPS)
                    .udp(source.port(), SIP_PORT)
                    .write(&mut packet, payload)?;
                raw_v6(to)
            }
            (from, to) => bail!("{from} and {to} are of different families"),
        };
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        socket.send_to(&packet, &SockAddr::from(to)).with_context(|| format!("send as {source}"))?;
        self.sent += 1;
        thread::sleep(PACE);
        Ok(())
    }

    const fn target(&self, source: SocketAddr) -> SocketAddr {
        if source.is_ipv4() { self.pbx.v4 } else { self.pbx.v6 }
    }
}

/// Raw IPv6 sockets want port 0.
const fn raw_v6(address: Ipv6Addr) -> SocketAddr {
    SocketAddr::V6(SocketAddrV6::new(address, 0, 0, 0))
}
