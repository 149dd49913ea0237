//! The scanner: one pass over a head, a word at a time, that notes where the parts are which the judgement needs.
//!
//! It reads the top Via's branch, CSeq's method, To, From, User-Agent, and every Digest credential or challenge: header names in
//! any case and compact form, blanks before the colon, folded lines, quoted strings with escapes, parameters in any
//! order. What it cannot read it leaves absent; it never fails.
//!
//! A [`Cursor`] carries the scan from chunk to chunk, because the kernel runs one chunk per `bpf_loop` call: a single loop
//! over a whole head has more pending branches than the verifier keeps (8,192). Within a chunk the verifier walks every
//! path once per step unless two paths meet in the same state; all state that lives across steps is therefore made
//! unknown to it by adding a zero that it cannot prove to be one ([`crate::abi::Live::zero`]).

use super::found::{BRANCH, DIGEST, FROM, NONCE, STALE, Scan, TO, USER, USER_AGENT};
use super::start_line::method;
use super::words::{find, first, is_space, lower, starts_with};
use crate::head::Head;
use crate::limits::{HEAD_BYTES, SCAN_CHUNK_STEPS, SCAN_CHUNKS_MAX};

/// Looking for the end of a line.
const LINE: u64 = 0;
/// In a value that runs to the end of its line.
const TEXT: u64 = 1;
/// In a quoted string that is wanted.
const QUOTED: u64 = 2;
/// In any other quoted string.
const SKIPPED: u64 = 3;
/// In a parameter that is not wanted, or in what stands before the first.
const PARAMETER: u64 = 4;
/// In an unquoted value that is wanted.
const TOKEN: u64 = 5;
/// Behind a header name, before its colon; the state that follows stands in `begin`.
const COLON: u64 = 6;
/// Before the authentication scheme.
const SCHEME: u64 = 7;
/// Before the name of a parameter.
const NAME: u64 = 8;
/// Behind the name of a wanted parameter.
const EQUALS: u64 = 9;
/// Before CSeq's method.
const CSEQ: u64 = 10;
/// Before a value that runs to the end of its line.
const BEFORE_TEXT: u64 = 11;
/// Added to the state inside Via, whose values are separated by commas and whose parameters by semicolons.
const IN_VIA: u64 = 16;
const STATES: u64 = 31;

/// Words that one step looks at where only the end of the line matters.
const LINE_WORDS: u32 = 4;

/// Where a scan stands between two chunks. No two fields that begin as zero are neighbours: of these the compiler makes a call that
/// clears byte by byte.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    state: u64,
    at: u64,
    begin: u64,
    len: u64,
    field: u64,
    zero: u64,
}

impl Cursor {
    /// At the first line of a head of `len` bytes, which begins at `start`.
    #[inline(always)]
    #[must_use]
    pub fn new(start: u64, len: u64, zero: u64) -> Self {
        Self { at: start, state: LINE, begin: 0, field: 0, len, zero }
    }
}

/// Scans a whole head, a request's or (`RESPONSE`) a response's.
pub fn scan<const RESPONSE: bool>(head: &Head, mut cursor: Cursor, found: &mut Scan) {
    *found = Scan::NOTHING;
    for _ in 0..SCAN_CHUNKS_MAX {
        if !scan_chunk::<RESPONSE>(head, &mut cursor, found) {
            return;
        }
    }
}

