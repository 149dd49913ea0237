//! Bans: of sources and of prefixes.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::maps::lpm_trie::Key;
use sip_fw_common::abi::{Ban, Live, PrefixKey, Settings, Source};
use sip_fw_common::ladder;
use sip_fw_common::reason::Reason;

use super::{Rules, count_dropped, holds};
use crate::atomic::Shared;
use crate::maps::{BAN_PREFIXES, BANS};

/// Whether this very source is banned; counts the packet in the ban, unless the mode is observe.
#[inline(always)]
pub fn is_banned(live: &Live, observe: u32, source: Source, bytes: u64) -> bool {
    let Some(ban) = BANS.get_ptr_mut(source) else { return false };
    // SAFETY: a live map value.
    let is_in_force = holds(live, unsafe { (*ban).until_ns });
    if is_in_force && observe == 0 {
        // SAFETY: a live map value.
        count_dropped(unsafe { &raw mut (*ban).packets }, unsafe { &raw mut (*ban).bytes }, bytes);
    }
    is_in_force
}

/// Whether a prefix around this address is banned; counts the packet in the ban, unless the mode is observe.
#[inline(always)]
pub fn is_in_banned_prefix(rules: &Rules, address: impl FnOnce() -> PrefixKey, bytes: u64) -> bool {
    rules.live.prefix_bans != 0 && is_prefix_banned(rules.live, rules.settings().observe, &address(), bytes)
}

/// A function of its own, for a stack of its own.
#[inline(never)]
fn is_prefix_banned(live: &Live, observe: u32, address: &PrefixKey, bytes: u64) -> bool {
    match BAN_PREFIXES.get(Key::new(128, *address)) {
        Some(ban) if holds(live, ban.until_ns) => {
            if observe == 0 {
                count_dropped((&raw const ban.packets).cast_mut(), (&raw const ban.bytes).cast_mut(), bytes);
            }
            true
        }
        _ => false,
    }
}

/// The ban of a source, in force or remembered.
#[inline(always)]
pub fn ban(source: Source) -> Option<&'static Ban> {
    // SAFETY: a live map value, read only.
    unsafe { BANS.get(source) }
}

/// Bans a source. `fresh` says why; its level and deadline are set here. None: another CPU was first, or the table is
/// full.
#[inline(always)]
pub fn write_ban(settings: &Settings, source: Source, fresh: &mut Ban, now_ns: u64) -> Option<Reason> {
    let known = BANS.get_ptr_mut(source);
    // SAFETY: a live map value.
    let last = known.map(|ban| unsafe { &*ban });
    let step = ladder::next(settings, last, now_ns);
    fresh.level = step.level;
    fresh.since_ns = now_ns;
    fresh.until_ns = now_ns.saturating_add(step.length_ns);
    let fresh: &Ban = fresh;
    let Some(known) = known else {
        return match BANS.insert(source, fresh, u64::from(BPF_NOEXIST)) {
            Ok(()) => None,
            Err(_) => Some(Reason::BanLost),
        };
    };
    // SAFETY: a live map value. Whoever moves the deadline owns the other fields, which only people read.
    unsafe {
        let until = Shared::new(&raw mut (*known).until_ns);
        let before = until.load();
        if before > now_ns || !until.replace(before, fresh.until_ns) {
            return Some(Reason::Neutral);
        }
        (*known).since_ns = fresh.since_ns;
        (*known).strikes = fresh.strikes;
        (*known).level = fresh.level;
        (*known).origin = fresh.origin;
        (*known).evidence = fresh.evidence;
        (*known).service = fresh.service;
        (*known).user = fresh.user;
        (*known).user_agent = fresh.user_agent;
    }
    None
}
