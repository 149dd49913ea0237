//! What the store has of the tables, so that only differences go there; and the tables as they were before a reboot.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, PeerKey, Settings, Source};
use sip_fw_core::controller::Controller;
use sip_fw_core::source::{Ipv6Prefix, Target, show_net};
use sip_fw_core::time::{Time, Timestamp, Until};

use crate::kernel::{KernelError, Tables};
use crate::store::{BanRow, Changes, PeerRow, Recalled, StrikeRow};

/// A known peer is written again when its last success is so much later: days count.
const PEER_REFRESH_NS: u64 = 3600 * 1_000_000_000;

/// What the store has.
#[derive(Debug, Default)]
pub struct Remembered {
    bans: HashMap<Source, Mark>,
    prefix_bans: HashMap<IpNet, Mark>,
    peers: HashMap<PeerKey, u64>,
    strikes: HashMap<Source, u64>,
}

/// What makes a ban another one for the store: its deadline in seconds, as clocks differ in less after a reboot, and its step. What
/// it counts is written along with that.
type Mark = (u64, u8);

/// What must be known to turn entries of the tables into rows.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub services: &'a [String],
    pub ipv6: Ipv6Prefix,
    pub window_ns: u64,
    pub now: Time,
}

impl<'a> Terms<'a> {
    pub fn of(controller: &'a Controller, now: Time) -> Self {
        let rules = controller.rules();
        let window_ns = rules.settings.window_ns;
        Self { services: &rules.services, ipv6: controller.ipv6(), window_ns, now }
    }
}

/// What came of a reboot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Bans that are in force again.
    pub bans: usize,
    /// Rows that could not be put into the tables.
    pub left_out: usize,
}

impl Restored {
    const fn count(&mut self, result: &Result<(), KernelError>, is_ban_in_force: bool) {
        match result {
            Ok(()) => self.bans += is_ban_in_force as usize,
            Err(_) => self.left_out += 1,
        }
    }
}

impl Remembered {
    /// The bans that differ from what the store has; also those that are gone.
    pub fn bans(&mut self, bans: &[(Source, Ban)], prefix_bans: &[(IpNet, Ban)], terms: Terms<'_>) -> Changes {
        let Terms { services, ipv6, now, .. } = terms;
        let mut changes = Changes::default();
        let row = |source: String, ban: &Ban| (source.clone(), Some(BanRow::new(source, ban, services, now)));
        let marked = bans.iter().map(|(source, ban)| Ok::<_, Infallible>((*source, mark(ban), ban)));
        let Ok(gone) = follow(&mut self.bans, marked, |source, ban| changes.bans.extend([row(ipv6.show(source), ban)]));
        changes.bans.extend(gone.into_iter().map(|source| (ipv6.show(source), None)));
        let marked = prefix_bans.iter().map(|(net, ban)| Ok::<_, Infallible>((*net, mark(ban), ban)));
        let Ok(gone) = follow(&mut self.prefix_bans, marked, |net, ban| changes.bans.extend([row(show_net(net), ban)]));
        changes.bans.extend(gone.into_iter().map(|net| (show_net(net), None)));
        changes
    }

    /// One ban that just began.
    pub fn ban(&mut self, source: Source, ban: &Ban, Terms { services, ipv6, now, .. }: Terms<'_>) -> Changes {
        self.bans.insert(source, mark(ban));
        let source = ipv6.show(source);
        let row = Some(BanRow::new(source.clone(), ban, services, now));
        Changes { bans: HashMap::from([(source, row)]), ..Changes::default() }
    }

    /// The known peers that differ.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn peers(&mut self, tables: &Tables, terms: Terms<'_>) -> Result<Changes, KernelError> {
        let Terms { services, ipv6, now, .. } = terms;
        let mut changes = Changes::default();
        let marked = tables.peers()?.into_iter().map(|(key, peer)| Ok((key, peer.last_ns / PEER_REFRESH_NS, peer)));
        let key = |key: PeerKey| (ipv6.show(key.source), key.user);
        let gone = follow(&mut self.peers, marked, |found, peer| {
            let row = PeerRow::new(ipv6.show(found.source), found, &peer, services, now);
            changes.peers.insert(key(found), Some(row));
        })?;
        changes.peers.extend(gone.into_iter().map(|gone| (key(gone), None)));
        Ok(changes)
    }

    /// The strikes that differ.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn strikes(&mut self, tables: &Tables, terms: Terms<'_>) -> Result<Changes, KernelError> {
        let Terms { ipv6, window_ns, now, .. } = terms;
        let mut changes = Changes::default();
        let marked =
            tables.all_strikes().map(|entry| entry.map(|(source, strikes)| (source, strikes.written, strikes)));
        let gone = follow(&mut self.strikes, marked, |source, strikes| {
            let source = ipv6.show(source);
            let rows = StrikeRow::of(&source, &strikes, window_ns, now);
            changes.strikes.insert(source, rows);
        })?;
        changes.strikes.extend(gone.into_iter().map(|source| (ipv6.show(source), Vec::new())));
        Ok(changes)
    }

    /// Takes the store for as full as it is: what is in there and not in the tables goes with the next look at them.
    pub fn take(&mut self, recalled: &Recalled, terms: Terms<'_>) {
        let Terms { services, ipv6, now, .. } = terms;
        for row in &recalled.bans {
            match ipv6.parse(&row.source) {
                Ok(Target::Source(source)) => drop(self.bans.insert(source, mark(&row.ban(services, now)))),
                Ok(Target::Prefix(net)) => drop(self.prefix_bans.insert(net, mark(&row.ban(services, now)))),
                Err(_) => {}
            }
        }
        for row in &recalled.peers {
            if let Some(key) = peer_key(row, ipv6) {
                self.peers.insert(key, row.peer(services, now).last_ns / PEER_REFRESH_NS);
            }
        }
        let sources = recalled.strikes.iter().filter_map(|row| source_of(&row.source, ipv6));
        self.strikes.extend(sources.map(|source| (source, 0)));
    }

    /// Nothing is certain any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Puts the tables of a fresh kernel back as they were. Old successes and failures that count no more are left out.
