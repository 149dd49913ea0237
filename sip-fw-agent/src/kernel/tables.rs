//! Typed access to the maps.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use aya::Pod;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray};
use ipnet::IpNet;
use sip_fw_common::abi::{
    Ban, Counter, Gate, Live, Peer, PeerKey, PrefixKey, Shun, Signatures, Source, SourceState, Strikes, map,
};
use sip_fw_common::reason::Reason;

use super::entries::entries;
use super::seats::{Seats, Shown};
use super::slots::Slots;
use super::{Attachment, KernelError, pins, verify};

/// BPF_NOEXIST (linux/bpf.h).
const NO_EXIST: u64 = 1;

/// The maps, typed. The kernel is the truth of what is enforced: nothing is cached here.
pub struct Tables {
    pub(super) live: Array<MapData, Live>,
    pub(super) gate: Array<MapData, Gate>,
    pub(super) rule_sets: Slots,
    bans: HashMap<MapData, Source, Ban>,
    seats: Seats,
    ban_prefixes: LpmTrie<MapData, PrefixKey, Ban>,
    sources: HashMap<MapData, Source, SourceState>,
    strikes: HashMap<MapData, Source, Strikes>,
    peers: HashMap<MapData, PeerKey, Peer>,
    pub(super) shuns: HashMap<MapData, Source, Shun>,
    pub(super) signatures: HashMap<MapData, u32, Signatures>,
    counters: PerCpuArray<MapData, Counter>,
    pins: Option<PathBuf>,
}

impl Tables {
    /// Opens the pinned maps, each compared with this build's layout.
    ///
    /// # Errors
    /// [`KernelError::NotAttached`] if nothing is pinned; otherwise what does not fit.
    pub fn open(pins: &Path) -> Result<Self, KernelError> {
        if !pins::maps(pins).exists() {
            pins::refuse_other_versions(pins)?;
            return Err(KernelError::NotAttached(pins::root(pins)));
        }
        let mut tables = Self::from_maps(|name| {
            let path = pins::map(pins, name);
            let opened = |error: MapError| KernelError::access(format!("cannot open {}", path.display()), &error);
            let data = MapData::from_pin(&path).map_err(opened)?;
            verify::pinned(&path, name, &data, None)?;
            Map::from_map_data(data).map_err(opened)
        })?;
        tables.pins = Some(pins.to_owned());
        tables.rule_sets = tables.rule_sets.pinned_in(pins::rule_sets(pins));
        Ok(tables)
    }

    /// Typed tables from maps by name.
    pub(super) fn from_maps(
        mut take: impl FnMut(&'static str) -> Result<Map, KernelError>,
    ) -> Result<Self, KernelError> {
        fn typed<T: TryFrom<Map, Error = MapError>>(name: &str, map: Map) -> Result<T, KernelError> {
            map.try_into().map_err(|error| KernelError::access(format!("map {name}"), &error))
        }
        Ok(Self {
            live: typed(map::LIVE, take(map::LIVE)?)?,
            gate: typed(map::GATE, take(map::GATE)?)?,
            rule_sets: Slots::new(take(map::RULE_SETS)?)?,
            bans: typed(map::BANS, take(map::BANS)?)?,
            seats: Seats::new(take(map::SEATS)?)?,
            ban_prefixes: typed(map::BAN_PREFIXES, take(map::BAN_PREFIXES)?)?,
            sources: typed(map::SOURCES, take(map::SOURCES)?)?,
            strikes: typed(map::STRIKES, take(map::STRIKES)?)?,
            peers: typed(map::PEERS, take(map::PEERS)?)?,
            shuns: typed(map::SHUNS, take(map::SHUNS)?)?,
            signatures: typed(map::SIGNATURES, take(map::SIGNATURES)?)?,
            counters: typed(map::COUNTERS, take(map::COUNTERS)?)?,
            pins: None,
        })
    }

    /// Every ban, in force or remembered.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn bans(&self) -> Result<Vec<(Source, Ban)>, KernelError> {
        let mut bans = all(&self.bans, "cannot list the bans")?;
        self.seats.add_counted(&mut bans)?;
        Ok(bans)
    }

