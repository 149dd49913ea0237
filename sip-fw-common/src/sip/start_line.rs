//! The first line: what kind of message this is.

use super::words::{first, is_space, lower, starts_with, visible};
use crate::abi::Method;
use crate::head::Head;
use crate::limits::HEAD_BYTES;

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine {
    /// A request line.
    Request(Method),
    /// A status line, with its code.
    Response(u16),
    /// Nothing that SIP begins with.
    Unknown,
}

/// Offset of the first byte that is neither a blank nor a control character, or `len`. RFC 3261 §7.5 has a receiver
/// skip CR and LF; Kamailio and chan_pjsip skip blanks, too, and Kamailio zero bytes.
/// `zero` as in [`super::Cursor::new`].
#[inline(always)]
#[must_use]
pub fn message_start(head: &Head, len: u64, zero: u64) -> u64 {
    let mut at = 0u64;
    let mut words = 0;
    while words < HEAD_BYTES / 8 {
        at = at.wrapping_add(zero);
        if at >= len {
            return len;
        }
        let word = head.word(at);
        let others = visible(word);
        if others != 0 {
            return at + first(others);
        }
        at += 8;
        words += 1;
    }
    len
}

/// Reads the first line, which begins at `at`.
#[inline(always)]
#[must_use]
pub fn start_line(head: &Head, at: u64) -> StartLine {
    let word = head.word(at);
    if starts_with(lower(word), b"sip/2.0 ") {
        let digits = head.word(at + 8);
        let digit = |i: u64| ((digits >> (8 * i)) & 0xff).wrapping_sub(u64::from(b'0'));
        let (a, b, c) = (digit(0), digit(1), digit(2));
        if a > 9 || b > 9 || c > 9 {
            return StartLine::Unknown;
        }
        return StartLine::Response((a * 100 + b * 10 + c) as u16);
    }
    let first = word as u8 | 0x20;
    if first.is_ascii_lowercase() { StartLine::Request(method(head, at)) } else { StartLine::Unknown }
}

/// The method at `at`, in a request line or a CSeq. Methods are case-sensitive (RFC 3261 §7.1), but PBXs are lenient.
#[inline(always)]
#[must_use]
pub fn method(head: &Head, at: u64) -> Method {
    let word = lower(head.word(at));
    let (name, len) = if starts_with(word, b"register") {
        (Method::Register, 8)
    } else if starts_with(word, b"invite") {
        (Method::Invite, 6)
    } else if starts_with(word, b"options") {
        (Method::Options, 7)
    } else if starts_with(word, b"subscrib") && head.byte(at + 8) | 0x20 == b'e' {
        (Method::Subscribe, 9)
    } else if starts_with(word, b"message") {
        (Method::Message, 7)
    } else if starts_with(word, b"publish") {
        (Method::Publish, 7)
    } else if starts_with(word, b"ack") {
        (Method::Ack, 3)
    } else if starts_with(word, b"cancel") {
        (Method::Cancel, 6)
    } else if starts_with(word, b"bye") {
        (Method::Bye, 3)
    } else {
        return Method::Other;
    };
    if is_space(head.byte(at + len)) { name } else { Method::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> StartLine {
        let mut head = Head::EMPTY;
        let len = head.fill(bytes);
        start_line(&head, message_start(&head, u64::from(len), 0))
    }

    #[test]
    fn kinds() {
        assert_eq!(read(b"REGISTER sip:a SIP/2.0\r\n"), StartLine::Request(Method::Register));
        assert_eq!(read(b"register sip:a SIP/2.0\r\n"), StartLine::Request(Method::Register));
        assert_eq!(read(b"REGISTERX sip:a SIP/2.0\r\n"), StartLine::Request(Method::Other));
        assert_eq!(read(b"SUBSCRIBE sip:a SIP/2.0\r\n"), StartLine::Request(Method::Subscribe));
        assert_eq!(read(b"ACK sip:a SIP/2.0\r\n"), StartLine::Request(Method::Ack));
        assert_eq!(read(b"NEWMETHOD sip:a SIP/2.0\r\n"), StartLine::Request(Method::Other));
        assert_eq!(read(b"SIP/2.0 401 Unauthorized\r\n"), StartLine::Response(401));
        assert_eq!(read(b"SIP/2.0 4x1 Unauthorized\r\n"), StartLine::Unknown);
        assert_eq!(read(b"\x80\x00\x12\x34"), StartLine::Unknown, "RTP");
        assert_eq!(read(b"\x00\x01\x00\x00\x21\x12\xa4\x42"), StartLine::Unknown, "STUN");
    }

    #[test]
    fn a_method_is_read_to_its_last_letter() {
        for method in Method::ALL.iter().filter(|method| **method != Method::Other) {
            let name = method.name();
            assert_eq!(read(format!("{name} sip:a SIP/2.0\r\n").as_bytes()), StartLine::Request(*method));
            let other = format!("{}X sip:a SIP/2.0\r\n", &name[..name.len() - 1]);
            assert_eq!(read(other.as_bytes()), StartLine::Request(Method::Other), "{other}");
        }
    }

    #[test]
    fn empty_lines_before_the_message_are_skipped() {
        for blanks in [1, 2, 7, 8, 9, 64, 333] {
            for blank in [&b"\r\n"[..], b" ", b"\t", b"\0", b"\r\n "] {
                let mut bytes = blank.repeat(blanks);
                bytes.extend_from_slice(b"INVITE sip:a SIP/2.0\r\n");
                assert_eq!(read(&bytes), StartLine::Request(Method::Invite), "{blanks} times {blank:?}");
            }
        }
    }

    #[test]
    fn only_empty_lines() {
        let mut head = Head::EMPTY;
        assert_eq!(head.fill(b"\r\n\r\n"), 4);
        assert_eq!(message_start(&head, 4, 0), 4);
    }
}
