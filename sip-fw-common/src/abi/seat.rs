//! Where packets find bans: lines of seats, each as long as a line of a CPU's cache.
//!
//! The table of bans tells people everything, and costs three misses of the caches for a source among a million. A seat has what a
//! packet asks for and what it leaves, and a line is one miss. A ban has a seat for as long as it is in the table, unless its line had
//! none free: who finds neither itself nor a vacancy in its line asks the table.

use super::Source;

/// Seats of a line.
pub const SEATS: usize = 2;

/// Of a seat that nobody ever had. As the name of a source it would be 255.255.255.255, from which no packet comes.
pub const VACANT: u64 = 0;
/// Of a seat whose holder left it. Not [`VACANT`] again: somebody may have found the line full. As the name of a source it would be
/// the multicast prefix ff00::/64.
pub const GIVEN_UP: u64 = !0xff00_0000_0000_0000;

/// The seat of a ban. Every field is written atomically, by programs and by user space.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Seat {
    /// The [`name`] of its source, [`VACANT`] or [`GIVEN_UP`].
    pub holder: u64,
    /// [`super::Ban::until_ns`]; 0 while nobody holds the seat.
    pub until_ns: u64,
    /// Packets dropped since the ban has the seat; those of [`super::Ban`] come on top.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The seats of the sources that share a line; one entry of an array map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Line {
    /// A new holder takes the first that is free.
    pub seats: [Seat; SEATS],
}
const _: () = assert!(size_of::<Line>() == 64);

/// What a source is called in [`Seat::holder`].
#[must_use]
pub const fn name(source: Source) -> u64 {
    !source.bits
}

/// Whether a seat can be taken.
#[must_use]
pub const fn is_free(holder: u64) -> bool {
    holder == VACANT || holder == GIVEN_UP
}

/// The lines for a table of so many bans: twice as many, rounded up to a power of two. When the table is full, one ban in thirty has no
/// seat, and one stranger in eleven finds a full line.
#[must_use]
pub const fn lines(bans: u32) -> u32 {
    match bans.saturating_mul(2).checked_next_power_of_two() {
        Some(lines) => lines,
        None => 1 << 31,
    }
}

/// The line of a source. Who aims at one costs others a look into the table of bans.
#[must_use]
pub const fn line_of(source: Source, lines: u32) -> u32 {
    // Fibonacci hashing: the upper half of the product depends on every bit.
    let spread = source.bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (spread >> 32) as u32 & lines.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_spread_over_the_lines() {
        for sources in [Source::v4 as fn(u32) -> Source, |number| Source::v6(u64::from(number) << 16, u64::MAX)] {
            let mut taken = [0_usize; 2048];
            for number in 0..1024 {
                taken[line_of(sources(0xc633_6400 + number), 2048) as usize] += 1;
            }
            let without_seat: usize = taken.iter().map(|taken| taken.saturating_sub(SEATS)).sum();
            assert!(without_seat < 60, "{without_seat} of 1,024 without a seat; 34 by chance");
        }
    }

    #[test]
    fn as_many_lines_as_bans_and_more() {
        assert_eq!([1, 1024, 1025, u32::MAX].map(lines), [2, 2048, 4096, 1 << 31]);
        assert!(line_of(Source::v4(1), 1) == 0);
    }
}
