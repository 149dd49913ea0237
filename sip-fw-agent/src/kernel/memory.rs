//! The memory that maps take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::KernelError;

/// The memory of these maps, by their numbers: what `/proc` says of descriptors that this process holds. Linux 6.1 tells the size of
/// the entries there, later ones all of it.
///
/// # Errors
/// If `/proc` does not list the descriptors, or one of the maps is not among them.
pub(super) fn bytes(numbers: &BTreeSet<u32>) -> Result<u64, KernelError> {
    let refused =
        |reason: String| KernelError::Access { what: "cannot tell the memory of the maps".to_owned(), reason };
    let mut held = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo").map_err(|error| refused(format!("/proc/self/fdinfo: {error}")))? {
        // A descriptor that was closed meanwhile is none of theirs.
        let text = entry.and_then(|entry| fs::read_to_string(entry.path())).unwrap_or_default();
        let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
        if let (Some(number), Some(bytes)) = (of("map_id:"), of("memlock:")) {
            held.insert(number, bytes);
        }
    }
    let of = |number: &u32| {
        held.get(&u64::from(*number)).ok_or_else(|| refused(format!("no descriptor here is of map {number}")))
    };
    numbers.iter().map(of).sum()
}