pub fn restore(tables: &mut Tables, recalled: &Recalled, settings: &Settings, terms: Terms<'_>) -> Restored {
    let Terms { services, ipv6, window_ns, now } = terms;
    let mut restored = Restored::default();
    let mut sources = Vec::new();
    let in_force = |ban: &Ban| ban.until_ns > now.kernel_ns;
    let age_ns =
        |time: Timestamp| now.wall.unix_ms.saturating_sub(time.unix_ms).max(0).unsigned_abs().saturating_mul(1_000_000);
    for row in &recalled.bans {
        let ban = row.ban(services, now);
        let is_active = in_force(&ban);
        let faded = matches!(row.until, Until::At(until) if age_ns(until) >= settings.decay_ns);
        match ipv6.parse(&row.source) {
            Ok(_) if !is_active && faded => {}
            Ok(Target::Source(source)) => sources.push((source, ban)),
            Ok(Target::Prefix(net)) if is_active => restored.count(&tables.put_prefix_ban(net, &ban), true),
            Ok(Target::Prefix(_)) => {}
            Err(_) => restored.left_out += 1,
        }
    }
    if tables.put_bans(&sources, |ban, result| restored.count(&result, in_force(ban))).is_err() {
        restored.left_out += sources.len();
    }
    for row in recalled.peers.iter().filter(|row| age_ns(row.last) < settings.known_peer_ns) {
        if let Some(key) = peer_key(row, ipv6) {
            restored.count(&tables.put_peer(key, &row.peer(services, now)), false);
        }
    }
    for rows in recalled.strikes.chunk_by(|a, b| a.source == b.source) {
        let recent: Vec<_> = rows.iter().filter(|row| age_ns(row.time) <= window_ns).cloned().collect();
        if let Some(source) = rows.first().and_then(|row| source_of(&row.source, ipv6))
            && !recent.is_empty()
        {
            restored.count(&tables.put_strikes(source, &StrikeRow::strikes(&recent, now)), false);
        }
    }
    restored
}

const fn mark(ban: &Ban) -> Mark {
    (ban.until_ns / 1_000_000_000, ban.level)
}

fn source_of(text: &str, ipv6: Ipv6Prefix) -> Option<Source> {
    match ipv6.parse(text) {
        Ok(Target::Source(source)) => Some(source),
        Ok(Target::Prefix(_)) | Err(_) => None,
    }
}

fn peer_key(row: &PeerRow, ipv6: Ipv6Prefix) -> Option<PeerKey> {
    Some(PeerKey { source: source_of(&row.source, ipv6)?, user: row.user_hash })
}

/// Makes `known` what is there now: tells what is new or different, and returns what is gone. After an error it is as it was.
fn follow<K: Copy + Eq + Hash, M: PartialEq, V, E>(
    known: &mut HashMap<K, M>,
    found: impl Iterator<Item = Result<(K, M, V), E>>,
    mut differs: impl FnMut(K, V),
) -> Result<Vec<K>, E> {
    let mut now = HashMap::with_capacity(known.len());
    for entry in found {
        let (key, mark, value) = entry?;
        if known.get(&key) != Some(&mark) {
            differs(key, value);
        }
        now.insert(key, mark);
    }
    let before = std::mem::replace(known, now);
    Ok(before.into_keys().filter(|key| !known.contains_key(key)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_once_and_nothing_is_known_after_an_error() {
        let mut known = HashMap::from([("same", 1), ("other", 1), ("gone", 1)]);
        let before = known.clone();
        let mut told = Vec::new();
        let failed = [Ok(("new", 1, 'n')), Err("no table")];
        assert_eq!(follow(&mut known, failed.into_iter(), |key, value| told.push((key, value))), Err("no table"));
        assert_eq!(known, before);

        let found = [("same", 1, 's'), ("other", 2, 'o'), ("new", 1, 'n')];
        told.clear();
        let gone = follow(&mut known, found.into_iter().map(Ok::<_, &str>), |key, value| told.push((key, value)));
        assert_eq!((gone, told), (Ok(vec!["gone"]), vec![("other", 'o'), ("new", 'n')]));
        let gone = follow(&mut known, found.into_iter().map(Ok::<_, &str>), |_, _| unreachable!());
        assert_eq!(gone, Ok(Vec::new()));
    }
}
