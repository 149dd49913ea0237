//! Eight bytes at a time: finding and comparing bytes of a little-endian word.

const LOWS: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const CASE: u64 = 0x2020_2020_2020_2020;

/// Marks the bytes of `word` that equal `byte`, at their highest bit. Bytes above the lowest marked one may be
/// marked wrongly; the lowest is right, also of several such marks joined with `|`.
#[inline(always)]
pub const fn find(word: u64, byte: u8) -> u64 {
    let zero_where_equal = word ^ (LOWS * byte as u64);
    zero_where_equal.wrapping_sub(LOWS) & !zero_where_equal & HIGHS
}

/// Marks the bytes of `word` above SP, exactly.
#[inline(always)]
pub const fn visible(word: u64) -> u64 {
    ((word & !HIGHS).wrapping_add(LOWS * (0x7f - b' ' as u64)) | word) & HIGHS
}

/// Position (0 to 7) of the lowest mark.
#[inline(always)]
pub const fn first(marks: u64) -> u64 {
    let lowest = (marks & marks.wrapping_neg()) >> 7;
    let below = lowest.wrapping_sub(1);
    ((below & LOWS).wrapping_mul(LOWS) >> 56) & 7
}

/// Letters in lower case; other bytes change too, but never into letters' neighbours that matter.
#[inline(always)]
pub const fn lower(word: u64) -> u64 {
    word | CASE
}

/// Whether `word`, already lower, starts with `text` of at most eight bytes in lower case.
#[inline(always)]
pub const fn starts_with(word: u64, text: &[u8]) -> bool {
    let mut value = 0;
    let mut mask = 0;
    let mut i = 0;
    while i < text.len() && i < 8 {
        value |= (text[i] as u64 | 0x20) << (8 * i);
        mask |= 0xff << (8 * i);
        i += 1;
    }
    word & mask == value
}

/// SP, HTAB, CR or LF.
#[inline(always)]
pub const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t' || byte == b'\r' || byte == b'\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first() {
        let word = u64::from_le_bytes(*b"ab\ncd\n\x0b\n");
        assert_eq!(first(find(word, b'\n')), 2);
        assert_eq!(first(find(word, b'\n') | find(word, b'b')), 1);
        assert_eq!(find(u64::from_le_bytes(*b"abcdefgh"), b'\n'), 0);
        for at in 0..8 {
            let mut bytes = [b'x'; 8];
            bytes[at] = b'"';
            assert_eq!(first(find(u64::from_le_bytes(bytes), b'"')), at as u64);
        }
    }

    #[test]
    fn marks_visible_bytes_exactly() {
        for byte in 0..=u8::MAX {
            let word = u64::from_le_bytes([0, byte, b' ', byte, 0xff, b'!', byte, 0x1f]);
            let mark = u64::from(byte > b' ') * 0x80;
            assert_eq!(visible(word), mark << 8 | mark << 24 | mark << 48 | 0x0000_8080_0000_0000, "{byte}");
        }
    }

    #[test]
    fn compares_in_any_case() {
        assert!(starts_with(lower(u64::from_le_bytes(*b"Via: SIP")), b"via"));
        assert!(starts_with(lower(u64::from_le_bytes(*b"AUTHORIZ")), b"authoriz"));
        assert!(!starts_with(lower(u64::from_le_bytes(*b"Vial: SI")), b"via:"));
    }
}
