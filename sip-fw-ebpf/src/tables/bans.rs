//! Bans: of sources and of prefixes.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::maps::lpm_trie::Key;
use sip_fw_common::abi::seat::{self, VACANT};
use sip_fw_common::abi::{Ban, Live, PrefixKey, Seat, Settings, Source};
use sip_fw_common::ladder;
use sip_fw_common::reason::Reason;

use super::{Rules, count_dropped, holds};
use crate::atomic::Shared;
use crate::maps::{BAN_PREFIXES, BANS, SEAT_LINES, SEATS};

/// Whether this very source is banned; counts the packet in the ban, unless the mode is observe.
#[inline(always)]
pub fn is_banned(live: &Live, observe: u32, source: Source, bytes: u64) -> bool {
    let Some([first, second]) = seats(source) else { return false };
    let name = seat::name(source);
    let behind = holder(second).load();
    let seat = if holder(first).load() == name {
        first
    } else if behind == name {
        second
    } else {
        return behind != VACANT && is_banned_without_seat(live, observe, source, bytes);
    };
    // SAFETY: a live map value.
    unsafe { drops(live, observe, &raw mut (*seat).until_ns, &raw mut (*seat).packets, &raw mut (*seat).bytes, bytes) }
}

/// A function of its own, for a stack of its own.
#[inline(never)]
fn is_banned_without_seat(live: &Live, observe: u32, source: Source, bytes: u64) -> bool {
    let Some(ban) = BANS.get_ptr_mut(source) else { return false };
    // SAFETY: a live map value.
    unsafe { drops(live, observe, &raw mut (*ban).until_ns, &raw mut (*ban).packets, &raw mut (*ban).bytes, bytes) }
}

/// Whether a ban with this deadline is in force; counts the packet in it, unless the mode is observe.
///
/// # Safety
/// All three point into a live map value.
#[inline(always)]
unsafe fn drops(
    live: &Live,
    observe: u32,
    until_ns: *mut u64,
    packets: *mut u64,
    octets: *mut u64,
    bytes: u64,
) -> bool {
    // SAFETY: promised by the caller.
    let is_in_force = holds(live, unsafe { *until_ns });
    if is_in_force && observe == 0 {
        count_dropped(packets, octets, bytes);
    }
    is_in_force
}

/// The seats of the line of a source.
#[inline(always)]
fn seats(source: Source) -> Option<[*mut Seat; seat::SEATS]> {
    let line = SEATS.get_ptr_mut(seat::line_of(source, SEAT_LINES.load()))?;
    // SAFETY: a live map value.
    Some(unsafe { [&raw mut (*line).seats[0], &raw mut (*line).seats[1]] })
}

#[inline(always)]
fn holder(seat: *mut Seat) -> Shared {
    // SAFETY: a live map value, aligned to a line.
    unsafe { Shared::new(&raw mut (*seat).holder) }
}

/// Lets packets find a ban that was written into the table. Without a free seat in its line they find it there.
#[inline(always)]
fn take_seat(source: Source, until_ns: u64) {
    let Some([first, second]) = seats(source) else { return };
    let name = seat::name(source);
    let is_seated = |seat| holder(seat).load() == name;
    let seat = if is_seated(first) || !is_seated(second) && is_taken(first, name) {
        first
    } else if is_taken(second, name) {
        second
    } else {
        return;
    };
    // SAFETY: a live map value, aligned to a line; an eight-byte store cannot tear.
    unsafe { (&raw mut (*seat).until_ns).write_volatile(until_ns) };
}

/// Whether a seat is this source's, now or before.
#[inline(always)]
fn is_taken(seat: *mut Seat, name: u64) -> bool {
    let holder = holder(seat);
    let before = holder.load();
    seat::is_free(before) && holder.replace(before, name) || holder.load() == name
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
        if BANS.insert(source, fresh, u64::from(BPF_NOEXIST)).is_err() {
            return Some(Reason::BanLost);
        }
        take_seat(source, fresh.until_ns);
        return None;
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
    take_seat(source, fresh.until_ns);
    None
}