    /// The ban of a source, in force or remembered.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn ban(&self, source: Source) -> Result<Option<Ban>, KernelError> {
        let mut ban = self.written_ban(source)?;
        if let Some(ban) = &mut ban {
            self.seats.of(source)?.add_counted(source, ban);
        }
        Ok(ban)
    }

    /// A ban as it stands in the table: without what was counted in its seat.
    fn written_ban(&self, source: Source) -> Result<Option<Ban>, KernelError> {
        found(self.bans.get(&source, 0), "cannot read a ban")
    }

    /// Lets packets find what the table says of a source, also if egress bans it meanwhile.
    fn seat(&self, seats: &Shown, source: Source, mut until_ns: Option<u64>) -> Result<(), KernelError> {
        loop {
            match until_ns {
                Some(until_ns) => seats.take(source, until_ns),
                None => seats.give_up(source),
            }
            let now = self.written_ban(source)?.map(|ban| ban.until_ns);
            if now == until_ns {
                return Ok(());
            }
            until_ns = now;
        }
    }

    /// Lets packets find every ban in the table.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn seat_all(&self) -> Result<(), KernelError> {
        let bans = all(&self.bans, "cannot list the bans")?;
        let seats = self.seats.all()?;
        let mut unseated = bans.iter().filter(|(source, ban)| !seats.has(*source, ban.until_ns));
        unseated.try_for_each(|(source, ban)| self.seat(&seats, *source, Some(ban.until_ns)))
    }

    /// Writes a ban. The packet and byte counters of an earlier one live on, and so do its deadline and its step where they
    /// are later: egress may have banned the source since the caller looked.
    ///
    /// # Errors
    /// If the table is full or the kernel refuses.
    pub fn put_ban(&mut self, source: Source, ban: &Ban) -> Result<(), KernelError> {
        let seats = self.seats.of(source)?;
        self.put_ban_into(&seats, source, ban)
    }

    /// Writes many bans, as [`Self::put_ban`] does each, and tells what came of it.
    ///
    /// # Errors
    /// If the kernel does not show the memory of the seats: none is written.
    pub fn put_bans(
        &mut self,
        bans: &[(Source, Ban)],
        mut told: impl FnMut(&Ban, Result<(), KernelError>),
    ) -> Result<(), KernelError> {
        let seats = self.seats.all()?;
        bans.iter().for_each(|(source, ban)| told(ban, self.put_ban_into(&seats, *source, ban)));
        Ok(())
    }

    fn put_ban_into(&mut self, seats: &Shown, source: Source, ban: &Ban) -> Result<(), KernelError> {
        if self.put_first_ban(seats, source, ban)? {
            return Ok(());
        }
        let mut ban = *ban;
        if let Some(earlier) = self.written_ban(source)? {
            ban.packets = earlier.packets;
            ban.bytes = earlier.bytes;
            ban.until_ns = ban.until_ns.max(earlier.until_ns);
            ban.level = ban.level.max(earlier.level);
        }
        self.bans.insert(source, ban, 0).map_err(failed("cannot write a ban"))?;
        self.seat(seats, source, Some(ban.until_ns))
    }

    /// Writes a ban of a source that has none, not even a remembered one; false if it has.
    ///
    /// # Errors
    /// If the table is full or the kernel refuses.
    pub fn put_new_ban(&mut self, source: Source, ban: &Ban) -> Result<bool, KernelError> {
        let seats = self.seats.of(source)?;
        self.put_first_ban(&seats, source, ban)
    }

    fn put_first_ban(&mut self, seats: &Shown, source: Source, ban: &Ban) -> Result<bool, KernelError> {
        match self.bans.insert(source, ban, NO_EXIST) {
            Ok(()) => self.seat(seats, source, Some(ban.until_ns)).map(|()| true),
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok(false)
            }
            Err(error) => Err(KernelError::access("cannot write a ban", &error)),
        }
    }

    /// Ends the ban of a source now and takes its step of the ladder away. One that is not there is fine.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn lift_ban(&mut self, source: Source, now_ns: u64) -> Result<(), KernelError> {
        let Some(ban) = self.written_ban(source)? else { return Ok(()) };
        let ended = Ban { until_ns: ban.until_ns.min(now_ns), level: 0, ..ban };
        let seats = self.seats.of(source)?;
        self.bans.insert(source, ended, 0).map_err(failed("cannot lift a ban"))?;
        self.seat(&seats, source, Some(ended.until_ns))
    }

    /// Forgets a ban and its step of the ladder. One that is not there is fine.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn remove_ban(&mut self, source: Source) -> Result<(), KernelError> {
        // The seat first: who is killed in between leaves a ban, which the next start finds, not a seat that nobody lists.
        let seats = self.seats.of(source)?;
        seats.give_up(source);
        found(self.bans.remove(&source), "cannot remove a ban")?;
        self.seat(&seats, source, None)
    }

    /// Every prefix ban.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn prefix_bans(&self) -> Result<Vec<(IpNet, Ban)>, KernelError> {
        let mut bans = Vec::new();
        for entry in self.ban_prefixes.iter() {
            // One that vanishes meanwhile is left out.
            let entry = found(entry, "cannot list the prefix bans")?;
            bans.extend(entry.and_then(|(key, ban)| Some((network(&key)?, ban))));
        }
        Ok(bans)
    }

    /// The ban of a prefix that has one; of others that of the narrowest prefix around it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn prefix_ban(&self, prefix: IpNet) -> Result<Option<Ban>, KernelError> {
        found(self.ban_prefixes.get(&key(prefix), 0), "cannot read a prefix ban")
    }

    /// Writes a prefix ban.
    ///
    /// # Errors
    /// If the table is full or the kernel refuses.
    pub fn put_prefix_ban(&mut self, prefix: IpNet, ban: &Ban) -> Result<(), KernelError> {
        self.ban_prefixes.insert(&key(prefix), ban, 0).map_err(failed("cannot write a prefix ban"))
    }

    /// Removes a prefix ban; false if there was none.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn remove_prefix_ban(&mut self, prefix: IpNet) -> Result<bool, KernelError> {
        found(self.ban_prefixes.remove(&key(prefix)), "cannot remove a prefix ban").map(|done| done.is_some())
    }

    /// The counters of every source.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn sources(&self) -> Result<Vec<(Source, SourceState)>, KernelError> {
        all(&self.sources, "cannot list the sources")
    }

    /// The counters of a source.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn source(&self, source: Source) -> Result<Option<SourceState>, KernelError> {
        found(self.sources.get(&source, 0), "cannot read a source")
    }

    /// The recent proven failures of a source.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn strikes(&self, source: Source) -> Result<Option<Strikes>, KernelError> {
        found(self.strikes.get(&source, 0), "cannot read strikes")
    }

    /// The proven failures of every source, recent or not. One after the other, as all of them together are large.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn all_strikes(&self) -> impl Iterator<Item = Result<(Source, Strikes), KernelError>> {
        one_by_one(&self.strikes, "cannot list the strikes")
    }

    /// Writes the proven failures of a source.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_strikes(&mut self, source: Source, strikes: &Strikes) -> Result<(), KernelError> {
        self.strikes.insert(source, strikes, 0).map_err(failed("cannot write strikes"))
    }

    /// Forgets the proven failures of a source.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn clear_strikes(&mut self, source: Source) -> Result<(), KernelError> {
        found(self.strikes.remove(&source), "cannot clear strikes").map(drop)
    }

    /// Every known peer and its users; the key with user 0 stands for the source itself.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn peers(&self) -> Result<Vec<(PeerKey, Peer)>, KernelError> {
        all(&self.peers, "cannot list the known peers")
    }

    /// Writes a known peer, or a user of it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_peer(&mut self, key: PeerKey, peer: &Peer) -> Result<(), KernelError> {
        self.peers.insert(key, peer, 0).map_err(failed("cannot write a known peer"))
    }

    /// A known peer.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn peer(&self, key: PeerKey) -> Result<Option<Peer>, KernelError> {
        found(self.peers.get(&key, 0), "cannot read a known peer")
    }

    /// Packets and bytes, by reason number and CPU.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn counters(&self) -> Result<Vec<Vec<Counter>>, KernelError> {
        (0..Reason::SLOTS)
            .map(|reason| {
                let values = self.counters.get(&reason, 0).map_err(failed("cannot read the counters"))?;
                Ok(values.iter().copied().collect())
            })
            .collect()
    }

    /// What is attached, from the pins.
    ///
    /// # Errors
    /// If the pins cannot be listed.
    pub fn attachments(&self) -> Result<Vec<Attachment>, KernelError> {
        self.pins.as_deref().map_or_else(|| Ok(Vec::new()), pins::attachments)
    }
}

