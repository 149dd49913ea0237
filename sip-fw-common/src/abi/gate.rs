//! What holds whichever rule set is in force, so that most packets need not ask for one.

use super::PORT_TABLE_LEN;

const WORDS: usize = PORT_TABLE_LEN as usize / 64;

/// What every rule set that may be in force has in common: one entry of an array map, read once per packet, before the rule set.
///
/// While one rule set replaces another it says less: more ports may be a service's, and nothing is dropped at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// A bit for each port, [`super::port_slot`]: packets to other ports are for no service, and pass.
    ports: [u64; WORDS],
    /// 1: the packets of a banned source to these ports are dropped whatever the access rules say, as they trust nobody but this
    /// host. 0: ask the rule set.
    pub drops_at_once: u64,
    /// Bits of an IPv6 address that make a source, where [`Gate::drops_at_once`].
    pub ipv6_mask: u64,
}
const _: () = assert!(size_of::<Gate>() == 8 * WORDS + 16);

impl Gate {
    /// No port is a service's.
    pub const NOTHING: Self = Self { ports: [0; WORDS], drops_at_once: 0, ipv6_mask: 0 };

    /// Whether the port in a slot may be a service's.
    #[inline(always)]
    #[must_use]
    pub const fn may_be_served(&self, slot: u32) -> bool {
        self.ports[slot as usize / 64 % WORDS] >> (slot % 64) & 1 != 0
    }

    /// The port in a slot is a service's.
    pub const fn serve(&mut self, slot: u32) {
        self.ports[slot as usize / 64 % WORDS] |= 1 << (slot % 64);
    }

    /// Every packet asks for the rule set.
    pub const fn serve_all(&mut self) {
        self.ports = [u64::MAX; WORDS];
    }

    /// What holds under either.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        for (own, other) in self.ports.iter_mut().zip(&other.ports) {
            *own |= other;
        }
        if self != *other {
            self.drops_at_once = 0;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::port_slot;
    use super::*;

    fn serving(slots: &[u32]) -> Gate {
        let mut gate = Gate { drops_at_once: 1, ..Gate::NOTHING };
        slots.iter().for_each(|slot| gate.serve(*slot));
        gate
    }

    #[test]
    fn every_port_has_a_bit_of_its_own() {
        for slot in [0, 1, 63, 64, port_slot(false, 5060), port_slot(true, 5060), port_slot(true, u16::MAX)] {
            let gate = serving(&[slot]);
            assert_eq!((0..PORT_TABLE_LEN).filter(|other| gate.may_be_served(*other)).collect::<Vec<_>>(), [slot]);
        }
    }

    #[test]
    fn two_differing_ones_serve_what_either_serves_and_drop_nothing_at_once() {
        let both = serving(&[7]).or(&serving(&[70_000]));
        assert!(both.may_be_served(7) && both.may_be_served(70_000) && !both.may_be_served(8));
        assert_eq!(both.drops_at_once, 0);
        assert_eq!(serving(&[7]).or(&serving(&[7])), serving(&[7]));
    }
}
