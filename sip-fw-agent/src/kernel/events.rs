//! The ring buffer.

use std::path::Path;

use aya::maps::{Map, MapData, RingBuf};
use sip_fw_common::abi::{Event, map};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{KernelError, verify};

/// Events from the kernel programs.
pub struct EventStream {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl EventStream {
    /// Opens the pinned ring buffer. Events of the time without an agent are still in it.
    pub(super) fn open(path: &Path) -> Result<Self, KernelError> {
        let what = || format!("cannot open {}", path.display());
        let data = MapData::from_pin(path).map_err(|error| KernelError::access(what(), &error))?;
        verify::pinned(path, map::EVENTS, &data, None)?;
        let map = Map::from_map_data(data).map_err(|error| KernelError::access(what(), &error))?;
        let ring = RingBuf::try_from(map).map_err(|error| KernelError::access(what(), &error))?;
        // SAFETY: the ring buffer owns its descriptor, gives the same one every time, and lives as long as the AsyncFd.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(|error| KernelError::access(what(), &error))?;
        Ok(Self { ring })
    }

    /// Waits for events and appends up to `max` of them. Cancel safe.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn next(&mut self, into: &mut Vec<Event>, max: usize) -> Result<(), KernelError> {
        let ready = self.ring.readable_mut().await;
        let mut ready = ready.map_err(|error| KernelError::access("cannot wait for events", &error))?;
        let ring = ready.get_inner_mut();
        for _ in 0..max {
            let Some(item) = ring.next() else {
                // The kernel wakes us again only if we had caught up.
                ready.clear_ready();
                return Ok(());
            };
            into.extend(parse(&item));
        }
        ready.retain_ready();
        Ok(())
    }
}

/// The event in a record; None for a record of another length.
pub(super) fn parse(item: &[u8]) -> Option<Event> {
    if item.len() < size_of::<Event>() {
        return None;
    }
    // SAFETY: the line above checked the length; Event is plain integers and byte arrays, valid for any bytes.
    Some(unsafe { item.as_ptr().cast::<Event>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_wherever_they_lie_and_short_ones_are_none() {
        const LEN: usize = size_of::<Event>();
        let bytes: Vec<u8> = (0..LEN + 16).map(|at| at as u8).collect();
        for at in 0..16 {
            let event = parse(&bytes[at..at + LEN]).unwrap();
            assert_eq!(event.time_ns.to_ne_bytes(), bytes[at..at + 8]);
            assert_eq!(event.user_agent.bytes.last(), Some(&bytes[at + LEN - 1]));
            assert_eq!(parse(&bytes[at..at + LEN - 1]), None);
        }
        assert_eq!(parse(&[]), None);
    }
}
