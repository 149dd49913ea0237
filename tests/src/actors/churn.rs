//! Very many sources, each with a little to say, and the PBX that refuses them all: what a botnet looks like to the agent.
//!
//! Of sixteen sources one guesses on a nonce that it was given until it is banned, one on a nonce that nobody gave out until it is
//! shunned, and the others ask once and are not heard of again. Sources and PBX take turns on one thread, and no more is under way
//! than queues hold, so that nothing is lost and no time is spent waiting.

use std::io::{ErrorKind, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::SIP_PORT;
use crate::family::Family;
use crate::netns::Bed;
use crate::wait::check_interrupt;

/// Where the sources live: nowhere. The answers go to the carrier, who drops them.
const WORLD: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 0);
const WORLD_NET: &str = "11.0.0.0/8";

/// Sources that take turns.
const ROUND: u32 = 512;
/// One of so many sources guesses with proof, and another without.
const KINDS: u32 = 16;
const THRESHOLD: u32 = 5;

/// Requests between two turns of the PBX: they fit into the 256 places of a veth's queue.
const BURST: u32 = 64;
/// A request that did not come by then is lost.
const PATIENCE: Duration = Duration::from_millis(100);

const IPPROTO_RAW: i32 = 255;
const IPPROTO_UDP: u8 = 17;
const IP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Churned {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered.
    pub answered: u64,
    /// How long it took.
    pub took: Duration,
}

/// Requests at a rate.
#[derive(Clone, Copy)]
struct Pace {
    began: Instant,
    per_second: u32,
}

impl Pace {
    /// Waits until `sent` requests are due.
    fn keep(self, sent: u64) {
        let due = Duration::from_secs_f64(sent as f64 / f64::from(self.per_second));
        thread::sleep(due.saturating_sub(self.began.elapsed()));
    }
}

/// The sources and the PBX.
struct Cast {
    sources: Socket,
    pbx: UdpSocket,
    target: SocketAddrV4,
    packet: Vec<u8>,
    under_way: u32,
    pace: Option<Pace>,
    done: Churned,
}

/// Lets the sources 0 to `sources` take their turn against the bed's pbx, with so many requests a second or as fast as they can;
/// `look` is called now and then with how many did.
pub fn churn(bed: &Bed, sources: u32, per_second: Option<u32>, mut look: impl FnMut(u32)) -> anyhow::Result<Churned> {
    let mut cast = Cast::gather(bed)?;
    let began = Instant::now();
    cast.pace = per_second.map(|per_second| Pace { began, per_second });
    for first in (0..sources).step_by(ROUND as usize) {
        check_interrupt()?;
        cast.play(first..sources.min(first.saturating_add(ROUND)))?;
        look(first);
    }
    Ok(Churned { took: began.elapsed(), ..cast.done })
}

