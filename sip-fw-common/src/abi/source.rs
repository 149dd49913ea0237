//! Who is judged.

/// An IPv4 address, or the prefix of an IPv6 address (a /64 unless configured shorter), in eight bytes.
///
/// The number is the first 64 bits of the IPv6 address. IPv4 uses `ffff:ffff:` and its 32 bits: that is
/// multicast space, which no IPv6 packet can come from. Half the key of an IPv4-mapped address halves the
/// cost of every hash look-up.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Source {
    /// The key, as a number in host order.
    pub bits: u64,
}

const V4_MARK: u64 = 0xffff_ffff_0000_0000;

impl Source {
    /// The source of an IPv4 packet; `address` in host order.
    #[must_use]
    pub const fn v4(address: u32) -> Self {
        Self { bits: V4_MARK | address as u64 }
    }

    /// The source of an IPv6 packet: the first 64 bits of its address in host order, cut to `mask`.
    #[must_use]
    pub const fn v6(high: u64, mask: u64) -> Self {
        Self { bits: high & mask }
    }

    /// The IPv4 address in host order, if this is one.
    #[must_use]
    pub const fn as_v4(self) -> Option<u32> {
        if self.bits & V4_MARK == V4_MARK { Some(self.bits as u32) } else { None }
    }

    /// The mask of an IPv6 prefix length; lengths above 64 count as 64.
    #[must_use]
    pub const fn v6_mask(prefix_len: u8) -> u64 {
        match prefix_len {
            0 => 0,
            1..=63 => u64::MAX << (64 - prefix_len as u32),
            _ => u64::MAX,
        }
    }
}

const _: () = assert!(size_of::<Source>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v4_and_v6_never_meet() {
        assert_eq!(Source::v4(0xc000_0201).as_v4(), Some(0xc000_0201));
        assert_eq!(Source::v6(0x2001_0db8_0001_0002, u64::MAX).as_v4(), None);
        assert_eq!(Source::v6(0, u64::MAX).as_v4(), None, "the unspecified prefix is not 0.0.0.0");
    }

    #[test]
    fn masks() {
        assert_eq!(Source::v6_mask(64), u64::MAX);
        assert_eq!(Source::v6_mask(48), 0xffff_ffff_ffff_0000);
        assert_eq!(Source::v6_mask(0), 0);
    }
}
