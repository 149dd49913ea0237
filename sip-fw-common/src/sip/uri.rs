//! The user of a SIP URI (RFC 3261 §19.1.1).

use super::words::{find, first, lower, starts_with};
use crate::head::{Head, Span};
use crate::limits::{HEAD_BYTES, TEXT_BYTES, URI_BYTES_MAX};

const MASK: u64 = HEAD_BYTES as u64 - 1;

/// The user of the first SIP URI in a span; absent where it has none, or none that begins within [`URI_BYTES_MAX`] and ends
/// within [`TEXT_BYTES`]. `zero` as in [`super::Cursor::new`].
#[inline(always)]
#[must_use]
pub fn uri_user(head: &Head, span: Span, zero: u64) -> Span {
    let end = u64::from(span.at) + u64::from(span.len);
    let mut at = u64::from(span.at);
    let mut steps = 0;
    let mut begin = 0;
    while steps < URI_BYTES_MAX / 4 && at < end && begin == 0 {
        steps += 1;
        at = at.wrapping_add(zero) & MASK;
        let colons = find(head.word(at), b':');
        if colons == 0 {
            at += 8;
        } else {
            at += first(colons) + 1;
            let is_sip = starts_with(lower(head.word(at.wrapping_sub(4))), b"sip:");
            let is_sips = starts_with(lower(head.word(at.wrapping_sub(5))), b"sips:");
            if is_sip || is_sips {
                begin = at;
            }
        }
    }
    let mut words = 0;
    at = begin;
    while words < TEXT_BYTES / 8 && begin != 0 && at < end {
        words += 1;
        at = at.wrapping_add(zero) & MASK;
        let word = head.word(at);
        let ends = find(word, b'@') | find(word, b'>') | find(word, b';') | find(word, b' ');
        let ends = ends | find(word, b'\r') | find(word, b'\n');
        if ends != 0 {
            at += first(ends);
            let has_user = head.byte(at) == b'@' && at < end;
            return Span { at: begin as u16, len: if has_user { at.wrapping_sub(begin) as u16 } else { 0 } };
        }
        at += 8;
    }
    Span { at: 0, len: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        for (text, expected) in [
            ("sip:1000@192.0.2.1", "1000"),
            ("<sip:1000@192.0.2.1>;tag=a:b@c", "1000"),
            ("\"sip no\" <sips:+49123@pbx.example;user=phone>", "+49123"),
            ("\"a: b\" <SIP:alice@example.com:5060>", "alice"),
            ("sip:192.0.2.1:5060", ""),
            ("<sip:pbx.example>;x=a@b", ""),
            ("tel:+49123@x", ""),
            ("", ""),
            (
                "\"a name that is longer than one might think of, and goes on\" <sip:9011442039967796@192.0.2.1>",
                "9011442039967796",
            ),
            ("sip:a-user-whose-name-is-longer-than-what-is-kept@192.0.2.1", ""),
        ] {
            for offset in 0..9 {
                let mut head = Head::EMPTY;
                head.fill(format!("{}{text}\r\nContact: <sip:other@x>\r\n", "#".repeat(offset)).as_bytes());
                let user = uri_user(&head, Span { at: offset as u16, len: text.len() as u16 }, 0);
                assert_eq!(head.bytes(user), expected.as_bytes(), "{text} at {offset}");
            }
        }
    }
}