pub(super) fn failed(what: &'static str) -> impl FnOnce(MapError) -> KernelError {
    move |error| KernelError::access(what, &error)
}

/// None instead of "no such key".
pub(super) fn found<T>(result: Result<T, MapError>, what: &'static str) -> Result<Option<T>, KernelError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KernelError::access(what, &error)),
    }
}

/// All entries of a map.
pub(super) fn all<K: Pod, V: Pod>(
    map: &HashMap<MapData, K, V>,
    what: &'static str,
) -> Result<Vec<(K, V)>, KernelError> {
    one_by_one(map, what).collect()
}

/// All entries of a map without holding them at once.
pub(super) fn one_by_one<K: Pod, V: Pod>(
    map: &HashMap<MapData, K, V>,
    what: &'static str,
) -> impl Iterator<Item = Result<(K, V), KernelError>> {
    entries(map).map(move |entry| entry.map_err(|error| KernelError::access(what, &error)))
}

fn key(prefix: IpNet) -> Key<PrefixKey> {
    match prefix {
        IpNet::V4(v4) => Key::new(96 + u32::from(v4.prefix_len()), v4.network().to_ipv6_mapped().octets()),
        IpNet::V6(v6) => Key::new(u32::from(v6.prefix_len()), v6.network().octets()),
    }
}

fn network(key: &Key<PrefixKey>) -> Option<IpNet> {
    let address = Ipv6Addr::from(key.data());
    let len = u8::try_from(key.prefix_len()).ok()?;
    match address.to_ipv4_mapped() {
        Some(v4) if len >= 96 => IpNet::new(IpAddr::V4(v4), len - 96).ok(),
        _ => IpNet::new(IpAddr::V6(address), len).ok(),
    }
}
