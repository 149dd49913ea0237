//! Tables of another size or of an earlier version: taken over without a gap.
//!
//! What must give way is moved to `<pins>/v<ABI>/old`, where it goes on being enforced until the new programs are in the place of the
//! old ones. Maps that fit are pinned anew, the others are filled from their predecessors: once before the programs are replaced, and
//! again after it, for what the old programs wrote meanwhile. An agent that is killed at any point leaves what the next one needs.

use std::fs;
use std::hash::Hash;
use std::path::Path;

use aya::Pod;
use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{HashMap, Map, MapData, MapError};
use sip_fw_common::abi::{
    Ban, Nonce, OLDEST_VERSION, Peer, PeerKey, PrefixKey, Source, SourceState, Strikes, Transaction, TransactionKey,
    VERSION, map,
};

use super::pins::{self, entries};
use super::seats::Seats;
use super::tables::{all, one_by_one};
use super::{KernelError, TableSizes, verify};

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Entries that did not fit into smaller tables.
    pub left_out: usize,
    /// A table of an earlier version has another layout: what it held is in the store alone.
    pub is_incomplete: bool,
}

/// Makes room: after this, every map that is pinned in the folder of the maps is the one that this build and these sizes expect.
///
/// # Errors
/// Pins of a later version, a foreign map, or what the file system says.
pub(super) fn make_room(pins: &Path, sizes: &TableSizes) -> Result<(), KernelError> {
    pins::refuse_other_versions(pins)?;
    for version in (OLDEST_VERSION..VERSION).rev() {
        adopt(pins, &pins.join(format!("v{version}")))?;
    }
    pins::create(&pins::maps(pins))?;
    let mut must_give_way = false;
    for name in map::PINNED {
        let path = pins::map(pins, name);
        if path.exists() {
            let data = open(&path)?;
            verify::pinned(&path, name, &data, None)?;
            must_give_way |= verify::pinned(&path, name, &data, Some(sizes)).is_err();
        }
    }
    if must_give_way {
        if is_under_way(pins) {
            take_over(pins)?;
            forget_old(pins)?;
        }
        rename(&pins::maps(pins), &pins::old(pins))?;
        pins::create(&pins::maps(pins))?;
    }
    pin_what_fits(pins, sizes)
}

/// Fills the new tables from the old ones. What is there already stays, unless the old entry says more.
pub(super) fn take_over(pins: &Path) -> Result<TakenOver, KernelError> {
    let mut taken = TakenOver::default();
    for (name, path) in entries(&pins::old(pins))? {
        let from = open(&path)?;
        let to_path = pins::map(pins, &name);
        if !to_path.exists() {
            continue;
        }
        let to = open(&to_path)?;
        if is_same(&from, &to)? {
            continue;
        }
        if verify::pinned(&path, &name, &from, None).is_err() {
            taken.is_incomplete = true;
            continue;
        }
        taken.left_out += match name.as_str() {
            map::BANS => copy_bans(from, to, seats_of(&path)?.as_ref())?,
            map::BAN_PREFIXES => copy_prefix_bans(from, to)?,
            map::SOURCES => copy::<Source, SourceState>(from, to, |old, new| old.requests > new.requests)?,
            map::STRIKES => copy::<Source, Strikes>(from, to, |old, new| old.written > new.written)?,
            map::PEERS => copy::<PeerKey, Peer>(from, to, |old, new| old.last_ns > new.last_ns)?,
            map::NONCES => copy::<u64, Nonce>(from, to, |_, _| false)?,
            map::TRANSACTIONS => copy::<TransactionKey, Transaction>(from, to, |_, _| false)?,
            _ => 0,
        };
    }
    Ok(taken)
}

/// Whether there are old tables.
pub(super) fn is_under_way(pins: &Path) -> bool {
    pins::old(pins).exists()
}

