//! A name server for a handful of names whose addresses a test moves about: A and AAAA over UDP, with a TTL of one second.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::family::Family;
use crate::netns::Host;

const PORT: u16 = 53;
const POLL: Duration = Duration::from_millis(20);

/// TTL of every answer.
const TTL_SECONDS: u32 = 1;

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

/// Response, authoritative, recursion desired and available.
const FLAGS: u16 = 0x8580;
const NAME_ERROR: u16 = 3;

/// Names in lower case, without a dot at their end, and their addresses.
type Zone = BTreeMap<String, Vec<IpAddr>>;

/// A running name server; without it the port is closed.
#[derive(Debug)]
pub struct Dns {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    zone: Mutex<Zone>,
    queries: AtomicU64,
    stop: AtomicBool,
}

impl Dns {
    /// Answers on the first addresses of `host`.
    pub fn start(host: &Host) -> Result<Self> {
        let mut dns = Self { shared: Arc::default(), threads: Vec::new() };
        for family in Family::BOTH {
            let address = Self::address(host, family);
            let socket =
                host.namespace().open(|| UdpSocket::bind(address)).with_context(|| format!("bind {address}"))?;
            socket.set_read_timeout(Some(POLL))?;
            let shared = Arc::clone(&dns.shared);
            dns.threads.push(thread::spawn(move || shared.serve(&socket)));
        }
        Ok(dns)
    }

    /// Where a name server on `host` answers.
    pub fn address(host: &Host, family: Family) -> SocketAddr {
        SocketAddr::new(host.address(family), PORT)
    }

    /// From now on `name` has these addresses. A name never set does not exist.
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        let mut zone = self.shared.zone.lock().unwrap_or_else(PoisonError::into_inner);
        zone.insert(name.to_ascii_lowercase(), addresses.to_vec());
    }

    /// Questions answered until now.
    pub fn queries(&self) -> u64 {
        self.shared.queries.load(Ordering::Relaxed)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 1 << 12];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((length, source)) = socket.recv_from(&mut buffer) else { continue };
            let answer = answer(&self.zone.lock().unwrap_or_else(PoisonError::into_inner), &buffer[..length]);
            if answer.is_some_and(|answer| socket.send_to(&answer, source).is_ok()) {
                self.queries.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// The answer to a question; nothing to what is no question.
fn answer(zone: &Zone, query: &[u8]) -> Option<Vec<u8>> {
    let is_query = query.get(2)? & 0x80 == 0;
    let mut at = HEADER_BYTES;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let question = query.get(HEADER_BYTES..at + 4)?;
    let wanted = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let addresses = zone.get(&labels.join("."));
    let records: Vec<Vec<u8>> = addresses
        .into_iter()
        .flatten()
        .filter_map(|address| match (address, wanted) {
            (IpAddr::V4(address), TYPE_A) => Some(address.octets().to_vec()),
            (IpAddr::V6(address), TYPE_AAAA) => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let flags = if addresses.is_none() { FLAGS | NAME_ERROR } else { FLAGS };
    let mut message = query[..2].to_vec();
    for word in [flags, 1, u16::try_from(records.len()).ok()?, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    message.extend(question);
    for record in records {
        // The name is the one of the question.
        message.extend([0xc0, 0x0c]);
        message.extend(wanted.to_be_bytes());
        message.extend(CLASS_IN.to_be_bytes());
        message.extend(TTL_SECONDS.to_be_bytes());
        message.extend(u16::try_from(record.len()).ok()?.to_be_bytes());
        message.extend(record);
    }
    is_query.then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The question of `host -t A Phones.test`, with the option record that resolvers add.
    const QUESTION: &[u8] =
        b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x06Phones\x04test\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";

    #[test]
    fn an_address_a_missing_type_and_a_missing_name() {
        let zone = Zone::from([("phones.test".to_owned(), vec!["10.98.1.7".parse().unwrap()])]);
        let found = answer(&zone, QUESTION).unwrap();
        assert_eq!(&found[..12], b"\x12\x34\x85\x80\0\x01\0\x01\0\0\0\0");
        assert_eq!(&found[12..29], b"\x06Phones\x04test\0\0\x01\0\x01");
        assert_eq!(&found[29..], b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04\x0a\x62\x01\x07");

        let only_v6 = Zone::from([("phones.test".to_owned(), vec!["fd98:1::7".parse().unwrap()])]);
        assert_eq!(&answer(&only_v6, QUESTION).unwrap()[2..8], b"\x85\x80\0\x01\0\0");
        assert_eq!(&answer(&Zone::new(), QUESTION).unwrap()[2..8], b"\x85\x83\0\x01\0\0");
        assert_eq!(answer(&zone, &QUESTION[..20]), None);
        assert_eq!(answer(&zone, &found), None);
    }
}
