//! The head scanner: it reads to the end within its steps, finds the same wherever a message begins, and the same as a slow
//! reader that knows nothing of it.

use sip_fw_common::abi::Method;
use sip_fw_common::head::{Head, Span};
use sip_fw_common::limits::{CREDENTIALS_MAX, HEAD_BYTES, SCAN_CHUNKS_MAX};
use sip_fw_common::sip::{Cursor, Scan, StartLine, message_start, scan_chunk, start_line, uri_user};

use crate::plain;

/// A message as the programs read it.
pub struct Reading {
    head: Head,
    len: u64,
    start: u64,
    /// What it begins with.
    pub line: StartLine,
    found: Scan,
}

/// What must be the same however far behind the buffer's start a message begins: offsets count from its first byte.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    line: StartLine,
    credentials: u16,
    users: u16,
    has_via: bool,
    is_complete: bool,
    is_stale: bool,
    cseq: Option<Method>,
    spans: Vec<Option<(u64, u16)>>,
}

impl Reading {
    /// Reads bytes as a request's or (`RESPONSE`) a response's head.
    pub fn of<const RESPONSE: bool>(bytes: &[u8]) -> Self {
        let mut head = Head::EMPTY;
        let len = u64::from(head.fill(bytes));
        let start = message_start(&head, len, 0);
        let line = start_line(&head, start);
        let mut found = Scan::NOTHING;
        let mut cursor = Cursor::new(start, len, 0);
        let ended = (0..SCAN_CHUNKS_MAX).any(|_| !scan_chunk::<RESPONSE>(&head, &mut cursor, &mut found));
        assert!(ended, "the scan ran out of steps before the head's end: what follows would be hidden from it");
        Self { head, len, start, line, found }
    }

    /// Reads bytes as what their first line says.
    pub fn told(bytes: &[u8]) -> Self {
        let reading = Self::of::<false>(bytes);
        if matches!(reading.line, StartLine::Response(_)) { Self::of::<true>(bytes) } else { reading }
    }

    /// The buffer.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Offset of the message's first byte.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// What the scan found.
    pub const fn found(&self) -> &Scan {
        &self.found
    }

    /// The text of a span, with folded lines joined and blanks around it cut.
    pub fn text(&self, span: Span) -> String {
        plain::unfolded(&String::from_utf8_lossy(self.head.bytes(span)))
    }

    /// The user of the first SIP URI in a span.
    pub fn user_in(&self, span: Span) -> String {
        self.text(uri_user(&self.head, span, 0))
    }

    fn spans(&self) -> Vec<Span> {
        let found = &self.found;
        let mut spans = vec![found.branch(), found.user_agent(), found.from(), found.to()];
        for slot in 0..CREDENTIALS_MAX {
            spans.extend([found.user(slot), found.nonce(slot), found.digest(slot)]);
        }
        spans.extend([found.from(), found.to()].map(|span| uri_user(&self.head, span, 0)));
        spans
    }

    fn facts(&self) -> Facts {
        let Self { found, .. } = self;
        let from_start = |span: &Span| {
            let at = u64::from(span.at);
            assert!(at + u64::from(span.len) <= self.len, "{span:?} leaves the {} bytes of the head", self.len);
            (span.len != 0).then(|| (at - self.start, span.len))
        };
        Facts {
            line: self.line,
            credentials: found.credentials,
            users: found.users,
            has_via: found.has_via(),
            is_complete: found.is_complete(),
            is_stale: found.is_stale(&self.head),
            cseq: found.cseq_method(),
            spans: self.spans().iter().map(from_start).collect(),
        }
    }
}

/// Checks one message.
pub fn check(bytes: &[u8]) {
    let facts = [Reading::of::<false>(bytes).facts(), Reading::of::<true>(bytes).facts()];
    for blanks in 1..=8 {
        if bytes.len() + blanks >= HEAD_BYTES {
            break;
        }
        let moved = [&b"\n\n\n\n\n\n\n\n"[..blanks], bytes].concat();
        let there = [Reading::of::<false>(&moved).facts(), Reading::of::<true>(&moved).facts()];
        assert_eq!(facts, there, "{blanks} bytes further on it reads otherwise");
    }
    if let Some(expected) = plain::read(bytes) {
        expected.compare(&Reading::told(bytes));
    }
}