/// Lets go of the old tables.
pub(super) fn forget_old(pins: &Path) -> Result<(), KernelError> {
    let folder = pins::old(pins);
    for (_, path) in entries(&folder)? {
        fs::remove_file(&path).map_err(|error| failed("cannot remove", &path, &error))?;
    }
    match fs::remove_dir(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("cannot remove", &folder, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes the links and maps of an earlier version as our own.
fn adopt(pins: &Path, earlier: &Path) -> Result<(), KernelError> {
    if !earlier.exists() {
        return Ok(());
    }
    let own_links = pins::root(pins).join("links");
    pins::create(&own_links)?;
    for (interface, links) in entries(&earlier.join("links"))? {
        let own = own_links.join(&interface);
        if !own.exists() {
            rename(&links, &own)?;
        }
    }
    let maps = earlier.join("maps");
    if maps.exists() && !pins::maps(pins).exists() && !pins::old(pins).exists() {
        rename(&maps, &pins::old(pins))?;
    }
    let sets = pins::rule_sets_of(earlier);
    if sets.exists() && !pins::rule_sets(pins).exists() {
        rename(&sets, &pins::rule_sets(pins))?;
    }
    // Left are the maps of one that was overtaken already; without a link nothing runs on them.
    pins::remove_version(earlier)
}

/// Maps that are as they should be go on.
fn pin_what_fits(pins: &Path, sizes: &TableSizes) -> Result<(), KernelError> {
    let fitting = |name: &str, path: &Path| -> Result<Option<MapData>, KernelError> {
        let data = open(path)?;
        Ok(verify::pinned(path, name, &data, Some(sizes)).is_ok().then_some(data))
    };
    for (name, path) in entries(&pins::old(pins))? {
        let own = pins::map(pins, &name);
        if own.exists() || !map::PINNED.contains(&name.as_str()) {
            continue;
        }
        // Who has a seat is in the table.
        if name == map::SEATS && fitting(map::BANS, &path.with_file_name(map::BANS))?.is_none() {
            continue;
        }
        if let Some(data) = fitting(&name, &path)? {
            data.pin(&own).map_err(|error| failed("cannot pin", &own, &error))?;
        }
    }
    Ok(())
}

fn copy<K: Pod + Eq + Hash, V: Pod>(
    from: MapData,
    to: MapData,
    says_more: impl Fn(&V, &V) -> bool,
) -> Result<usize, KernelError> {
    let from: HashMap<MapData, K, V> = typed(from)?;
    let mut to: HashMap<MapData, K, V> = typed(to)?;
    let mut left_out = 0;
    for entry in one_by_one(&from, "cannot list an earlier map") {
        let (key, old) = entry?;
        left_out += usize::from(!put(&mut to, &key, &old, &says_more));
    }
    Ok(left_out)
}

/// Bans in force first, the longest ones before the others: should there be no room for all, they are worth more.
/// What was counted in seats goes along, as the seats do not.
fn copy_bans(from: MapData, to: MapData, seats: Option<&Seats>) -> Result<usize, KernelError> {
    let from: HashMap<MapData, Source, Ban> = typed(from)?;
    let mut to: HashMap<MapData, Source, Ban> = typed(to)?;
    let mut bans = all(&from, "cannot list the earlier bans")?;
    bans.sort_by_key(|(_, ban)| std::cmp::Reverse(ban.until_ns));
    if let Some(seats) = seats {
        seats.add_counted(&mut bans)?;
    }
    let later = |old: &Ban, new: &Ban| old.until_ns > new.until_ns;
    Ok(bans.iter().filter(|(source, ban)| !put(&mut to, source, ban, later)).count())
}

/// The seats beside a table of bans; earlier versions had none.
fn seats_of(bans: &Path) -> Result<Option<Seats>, KernelError> {
    let path = bans.with_file_name(map::SEATS);
    if !path.exists() {
        return Ok(None);
    }
    let data = open(&path)?;
    verify::pinned(&path, map::SEATS, &data, None)?;
    let told = |error: MapError| KernelError::access("a pinned map", &error);
    Seats::new(Map::from_map_data(data).map_err(told)?).map(Some)
}

fn copy_prefix_bans(from: MapData, to: MapData) -> Result<usize, KernelError> {
    let from: LpmTrie<MapData, PrefixKey, Ban> = typed(from)?;
    let mut to: LpmTrie<MapData, PrefixKey, Ban> = typed(to)?;
    let bans: Vec<_> = from.iter().filter_map(Result::ok).collect();
    Ok(bans.iter().filter(|(key, ban)| to.insert(key, ban, 0).is_err()).count())
}

/// False if there was no room.
fn put<K: Pod, V: Pod>(to: &mut HashMap<MapData, K, V>, key: &K, old: &V, says_more: impl Fn(&V, &V) -> bool) -> bool {
    match to.get(key, 0) {
        Ok(new) if !says_more(old, &new) => true,
        Ok(_) | Err(_) => to.insert(key, old, 0).is_ok(),
    }
}

fn typed<T: TryFrom<Map, Error = MapError>>(data: MapData) -> Result<T, KernelError> {
    let told = |error: MapError| KernelError::access("a pinned map", &error);
    Map::from_map_data(data).map_err(told)?.try_into().map_err(told)
}

fn open(path: &Path) -> Result<MapData, KernelError> {
    MapData::from_pin(path).map_err(|error| failed("cannot open", path, &error))
}

fn is_same(a: &MapData, b: &MapData) -> Result<bool, KernelError> {
    let id = |map: &MapData| map.info().map(|info| info.id());
    let told = |error: MapError| KernelError::access("cannot inspect a pinned map", &error);
    Ok(id(a).map_err(told)? == id(b).map_err(told)?)
}

fn rename(from: &Path, to: &Path) -> Result<(), KernelError> {
    fs::rename(from, to).map_err(|error| failed("cannot rename", from, &error))
}

fn failed(what: &str, path: &Path, error: &(dyn std::error::Error + 'static)) -> KernelError {
    KernelError::access(format!("{what} {}", path.display()), error)
}
