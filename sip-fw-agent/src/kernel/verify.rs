//! Is a pinned map the map this build expects? aya trusts its object file's description instead of asking the kernel,
//! so a foreign pin would be read and written with the wrong sizes.

use std::path::Path;

use aya::maps::{MapData, MapType};
use sip_fw_common::abi::{
    Asked, Ban, Counter, Gate, Line, Live, Nonce, Peer, PeerKey, RULE_SETS_LEN, Shun, Signatures, Source, SourceState,
    Strikes, Transaction, TransactionKey, map, seat,
};
use sip_fw_common::limits::{ASKED_MAX, BUCKETS_MAX, EVENT_RING_BYTES, SHUNS_MAX, SIGNATURE_KEYS_MAX, UNREAD_SECONDS};
use sip_fw_common::reason::Reason;

use super::error::chain;
use super::{KernelError, TableSizes};

const NO_PREALLOC: u32 = 1;
const MMAPABLE: u32 = 1 << 10;

struct Expected {
    kind: MapType,
    key_bytes: usize,
    value_bytes: usize,
    /// None: any size will do (readers take it as it is).
    entries: Option<u32>,
    flags: u32,
}

fn expected(name: &str, sizes: Option<&TableSizes>) -> Option<Expected> {
    let table = |kind, key_bytes, value_bytes, entries: fn(&TableSizes) -> u32| Expected {
        kind,
        key_bytes,
        value_bytes,
        entries: sizes.map(entries),
        flags: 0,
    };
    let fixed = |kind, key_bytes, value_bytes, entries| Expected {
        kind,
        key_bytes,
        value_bytes,
        entries: Some(entries),
        flags: 0,
    };
    let array =
        |kind, value_bytes, entries| Expected { kind, key_bytes: 4, value_bytes, entries: Some(entries), flags: 0 };
    Some(match name {
        map::LIVE => array(MapType::Array, size_of::<Live>(), 1),
        map::GATE => array(MapType::Array, size_of::<Gate>(), 1),
        map::RULE_SETS => array(MapType::ArrayOfMaps, 4, RULE_SETS_LEN),
        map::BANS => table(MapType::Hash, size_of::<Source>(), size_of::<Ban>(), |s| s.bans),
        map::SEATS => Expected {
            entries: sizes.map(|s| seat::lines(s.bans)),
            flags: MMAPABLE,
            ..array(MapType::Array, size_of::<Line>(), 0)
        },
        map::BAN_PREFIXES => {
            Expected { flags: NO_PREALLOC, ..table(MapType::LpmTrie, 20, size_of::<Ban>(), |s| s.ban_prefixes) }
        }
        map::SOURCES => table(MapType::LruHash, size_of::<Source>(), size_of::<SourceState>(), |s| s.sources),
        map::STRIKES => table(MapType::LruHash, size_of::<Source>(), size_of::<Strikes>(), |s| s.strikes),
        map::TRANSACTIONS => {
            table(MapType::LruHash, size_of::<TransactionKey>(), size_of::<Transaction>(), |s| s.transactions)
        }
        map::NONCES => table(MapType::LruHash, 8, size_of::<Nonce>(), |s| s.nonces),
        map::PEERS => table(MapType::LruHash, size_of::<PeerKey>(), size_of::<Peer>(), |s| s.peers),
        map::ASKED => fixed(MapType::LruHash, size_of::<TransactionKey>(), size_of::<Asked>(), ASKED_MAX),
        map::SHUNS => fixed(MapType::LruHash, size_of::<Source>(), size_of::<Shun>(), SHUNS_MAX),
        map::SIGNATURES => fixed(MapType::Hash, 4, size_of::<Signatures>(), SIGNATURE_KEYS_MAX),
        map::BUCKETS => array(MapType::Array, 8, BUCKETS_MAX),
        map::UNREAD => array(MapType::Array, 8, UNREAD_SECONDS),
        map::COUNTERS => array(MapType::PerCpuArray, size_of::<Counter>(), Reason::SLOTS),
        map::EVENTS => {
            Expected { kind: MapType::RingBuf, key_bytes: 0, value_bytes: 0, entries: Some(EVENT_RING_BYTES), flags: 0 }
        }
        _ => return None,
    })
}

/// Compares a pinned map with what this build (and, with `sizes`, this configuration) expects.
///
/// # Errors
/// Names the first property that differs.
pub(super) fn pinned(path: &Path, name: &str, data: &MapData, sizes: Option<&TableSizes>) -> Result<(), KernelError> {
    let Some(expected) = expected(name, sizes) else { return Ok(()) };
    let differs = |property, found: String, expected: String| KernelError::PinnedMap {
        path: path.to_owned(),
        property,
        found,
        expected,
    };
    let info =
        data.info().map_err(|error| KernelError::access(format!("cannot inspect {}", path.display()), &error))?;
    let kind = info.map_type().map_err(|error| differs("type", chain(&error), format!("{:?}", expected.kind)))?;
    if kind != expected.kind {
        return Err(differs("type", format!("{kind:?}"), format!("{:?}", expected.kind)));
    }
    let pairs = [
        ("key size", info.key_size(), Some(expected.key_bytes as u32)),
        ("value size", info.value_size(), Some(expected.value_bytes as u32)),
        ("number of entries", info.max_entries(), expected.entries),
        ("flags", info.map_flags(), Some(expected.flags)),
    ];
    for (property, found, expected) in pairs {
        if let Some(expected) = expected
            && found != expected
        {
            return Err(differs(property, found.to_string(), expected.to_string()));
        }
    }
    Ok(())
}
