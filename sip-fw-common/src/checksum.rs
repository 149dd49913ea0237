//! The checksum of the Internet's headers (RFC 1071), where a part of a header changes.

/// The checksum of a header in which `new` takes the place of `old` (RFC 1624).
#[inline(always)]
#[must_use]
pub const fn updated(checksum: [u8; 2], old: [u8; 4], new: [u8; 4]) -> [u8; 2] {
    let [c0, c1] = checksum;
    let ([o0, o1, o2, o3], [n0, n1, n2, n3]) = (old, new);
    let sum = without(c0, c1) + without(o0, o1) + without(o2, o3) + word(n0, n1) + word(n2, n3);
    (!(folded(folded(sum)) as u16)).to_ne_bytes()
}

// A sum in one's complement comes out the same in either order of bytes, as long as all words have the same.
#[inline(always)]
const fn word(first: u8, second: u8) -> u32 {
    u16::from_ne_bytes([first, second]) as u32
}

#[inline(always)]
const fn without(first: u8, second: u8) -> u32 {
    !u16::from_ne_bytes([first, second]) as u32
}

#[inline(always)]
const fn folded(sum: u32) -> u32 {
    (sum & 0xffff) + (sum >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a header whose checksum field is zero, word by word as RFC 791 says.
    fn summed(header: &[u8]) -> [u8; 2] {
        let mut sum: u32 = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_be_bytes()
    }

    #[test]
    fn another_source_has_the_checksum_of_a_header_made_for_it() {
        let header = |source: [u8; 4]| {
            let mut header = vec![0x45, 0, 2, 16, 0, 0, 0x40, 0, 64, 17, 0, 0];
            header.extend(source);
            header.extend([10, 98, 0, 1]);
            header
        };
        let sources = [[0, 0, 0, 1], [11, 22, 33, 44], [255, 255, 255, 255], [10, 98, 128, 1], [127, 0, 255, 254]];
        for old in sources {
            for new in sources {
                assert_eq!(updated(summed(&header(old)), old, new), summed(&header(new)), "{old:?} {new:?}");
            }
        }
    }
}
