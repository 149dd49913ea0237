//! Scanner signatures: text that a header begins with, whatever its case.

use crate::abi::{Signature, Signatures};
use crate::head::{Head, Span};
use crate::limits::TEXT_BYTES;

const WORDS: usize = TEXT_BYTES / 8;
/// The first bytes of a header's value, folded.
pub type Folded = [u64; WORDS];

const CASE: u64 = 0x4040_4040_4040_4040;

/// Makes letters lower case. Signs from `@` on change, too, digits and blanks do not.
#[inline(always)]
#[must_use]
pub const fn fold(word: u64) -> u64 {
    word | (word & CASE) >> 1
}

/// Writes the first bytes of a span, folded; zero bytes behind its end.
#[inline(always)]
pub fn text(head: &Head, span: Span, words: &mut Folded) {
    let len = usize::from(if span.len < LENGTHS as u16 { span.len } else { LENGTHS as u16 - 1 });
    let mut word = 0;
    while word < WORDS {
        words[word] = fold(head.word(u64::from(span.at) + 8 * word as u64)) & KEPT[word][len % LENGTHS];
        word += 1;
    }
}

/// Lengths that are told apart: more than the bytes that are compared.
const LENGTHS: usize = 64;
const _: () = assert!(LENGTHS > TEXT_BYTES);

/// Ones where a word of a text of some length has bytes: a table, because the verifier walks every branch.
static KEPT: [[u64; LENGTHS]; WORDS] = {
    let mut kept = [[0; LENGTHS]; WORDS];
    let mut word = 0;
    while word < WORDS {
        let mut len = 0;
        while len < LENGTHS {
            let left = len.saturating_sub(8 * word);
            kept[word][len] = if left >= 8 { u64::MAX } else { !(u64::MAX << (8 * left)) };
            len += 1;
        }
        word += 1;
    }
    kept
};

/// The key of a text's signatures: its first four bytes.
#[inline(always)]
#[must_use]
pub const fn key(words: &[u64; WORDS]) -> u32 {
    words[0] as u32
}

impl Signature {
    /// Nothing begins with it.
    pub const NONE: Self = Self { words: [0; WORDS], mask: [0; WORDS] };

    /// Of a text of at most [`TEXT_BYTES`] bytes: what begins with it, or (`whole`) what is nothing but it.
    ///
    /// None if the text is longer, or begins what its key cannot tell: fewer than four bytes that are not the whole.
    #[must_use]
    pub fn new(text: &[u8], whole: bool) -> Option<Self> {
        if text.is_empty() || text.len() > TEXT_BYTES || text.contains(&0) || (!whole && text.len() < 4) {
            return None;
        }
        let mut signature = Self::NONE;
        let counted = if whole { TEXT_BYTES } else { text.len() };
        for at in 0..counted {
            let byte = u64::from(text.get(at).copied().unwrap_or(0));
            signature.words[at / 8] |= byte << (8 * (at % 8));
            signature.mask[at / 8] |= 0xff << (8 * (at % 8));
        }
        signature.words = signature.words.map(fold);
        Some(signature)
    }

    /// Whether a folded text begins with it.
    #[inline(always)]
    #[must_use]
    pub fn begins(&self, text: &[u64; WORDS]) -> bool {
        let mut differs = 0;
        let mut word = 0;
        while word < WORDS {
            differs |= (text[word] ^ self.words[word]) & self.mask[word];
            word += 1;
        }
        // One without a mask is unused.
        differs == 0 && self.mask[0] != 0
    }
}

impl Signatures {
    /// None.
    pub const NONE: Self = Self { list: [Signature::NONE; crate::limits::SIGNATURES_ALIKE_MAX] };

    /// Whether a folded text begins with one of them.
    #[inline(always)]
    #[must_use]
    pub fn begin(&self, text: &[u64; WORDS]) -> bool {
        let mut slot = 0;
        while slot < self.list.len() {
            if self.list[slot].begins(text) {
                return true;
            }
            slot += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(bytes: &[u8]) -> [u64; WORDS] {
        let mut head = Head::EMPTY;
        head.fill(bytes);
        let mut words = [0; WORDS];
        text(&head, Span { at: 0, len: bytes.len() as u16 }, &mut words);
        words
    }

    #[test]
    fn beginnings_and_wholes() {
        let scanner = Signature::new(b"Friendly-Scanner", false).unwrap();
        assert!(scanner.begins(&folded(b"friendly-scanner")));
        assert!(scanner.begins(&folded(b"FRIENDLY-SCANNER/1.0 of a long name that is cut somewhere")));
        assert!(!scanner.begins(&folded(b"friendly-scanne")));
        assert!(!scanner.begins(&folded(b"unfriendly-scanner")));
        assert_eq!(key(&scanner.words), key(&folded(b"FRIEnd")));
        let short = Signature::new(b"x", true).unwrap();
        assert!(short.begins(&folded(b"X")) && !short.begins(&folded(b"xlite")));
        assert_eq!(key(&short.words), key(&folded(b"x")));
        let alike = Signatures { list: [short, scanner, Signature::NONE, Signature::NONE] };
        assert!(alike.begin(&folded(b"x")) && !alike.begin(&folded(b"y")) && !alike.begin(&folded(b"")));
        for wrong in [&b""[..], b"abc", &[b'a'; TEXT_BYTES + 1], b"ab\0cd"] {
            assert_eq!(Signature::new(wrong, false), None);
        }
    }
}