/// Scans a chunk; true if there is more to scan. `found` must be [`Scan::NOTHING`] before the first.
#[inline(always)]
pub fn scan_chunk<const RESPONSE: bool>(head: &Head, cursor: &mut Cursor, found: &mut Scan) -> bool {
    let Cursor { mut at, mut state, mut begin, mut field, len, zero } = *cursor;
    let mut steps = 0;
    while steps < SCAN_CHUNK_STEPS {
        steps += 1;
        // Twice the buffer: a step may lead behind its end, and must not come back to its start.
        at = at.wrapping_add(zero) & (2 * HEAD_BYTES as u64 - 1);
        state = state.wrapping_add(zero) & STATES;
        begin = begin.wrapping_add(zero);
        field = field.wrapping_add(zero);
        if at >= len {
            return false;
        }
        let via = state & IN_VIA;
        let place = state & !IN_VIA;
        let mut word = head.word(at);

        if place >= COLON {
            let byte = word as u8;
            if byte == b' ' || byte == b'\t' {
                at += 1;
                continue;
            }
            if byte != b'\n' && byte != b'\r' {
                match place {
                    COLON => {
                        state = LINE;
                        if byte == b':' {
                            state = begin;
                            begin = at + 1;
                            found.flags |= via_flag(state);
                        }
                        at += 1;
                        continue;
                    }
                    CSEQ => {
                        if byte.is_ascii_digit() {
                            at += 1;
                        } else {
                            found.cseq(method(head, at));
                            state = LINE;
                        }
                        continue;
                    }
                    BEFORE_TEXT => {
                        begin = at;
                        state = TEXT;
                        continue;
                    }
                    SCHEME => {
                        // chan_pjsip reads "Digest" in quotes, too.
                        if byte == b'"' {
                            at += 1;
                            continue;
                        }
                        state = LINE;
                        if starts_with(lower(word), b"digest") && ends_scheme(head.byte(at + 6)) {
                            found.credentials = found.credentials.wrapping_add(1);
                            state = NAME;
                            at += 6 + u64::from(head.byte(at + 6) == b'"');
                        }
                        continue;
                    }
                    EQUALS => {
                        if byte == b'=' {
                            at += 1;
                        } else if byte == b'"' {
                            at += 1;
                            begin = at;
                            state = quoted(via);
                        } else {
                            begin = at;
                            state = TOKEN | via;
                        }
                        continue;
                    }
                    _ => {
                        if byte == b',' || byte == b';' {
                            at += 1;
                            if via != 0 && byte == b',' {
                                state = LINE;
                            }
                            continue;
                        }
                        let (name, name_len) = parameter::<RESPONSE>(lower(word), via != 0);
                        let next = head.byte(at + name_len);
                        if name_len != 0 && (next == b'=' || is_space(next)) {
                            field = name;
                            at += name_len;
                            state = EQUALS | via;
                            if next == b'=' && head.byte(at + 1) == b'"' {
                                at += 2;
                                begin = at;
                                state = quoted(via);
                            }
                            continue;
                        }
                        state = PARAMETER | via;
                    }
                }
            }
        }

        let place = state & !IN_VIA;
        let mut marks = find(word, b'\n') | find(word, b'\r');
        if place <= TEXT {
            let mut words = 1;
            while marks == 0 && words < LINE_WORDS {
                at += 8;
                marks = find(head.word(at), b'\n') | find(head.word(at), b'\r');
                words += 1;
            }
        } else {
            if place <= SKIPPED {
                marks |= find(word, b'"') | find(word, b'\\');
            } else if place == PARAMETER {
                marks |= find(word, b'"') | find(word, b',') | find(word, b';');
            } else if place == TOKEN {
                let blanks = find(word, b' ') | find(word, b'\t');
                marks |= blanks | find(word, b',') | find(word, b';');
            }
            if via != 0 {
                marks |= find(word, b'(') | find(word, b'%');
            }
        }
        if marks == 0 {
            at += 8;
            continue;
        }
        at += first(marks);
        if at >= len {
            return false;
        }
        let byte = head.byte(at);

        if byte != b'\n' && byte != b'\r' {
            if place == TOKEN {
                found.note(field, begin, at);
                state = PARAMETER | via;
            } else if byte == b'\\' {
                // A line ends even behind a backslash.
                let escaped = head.byte(at + 1);
                at += if escaped == b'\n' || escaped == b'\r' { 1 } else { 2 };
            } else if byte == b'"' {
                if place == QUOTED {
                    found.note(field, begin, at);
                }
                // In the middle of a token it quotes nothing.
                let before = head.byte(at.wrapping_sub(1));
                let opens = before == b'=' || is_space(before);
                state = via | if place == PARAMETER && opens { SKIPPED } else { PARAMETER };
                at += 1;
            } else if byte == b'(' && place == PARAMETER {
                // A comment: chan_pjsip cuts it and what follows.
                state = LINE;
                at += 1;
            } else if byte == b'%' || byte == b'(' {
                at += 1;
            } else {
                state = if via != 0 && byte == b',' { LINE } else { NAME | via };
                at += 1;
            }
            continue;
        }

        // A CR alone ends a line for chan_pjsip and is a blank for Kamailio: it ends one if a wanted header follows.
        let end = at;
        let whole = byte == b'\n' || head.byte(at + 1) == b'\n';
        at += if byte == b'\r' && whole { 2 } else { 1 };
        if place == TOKEN {
            found.note(field, begin, end);
            state = PARAMETER | via;
        }
        if at >= len {
            return false;
        }
        word = head.word(at);
        let byte = word as u8;
        if byte == b' ' || byte == b'\t' {
            continue;
        }
        let (name_len, next, wanted) = header::<RESPONSE>(head, at, word, found.flags & Scan::VIA != 0);
        if !whole && name_len == 0 {
            continue;
        }
        if place == TEXT {
            found.note(field, begin, end);
        }
        if whole && (byte == b'\n' || byte == b'\r') {
            found.flags |= Scan::COMPLETE;
            return false;
        }
        state = LINE;
        if name_len != 0 {
            at += name_len;
            state = COLON;
            begin = next;
            field = wanted;
            if head.byte(at) == b':' {
                at += 1;
                state = next;
                begin = at;
                found.flags |= via_flag(state);
            }
        }
    }
    *cursor = Cursor { at, state, begin, field, len, zero };
    true
}

