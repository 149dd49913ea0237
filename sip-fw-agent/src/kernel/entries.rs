//! All entries of a hash map, a thousand with each system call.
//!
//! The way from key to key, which aya goes, costs two calls for each entry, and leads back to the first key whenever a program removed
//! the one it stands on. The kernel's own way goes from bucket to bucket (BPF_MAP_LOOKUP_BATCH, Linux 5.6).
#![expect(unsafe_code, reason = "a system call that aya does not have; this file is the only place")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use aya::Pod;
use aya::maps::{HashMap, IterableMap, MapData};
use aya_obj::generated::{bpf_attr, bpf_attr__bindgen_ty_3, bpf_cmd};
use nix::errno::Errno;
use nix::libc;

/// Entries that are asked for at once in the end: most tables have few. More only for a bucket that has more.
const AT_ONCE: usize = 1024;

/// What [`entries`] gives. Entries that come or go meanwhile may be missing; none comes twice. The first error is the last item.
pub(super) struct Entries<'a, K, V> {
    map: BorrowedFd<'a>,
    keys: Vec<K>,
    values: Vec<V>,
    /// Of those, how many were handed out.
    taken: usize,
    /// How many to ask for.
    room: usize,
    /// The bucket to go on with; none before the first.
    bucket: Option<u32>,
    /// There are no more buckets.
    is_over: bool,
}

/// Every entry of a map.
pub(super) fn entries<K: Pod, V: Pod>(map: &HashMap<MapData, K, V>) -> Entries<'_, K, V> {
    let map = map.map().fd().as_fd();
    Entries { map, keys: Vec::new(), values: Vec::new(), taken: 0, room: 1, bucket: None, is_over: false }
}

impl<K: Pod, V: Pod> Iterator for Entries<'_, K, V> {
    type Item = io::Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.taken == self.keys.len() {
            if self.is_over {
                return None;
            }
            match self.read() {
                Ok(()) => self.room = self.room.max(AT_ONCE.min(2 * self.room)),
                Err(Errno::ENOENT) => self.is_over = true,
                Err(Errno::ENOSPC) => self.room *= 2,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error.into()));
                }
            }
        }
        let entry = (self.keys[self.taken], self.values[self.taken]);
        self.taken += 1;
        Some(Ok(entry))
    }
}

impl<K: Pod, V: Pod> Entries<'_, K, V> {
    /// Reads the entries of the next buckets in place of those before.
    ///
    /// # Errors
    /// [`Errno::ENOENT`] with the last ones, [`Errno::ENOSPC`] without any if the next bucket has more than there is room for.
    fn read(&mut self) -> Result<(), Errno> {
        self.taken = 0;
        self.keys.clear();
        self.keys.reserve(self.room);
        self.values.clear();
        self.values.reserve(self.room);
        let mut next = 0_u32;
        let mut attr = bpf_attr {
            batch: bpf_attr__bindgen_ty_3 {
                in_batch: self.bucket.as_ref().map_or(0, |bucket| &raw const *bucket as u64),
                out_batch: &raw mut next as u64,
                keys: self.keys.as_mut_ptr() as u64,
                values: self.values.as_mut_ptr() as u64,
                count: self.room as u32,
                map_fd: self.map.as_raw_fd().cast_unsigned(),
                elem_flags: 0,
                flags: 0,
            },
        };
        // SAFETY: `in_batch` and `out_batch` are of u32, as a hash map's buckets are. Keys and values have the sizes that the map has,
        // which aya compared when it made the map of this type, and room for `count` of both was reserved; the kernel sets `count` to
        // how many of them it wrote. Any bytes are a key and a value (Pod).
        let result = unsafe {
            let returned = libc::syscall(
                libc::SYS_bpf,
                bpf_cmd::BPF_MAP_LOOKUP_BATCH,
                &raw mut attr,
                size_of::<bpf_attr__bindgen_ty_3>(),
            );
            let result = Errno::result(returned);
            if matches!(result, Ok(_) | Err(Errno::ENOENT)) {
                let read = (attr.batch.count as usize).min(self.room);
                self.keys.set_len(read);
                self.values.set_len(read);
            }
            result
        };
        self.bucket = Some(next);
        result.map(drop)
    }
}
