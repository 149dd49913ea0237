//! What SIP message a frame carries, read by the parser that the programs run: for counting, and to tell the answers
//! that nobody would have sent.

use sip_fw_common::abi::{Method, PORT_TABLE_LEN, ServiceKind, Source, TransactionKey, port_slot};
use sip_fw_common::hash;
use sip_fw_common::head::Head;
use sip_fw_common::sip::{Cursor, Scan, StartLine, message_start, scan, start_line};
use sip_fw_common::wire::{self, Address};

use super::frame::Bytes;
use crate::config::Config;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To this host.
    Arriving,
    /// From this host.
    Leaving,
}

/// What a packet is to a SIP service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Not of a SIP service, or without a byte of payload that counts.
    Nothing,
    /// A request.
    Request(Request),
    /// A response.
    Response(Part),
    /// Something on a SIP port that does not begin as a SIP message does.
    Unparsed(Part),
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its transaction.
    pub part: Part,
    /// It has Digest credentials, and a method that is challenged.
    pub is_attempt: bool,
    /// It waits for an answer of its own, as ACK and CANCEL do not.
    pub is_answered: bool,
}

/// Whose message it is, and of which exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The peer and the branch.
    pub key: TransactionKey,
    /// The peer's port, if over TCP.
    pub connection: Option<u16>,
}

/// Reads frames as a configuration says.
pub struct Reader {
    sip: Vec<bool>,
    ipv6_mask: u64,
    hash_seed: u64,
    head: Box<Head>,
}

impl Reader {
    /// For the services of this configuration.
    #[must_use]
    pub fn new(config: &Config, hash_seed: u64) -> Self {
        let mut sip = vec![false; PORT_TABLE_LEN as usize];
        let kinds = config.service_kinds();
        for (tcp, port, number) in config.ports() {
            if let Some(slot) = sip.get_mut(port_slot(tcp, port) as usize) {
                *slot = kinds.get(usize::from(number)) == Some(&ServiceKind::Sip);
            }
        }
        Self { sip, ipv6_mask: config.ipv6.mask(), hash_seed, head: Box::new(Head::EMPTY) }
    }

    /// Reads a frame.
    pub fn read(&mut self, direction: Direction, frame: &[u8]) -> Content {
        let bytes = Bytes(frame);
        let Ok(ip) = wire::ip(&bytes) else { return Content::Nothing };
        let Ok(transport) = wire::transport(&bytes, &ip) else { return Content::Nothing };
        let (port, peer, peer_port) = match direction {
            Direction::Arriving => (transport.destination_port, ip.source, transport.source_port),
            Direction::Leaving => (transport.source_port, ip.destination, transport.destination_port),
        };
        if !self.sip.get(port_slot(transport.tcp, port) as usize).is_some_and(|is_sip| *is_sip) {
            return Content::Nothing;
        }
        let source = match peer {
            Address::V4(address) => Source::v4(address),
            Address::V6 { high, .. } => Source::v6(high, self.ipv6_mask),
        };
        let (from, to) = (transport.payload as usize, (transport.payload + transport.payload_len) as usize);
        let payload = frame.get(from..to).unwrap_or_default();
        self.message(payload, source, transport.tcp.then_some(peer_port))
    }

    fn message(&mut self, payload: &[u8], source: Source, connection: Option<u16>) -> Content {
        let head = &mut *self.head;
        let len = u64::from(head.fill(payload));
        let start = message_start(head, len, 0);
        if len == 0 || start >= len {
            return Content::Nothing;
        }
        let mut found = Scan::NOTHING;
        let line = start_line(head, start);
        let cursor = Cursor::new(start, len, 0);
        match line {
            StartLine::Response(_) => scan::<true>(head, cursor, &mut found),
            StartLine::Request(_) => scan::<false>(head, cursor, &mut found),
            StartLine::Unknown => {}
        }
        let key = TransactionKey { source, branch: hash::span(head, self.hash_seed, found.branch()) };
        let part = Part { key, connection };
        match line {
            StartLine::Unknown => Content::Unparsed(part),
            StartLine::Response(_) => Content::Response(part),
            StartLine::Request(Method::Ack | Method::Cancel) => {
                Content::Request(Request { part, is_attempt: false, is_answered: false })
            }
            StartLine::Request(_) if !found.has_via() => Content::Unparsed(part),
            StartLine::Request(_) => {
                Content::Request(Request { part, is_attempt: found.credentials != 0, is_answered: true })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::default_config;

    fn reader() -> Reader {
        Reader::new(&default_config().unwrap(), 1)
    }

    #[test]
    fn kinds() {
        let mut reader = reader();
        let mut read = |payload: &str| reader.message(payload.as_bytes(), Source::v4(1), None);
        let via = "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n";
        let Content::Request(plain) = read(&format!("REGISTER sip:a SIP/2.0\r\n{via}\r\n")) else { panic!("request") };
        assert!(!plain.is_attempt && plain.is_answered);
        let credentials = "Authorization: Digest username=\"1\", nonce=\"n\", response=\"r\"\r\n";
        let text = format!("REGISTER sip:a SIP/2.0\r\n{via}{credentials}\r\n");
        let Content::Request(attempt) = read(&text) else { panic!("attempt") };
        assert!(attempt.is_attempt);
        assert_eq!(read(&format!("SIP/2.0 401 No\r\n{via}\r\n")), Content::Response(attempt.part), "the same branch");
        let Content::Request(ack) = read(&format!("ACK sip:a SIP/2.0\r\n{via}{credentials}\r\n")) else {
            panic!("ACK")
        };
        assert!(!ack.is_attempt && !ack.is_answered);
        assert!(matches!(read("REGISTER sip:a SIP/2.0\r\n\r\n"), Content::Unparsed(_)), "without a Via");
        assert!(matches!(read("\u{0}\u{1}{}"), Content::Unparsed(_)));
        assert_eq!(read("\r\n\r\n"), Content::Nothing);
        assert_eq!(read(""), Content::Nothing);
    }
}