/// A Via was found once its colon was: a line without one hides none behind it.
#[inline(always)]
const fn via_flag(state: u64) -> u8 {
    const _: () = assert!(IN_VIA == (Scan::VIA as u64) << 4);
    ((state & IN_VIA) >> 4) as u8
}

/// The state in a wanted quoted string. A branch in quotes is left absent: chan_pjsip sends it back escaped.
#[inline(always)]
const fn quoted(via: u64) -> u64 {
    if via == 0 { QUOTED } else { SKIPPED | via }
}

/// Whether a byte may stand behind "Digest": Kamailio takes a comma, chan_pjsip the end of quotes.
#[inline(always)]
const fn ends_scheme(byte: u8) -> bool {
    is_space(byte) || byte == b',' || byte == b'"'
}

/// The header whose name begins with `word`: length of its name (0: not wanted), the state behind its colon, and the
/// field its value belongs to.
#[inline(always)]
fn header<const RESPONSE: bool>(head: &Head, at: u64, word: u64, seen_via: bool) -> (u64, u64, u64) {
    let name = lower(word);
    let wanted: &[u8] = if RESPONSE { b"vcwp" } else { b"vaputf" };
    if letters(wanted) >> (name & 63) & 1 == 0 {
        return (0, 0, 0);
    }
    let ends = |at: u64| {
        let byte = head.byte(at);
        byte == b':' || byte == b' ' || byte == b'\t'
    };
    let (len, next, field) = if !seen_via && starts_with(name, b"via") {
        (3, PARAMETER | IN_VIA, BRANCH)
    } else if !seen_via && starts_with(name, b"v") && ends(at + 1) {
        (1, PARAMETER | IN_VIA, BRANCH)
    } else if RESPONSE && starts_with(name, b"cseq") {
        (4, CSEQ, 0)
    } else if RESPONSE && starts_with(name, b"www-auth") && starts_with(lower(head.word(at + 8)), b"enticate") {
        (16, SCHEME, 0)
    } else if starts_with(name, b"proxy-au") {
        let second = lower(head.word(at + 8));
        let third = lower(head.word(at + 16));
        if RESPONSE && starts_with(second, b"thentica") && starts_with(third, b"te") {
            (18, SCHEME, 0)
        } else if !RESPONSE && starts_with(second, b"thorizat") && starts_with(third, b"ion") {
            (19, SCHEME, 0)
        } else {
            (0, 0, 0)
        }
    } else if !RESPONSE && starts_with(name, b"authoriz") && starts_with(lower(head.word(at + 8)), b"ation") {
        (13, SCHEME, 0)
    } else if !RESPONSE && starts_with(name, b"user-age") && starts_with(lower(head.word(at + 8)), b"nt") {
        (10, BEFORE_TEXT, USER_AGENT)
    } else if !RESPONSE && starts_with(name, b"to") && ends(at + 2) {
        (2, BEFORE_TEXT, TO)
    } else if !RESPONSE && starts_with(name, b"from") {
        (4, BEFORE_TEXT, FROM)
    } else if !RESPONSE && (starts_with(name, b"t") || starts_with(name, b"f")) {
        (1, BEFORE_TEXT, if starts_with(name, b"t") { TO } else { FROM })
    } else {
        (0, 0, 0)
    };
    if len != 0 && ends(at + len) { (len, next, field) } else { (0, 0, 0) }
}

/// The set of these lower-case letters, by the low six bits of each.
const fn letters(of: &[u8]) -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < of.len() {
        set |= 1 << (of[i] & 63);
        i += 1;
    }
    set
}

/// The wanted parameter whose name `name` begins with: its field and the length of its name (0: not wanted).
#[inline(always)]
fn parameter<const RESPONSE: bool>(name: u64, via: bool) -> (u64, u64) {
    if via {
        return if starts_with(name, b"branch") { (BRANCH, 6) } else { (0, 0) };
    }
    if starts_with(name, b"nonce") {
        (NONCE, 5)
    } else if RESPONSE && starts_with(name, b"stale") {
        (STALE, 5)
    } else if !RESPONSE && starts_with(name, b"username") {
        (USER, 8)
    } else if !RESPONSE && starts_with(name, b"response") {
        (DIGEST, 8)
    } else {
        (0, 0)
    }
}

#[cfg(test)]
mod tests;
