//! The seats of bans, through the memory that the programs see.
//!
//! Egress takes seats and every packet of a banned source counts in one while the agent writes: what both write is changed by atomic
//! operations, which the system calls of maps do not have.
#![expect(unsafe_code, reason = "the memory of a map is a pointer and a length; this file is the only place")]

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use aya::maps::{Map, MapData};
use memmap2::{MmapOptions, MmapRaw};
use sip_fw_common::abi::seat::{self, GIVEN_UP};
use sip_fw_common::abi::{Ban, Line, Seat, Source, map};

use super::KernelError;
use super::error::chain;

/// Every line of seats.
pub(super) struct Seats {
    memory: MmapRaw,
    lines: u32,
    /// Kept open, as the kernel tells of a map's memory by its descriptor.
    _map: MapData,
}

/// A [`Seat`] that others write meanwhile.
#[repr(C)]
struct SharedSeat {
    holder: AtomicU64,
    until_ns: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
}
const _: () = assert!(size_of::<SharedSeat>() == size_of::<Seat>() && align_of::<SharedSeat>() == align_of::<Seat>());

impl Seats {
    /// Takes the map of the seats.
    ///
    /// # Errors
    /// If it is another map, or the kernel does not show its memory.
    pub fn new(map: Map) -> Result<Self, KernelError> {
        let refused = |reason: String| KernelError::Access { what: format!("map {}", map::SEATS), reason };
        let Map::Array(map) = map else { return Err(refused("it is no array".to_owned())) };
        let info = map.info().map_err(|error| refused(chain(&error)))?;
        let (lines, bytes) = (info.max_entries(), info.value_size());
        if lines == 0 || bytes as usize != size_of::<Line>() {
            return Err(refused(format!("{lines} entries of {bytes} bytes")));
        }
        let memory = MmapOptions::new()
            .len(lines as usize * size_of::<Line>())
            .map_raw(map.fd().as_fd().as_raw_fd())
            .map_err(|error| refused(chain(&error)))?;
        Ok(Self { memory, lines, _map: map })
    }

    /// Lets packets find a ban that is in the table, with this deadline. Without a free seat in its line they find it there.
    pub fn take(&self, source: Source, until_ns: u64) {
        let name = seat::name(source);
        let free = || self.line(source).iter().find(|seat| seat.take(name));
        if let Some(seat) = self.of(source).or_else(free) {
            seat.until_ns.store(until_ns, SeqCst);
        }
    }

    /// Whether packets find a ban with this deadline in a seat.
    pub fn has(&self, source: Source, until_ns: u64) -> bool {
        self.of(source).is_some_and(|seat| seat.until_ns.load(SeqCst) == until_ns)
    }

    /// The ban is not in the table any more.
    pub fn give_up(&self, source: Source) {
        let name = seat::name(source);
        for seat in self.line(source).iter().filter(|seat| seat.is_of(name)) {
            seat.until_ns.store(0, SeqCst);
            seat.packets.store(0, SeqCst);
            seat.bytes.store(0, SeqCst);
            seat.holder.store(GIVEN_UP, SeqCst);
        }
    }

    /// Adds what was counted in the seat of a source to its ban.
    pub fn add_counted(&self, source: Source, ban: &mut Ban) {
        if let Some(seat) = self.of(source) {
            ban.packets = ban.packets.saturating_add(seat.packets.load(SeqCst));
            ban.bytes = ban.bytes.saturating_add(seat.bytes.load(SeqCst));
        }
    }

    fn of(&self, source: Source) -> Option<&SharedSeat> {
        let name = seat::name(source);
        self.line(source).iter().find(|seat| seat.is_of(name))
    }

    fn line(&self, source: Source) -> &[SharedSeat; seat::SEATS] {
        let number = seat::line_of(source, self.lines) % self.lines;
        let lines = self.memory.as_ptr().cast::<[SharedSeat; seat::SEATS]>();
        // SAFETY: the remainder is below the number of lines that are mapped, from the start of a page; atomics of any value are valid.
        unsafe { &*lines.add(number as usize) }
    }
}

impl SharedSeat {
    fn is_of(&self, name: u64) -> bool {
        self.holder.load(SeqCst) == name
    }

    /// Whether this seat is that source's, now or before.
    fn take(&self, name: u64) -> bool {
        let before = self.holder.load(SeqCst);
        let swapped = seat::is_free(before) && self.holder.compare_exchange(before, name, SeqCst, SeqCst).is_ok();
        swapped || self.is_of(name)
    }
}
