//! Keyed hashes of parts of a head. The key is secret and random, so nobody outside can aim at a collision.

use crate::abi::Text;
use crate::head::{Head, Span};
use crate::limits::HASH_WORDS_MAX;

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes one word into a hash.
#[inline(always)]
#[must_use]
pub const fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(MULTIPLIER);
    // Once is not enough: whoever flips the highest bit knows which bits flip, whatever the seed, and flips them back in
    // the next word.
    let product = (product ^ (product >> 32)).wrapping_mul(MULTIPLIER);
    product ^ (product >> 29)
}

/// The hash of a span; 0 only for an absent or empty one.
#[inline(always)]
#[must_use]
pub fn span(head: &Head, seed: u64, span: Span) -> u64 {
    let len = u64::from(span.len);
    if len == 0 {
        return 0;
    }
    let mut hash = mix(seed, len);
    let mut at = u64::from(span.at);
    let mut left = len;
    let mut words = 0;
    while words < HASH_WORDS_MAX {
        hash = mix(hash, keep(head.word(at), left));
        if left <= 8 {
            break;
        }
        left -= 8;
        at += 8;
        words += 1;
    }
    hash | 1
}

/// Keeps the first bytes of a span, for people to read.
#[inline(always)]
pub fn text(head: &Head, span: Span, to: &mut Text) {
    let mut left = u64::from(span.len);
    let mut at = u64::from(span.at);
    let (chunks, _) = to.bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = keep(head.word(at), left).to_le_bytes();
        left = left.saturating_sub(8);
        at += 8;
    }
}

/// The first `left` bytes of a word; zero bytes for the rest.
#[inline(always)]
const fn keep(word: u64, left: u64) -> u64 {
    if left >= 8 { word } else { word & !(u64::MAX << ((left & 7) * 8)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES;

    fn head(bytes: &[u8]) -> Head {
        let mut head = Head::EMPTY;
        head.fill(bytes);
        head
    }

    #[test]
    fn equal_text_at_other_offsets_hashes_alike() {
        let head = head(b"abcdefghij...abcdefghij...abcdefghik");
        let at = |at| span(&head, 7, Span { at, len: 10 });
        assert_eq!(at(0), at(13));
        assert_ne!(at(0), at(26));
        assert_ne!(at(0), span(&head, 8, Span { at: 0, len: 10 }), "the seed matters");
        assert_ne!(at(0), span(&head, 7, Span { at: 0, len: 9 }));
        assert_eq!(span(&head, 7, Span::default()), 0);
    }

    #[test]
    fn nobody_can_aim_at_a_collision_without_the_seed() {
        let first = *b"aaaaaaaabbbbbbbb";
        let mut collisions = 0;
        for seed in 0..1000 {
            let mut second = first;
            second[7] ^= 0x80;
            second[15] ^= 0x80;
            second[12] ^= 0x04;
            let at = |bytes: &[u8]| span(&head(bytes), seed, Span { at: 0, len: 16 });
            collisions += u32::from(at(&first) == at(&second));
        }
        assert_eq!(collisions, 0);
    }

    #[test]
    fn text_is_cut_and_padded() {
        let read = |bytes: &[u8], len| {
            let mut to = Text { bytes: [0xa5; TEXT_BYTES] };
            text(&head(bytes), Span { at: 0, len }, &mut to);
            to.as_bytes().to_vec()
        };
        assert_eq!(read(&[b'x'; 100], 100), [b'x'; TEXT_BYTES]);
        assert_eq!(read(b"1000\"junk", 4), b"1000");
        assert_eq!(read(b"x", 0), b"");
    }
}
