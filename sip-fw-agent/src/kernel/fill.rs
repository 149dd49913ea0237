//! How full the tables are. The kernel does not say, so they are read: for a thread that has the time.

use std::path::Path;

use aya::Pod;
use aya::maps::{HashMap, LpmTrie, Map, MapData, MapError};
use sip_fw_common::abi::{
    Ban, Nonce, Peer, PeerKey, PrefixKey, Shun, Source, SourceState, Strikes, Transaction, TransactionKey, map,
};

use super::entries::entries;
use super::{KernelError, pins, verify};

/// How full a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Its name, as in `[limits]` of the configuration.
    pub table: &'static str,
    /// Entries in use. A table that changes meanwhile is counted as well as it can be.
    pub entries: u64,
    /// Entries there can be.
    pub capacity: u64,
}

/// Counts the entries of every table that is pinned there; one that cannot be read is left out.
#[must_use]
pub fn fills(pins: &Path) -> Vec<Fill> {
    let tables = [
        hash::<Source, Ban>(pins, map::BANS, "bans"),
        trie(pins, map::BAN_PREFIXES, "ban_prefixes"),
        hash::<Source, SourceState>(pins, map::SOURCES, "sources"),
        hash::<Source, Strikes>(pins, map::STRIKES, "strikes"),
        hash::<TransactionKey, Transaction>(pins, map::TRANSACTIONS, "transactions"),
        hash::<u64, Nonce>(pins, map::NONCES, "nonces"),
        hash::<PeerKey, Peer>(pins, map::PEERS, "peers"),
        hash::<Source, Shun>(pins, map::SHUNS, "shuns"),
    ];
    tables.into_iter().flatten().collect()
}

fn hash<K: Pod, V: Pod>(pins: &Path, name: &'static str, table: &'static str) -> Result<Fill, KernelError> {
    let (map, capacity) = open::<HashMap<MapData, K, V>>(pins, name)?;
    Ok(Fill { table, entries: entries(&map).flatten().count() as u64, capacity })
}

fn trie(pins: &Path, name: &'static str, table: &'static str) -> Result<Fill, KernelError> {
    let (map, capacity) = open::<LpmTrie<MapData, PrefixKey, Ban>>(pins, name)?;
    // A key that is gone when the walk comes from it leads back to the first one, so the walk needs an end of its own.
    let most = usize::try_from(capacity).unwrap_or(usize::MAX);
    Ok(Fill { table, entries: map.keys().take(most).flatten().count() as u64, capacity })
}

fn open<M: TryFrom<Map, Error = MapError>>(pins: &Path, name: &'static str) -> Result<(M, u64), KernelError> {
    let path = pins::map(pins, name);
    let refused = |error: MapError| KernelError::access(format!("cannot open {}", path.display()), &error);
    let data = MapData::from_pin(&path).map_err(refused)?;
    verify::pinned(&path, name, &data, None)?;
    let capacity = data.info().map_err(refused)?.max_entries();
    let map = Map::from_map_data(data).and_then(M::try_from).map_err(refused)?;
    Ok((map, u64::from(capacity)))
}
