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

/// To show one line costs as much as so many of all of them: twelve pages.
const LINES_FOR_ONE: usize = 768;

/// All lines are read in so many parts, as each counts as memory of this process while it is shown.
const PARTS: u32 = 8;

/// The map of the seats.
pub(super) struct Seats {
    map: MapData,
    lines: u32,
}

/// The lines whose memory is mapped. Every page of it counts as this process's for as long as they are there, so they are
/// for one use.
pub(super) struct Shown {
    memory: MmapRaw,
    /// The number of the first of them.
    first: u32,
    /// Of the whole map.
    lines: u32,
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
    /// If it is another map.
    pub fn new(map: Map) -> Result<Self, KernelError> {
        let Map::Array(map) = map else { return Err(refused("it is no array".to_owned())) };
        let info = map.info().map_err(|error| refused(chain(&error)))?;
        let (lines, bytes) = (info.max_entries(), info.value_size());
        if lines == 0 || bytes as usize != size_of::<Line>() {
            return Err(refused(format!("{lines} entries of {bytes} bytes")));
        }
        Ok(Self { map, lines })
    }

    /// The seats of every source.
    ///
    /// # Errors
    /// If the kernel does not show its memory.
    pub fn all(&self) -> Result<Shown, KernelError> {
        self.show(0, self.lines)
    }

    /// The seats of a source and of who shares its line.
    ///
    /// # Errors
    /// If the kernel does not show its memory.
    pub fn of(&self, source: Source) -> Result<Shown, KernelError> {
        self.show(seat::line_of(source, self.lines), 1)
    }

    /// Adds what was counted in their seats to these bans.
    ///
    /// # Errors
    /// If the kernel does not show its memory.
    pub fn add_counted(&self, bans: &mut [(Source, Ban)]) -> Result<(), KernelError> {
        if bans.len() > self.lines as usize / LINES_FOR_ONE {
            let part = self.lines.div_ceil(PARTS);
            for first in (0..self.lines).step_by(part as usize) {
                let seats = self.show(first, part.min(self.lines - first))?;
                bans.iter_mut().for_each(|(source, ban)| seats.add_counted(*source, ban));
            }
            return Ok(());
        }
        bans.iter_mut().try_for_each(|(source, ban)| self.of(*source).map(|seats| seats.add_counted(*source, ban)))
    }

    fn show(&self, first: u32, lines: u32) -> Result<Shown, KernelError> {
        let bytes = |lines: u32| lines as usize * size_of::<Line>();
        let memory = MmapOptions::new()
            .offset(bytes(first) as u64)
            .len(bytes(lines))
            .map_raw(self.map.fd().as_fd().as_raw_fd())
            .map_err(|error| refused(chain(&error)))?;
        Ok(Shown { memory, first, lines: self.lines })
    }
}

impl Shown {
    /// Lets packets find a ban that is in the table, with this deadline. Without a free seat in its line they find it there.
    pub fn take(&self, source: Source, until_ns: u64) {
        let name = seat::name(source);
        let free = || self.line(source).iter().find(|seat| seat.take(name));
        if let Some(seat) = self.seat(source).or_else(free) {
            seat.until_ns.store(until_ns, SeqCst);
        }
    }

    /// Whether packets find a ban with this deadline in a seat.
    pub fn has(&self, source: Source, until_ns: u64) -> bool {
        self.seat(source).is_some_and(|seat| seat.until_ns.load(SeqCst) == until_ns)
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
        if let Some(seat) = self.seat(source) {
            ban.packets = ban.packets.saturating_add(seat.packets.load(SeqCst));
            ban.bytes = ban.bytes.saturating_add(seat.bytes.load(SeqCst));
        }
    }

    fn seat(&self, source: Source) -> Option<&SharedSeat> {
        let name = seat::name(source);
        self.line(source).iter().find(|seat| seat.is_of(name))
    }

    /// None of a line that is not shown.
    fn line(&self, source: Source) -> &[SharedSeat] {
        let shown = self.memory.len() / size_of::<Line>();
        let number = seat::line_of(source, self.lines).wrapping_sub(self.first) as usize;
        if number >= shown {
            return &[];
        }
        let lines = self.memory.as_ptr().cast::<[SharedSeat; seat::SEATS]>();
        // SAFETY: the number is below that of the lines that are mapped, the first of which is aligned as its offset is; atomics of
        // any value are valid.
        unsafe { &*lines.add(number) }
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

fn refused(reason: String) -> KernelError {
    KernelError::Access { what: format!("map {}", map::SEATS), reason }
}
