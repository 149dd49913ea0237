//! How many of the nonces that this host handed out prove anything.

use std::path::Path;

use aya::maps::{HashMap, Map, MapData, MapError};
use sip_fw_common::abi::{Nonce, map};

use super::tables::all;
use super::{KernelError, pins, verify};

/// Nonces that this host handed out and the programs remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NonceCount {
    /// All of them.
    pub all: usize,
    /// Those that went to several sources, and so prove nothing.
    pub shared: usize,
}

/// Counts them.
///
/// # Errors
/// If the pinned table cannot be opened or read.
pub fn count_nonces(pins: &Path) -> Result<NonceCount, KernelError> {
    let path = pins::map(pins, map::NONCES);
    let opened = |error: MapError| KernelError::access(format!("cannot open {}", path.display()), &error);
    let data = MapData::from_pin(&path).map_err(opened)?;
    verify::pinned(&path, map::NONCES, &data, None)?;
    let nonces: HashMap<MapData, u64, Nonce> = Map::from_map_data(data).and_then(TryInto::try_into).map_err(opened)?;
    let nonces = all(&nonces, "cannot list the nonces")?;
    let shared = nonces.iter().filter(|(_, nonce)| nonce.flags & Nonce::SHARED != 0).count();
    Ok(NonceCount { all: nonces.len(), shared })
}