impl Cast {
    fn gather(bed: &Bed) -> anyhow::Result<Self> {
        let address = bed.pbx.sip(Family::V4);
        let SocketAddr::V4(target) = address else { anyhow::bail!("{address} is not IPv4") };
        let (carrier, interface) = (bed.carrier.address(Family::V4), bed.pbx.interface());
        bed.pbx.namespace().ip_batch(&format!("route replace {WORLD_NET} via {carrier} dev {interface} onlink\n"))?;
        let pbx = bed.pbx.namespace().open(|| UdpSocket::bind(address)).context("bind the PBX")?;
        pbx.set_read_timeout(Some(PATIENCE))?;
        let open = || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW)));
        let sources = bed.spoofer.namespace().within(open)?.context("raw socket")?;
        Ok(Self { sources, pbx, target, packet: Vec::new(), under_way: 0, pace: None, done: Churned::default() })
    }

    fn play(&mut self, round: std::ops::Range<u32>) -> anyhow::Result<()> {
        for n in round.clone() {
            self.ask(source(n), None)?;
        }
        for turn in 0..THRESHOLD {
            // Whoever guesses has the answer before.
            self.answer_all()?;
            for n in round.clone() {
                let source = source(n);
                match n % KINDS {
                    0 => self.ask(source, Some(&nonce(source)))?,
                    1 => self.ask(source, Some("nobody-gave-it-out"))?,
                    2 if turn == 0 => self.ask(source, Some("nobody-gave-it-out"))?,
                    _ => {}
                }
            }
        }
        self.answer_all()
    }

    fn ask(&mut self, source: Ipv4Addr, nonce: Option<&str>) -> anyhow::Result<()> {
        if self.under_way >= BURST {
            self.answer_all()?;
            if let Some(pace) = self.pace {
                pace.keep(self.done.sent);
            }
        }
        self.done.sent += 1;
        self.under_way += 1;
        self.packet.clear();
        self.packet.resize(IP_BYTES + UDP_BYTES, 0);
        write_request(&mut self.packet, source, self.target, self.done.sent, nonce)?;
        write_headers(&mut self.packet, source, *self.target.ip());
        self.sources
            .send_to(&self.packet, &SockAddr::from(self.target))
            .with_context(|| format!("send as {source}"))?;
        Ok(())
    }

    /// The PBX answers everything that is under way.
    fn answer_all(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 2048];
        while self.under_way > 0 {
            match self.pbx.recv_from(&mut buffer) {
                Ok((len, SocketAddr::V4(from))) => {
                    self.packet.clear();
                    if write_answer(&mut self.packet, &buffer[..len], *from.ip())? {
                        self.pbx.send_to(&self.packet, from)?;
                        self.done.answered += 1;
                        self.under_way -= 1;
                    }
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.under_way = 0,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

const fn source(n: u32) -> Ipv4Addr {
    // Spread, so that no prefix holds many banned ones: an odd factor leads to each address once.
    Ipv4Addr::from_bits(WORLD.to_bits() | (n.wrapping_mul(0x9e_3779) & 0x00ff_ffff))
}

/// The nonce that the PBX gives to a source, and to no other.
fn nonce(source: Ipv4Addr) -> String {
    format!("{:024x}", u128::from(source.to_bits()) * 0x9e37_79b9_7f4a_7c15)
}

fn write_request(
    to: &mut Vec<u8>,
    source: Ipv4Addr,
    pbx: SocketAddrV4,
    number: u64,
    nonce: Option<&str>,
) -> Result<()> {
    // Each its own: a user who fails from many sources bans all of them at once.
    let user = source.to_bits();
    write!(
        to,
        "REGISTER sip:{pbx} SIP/2.0\r\nVia: SIP/2.0/UDP {source}:5060;branch=z9hG4bK{number:012x};rport\r\n\
         From: <sip:{user}@{pbx}>;tag={number:x}\r\nTo: <sip:{user}@{pbx}>\r\nCall-ID: {number:x}@{source}\r\nCSeq: 1 REGISTER\r\n\
         Max-Forwards: 70\r\nUser-Agent: Churn/{}\r\nContact: <sip:{user}@{source}>\r\n",
        number % 100
    )?;
    if let Some(nonce) = nonce {
        write!(
            to,
            "Authorization: Digest username=\"{user}\", realm=\"pbx.test\", nonce=\"{nonce}\", uri=\"sip:{pbx}\", \
             response=\"{number:032x}\"\r\n"
        )?;
    }
    write!(to, "Content-Length: 0\r\n\r\n")
}

/// In front of the payload. The kernel fills in the rest of the IP header; UDP over IPv4 needs no checksum.
fn write_headers(packet: &mut [u8], source: Ipv4Addr, target: Ipv4Addr) {
    let udp_bytes = u16::try_from(packet.len() - IP_BYTES).unwrap_or(u16::MAX);
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = IPPROTO_UDP;
    packet[12..16].copy_from_slice(&source.octets());
    packet[16..20].copy_from_slice(&target.octets());
    packet[20..22].copy_from_slice(&SIP_PORT.to_be_bytes());
    packet[22..24].copy_from_slice(&SIP_PORT.to_be_bytes());
    packet[24..26].copy_from_slice(&udp_bytes.to_be_bytes());
}

/// Via, From, To, Call-ID and CSeq as they came. False for what is no request of ours.
fn write_answer(to: &mut Vec<u8>, request: &[u8], from: Ipv4Addr) -> Result<bool> {
    let Ok(request) = std::str::from_utf8(request) else { return Ok(false) };
    let (Some(begin), Some(end)) = (request.find("Via:"), request.find("Max-Forwards:")) else { return Ok(false) };
    let Some(copied) = request.get(begin..end) else { return Ok(false) };
    write!(to, "SIP/2.0 401 Unauthorized\r\n{copied}")?;
    write!(to, "WWW-Authenticate: Digest realm=\"pbx.test\", nonce=\"{}\"\r\nContent-Length: 0\r\n\r\n", nonce(from))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_million_sources_are_a_million() {
        let all: BTreeSet<_> = (0..1_000_000).map(source).collect();
        assert_eq!(all.len(), 1_000_000);
        assert!(all.iter().all(|source| source.octets()[0] == WORLD.octets()[0]));
    }
}
