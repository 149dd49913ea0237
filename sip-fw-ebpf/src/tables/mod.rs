//! Operations on the maps: the only place that dereferences map values.

mod bans;
mod held_back;
mod peers;
mod rules;

use aya_ebpf::bindings::{BPF_NOEXIST, BPF_RB_FORCE_WAKEUP};
use sip_fw_common::abi::{
    Event, EventKind, Live, Nonce, Source, SourceState, Strike, Strikes, Transaction, TransactionKey,
};
use sip_fw_common::limits::{CREDENTIALS_MAX, STRIKES_MAX, UNREAD_SECONDS};
use sip_fw_common::reason::Reason;

pub use self::bans::{ban, is_banned, is_in_banned_prefix, write_ban};
pub use self::held_back::{admit, is_shunned, is_signed};
pub use self::peers::{answered, ask, await_answers, is_peer, is_peer_but_no_upstream, known, was_asked, welcome};
pub use self::rules::{Rules, gate, live, may_be_served, rules};
use crate::atomic::Shared;
use crate::maps::{
    COUNTERS, EVENTS, NONCES, SCRATCH_EGRESS, SCRATCH_INGRESS, SOURCES, STRIKES, Scratch, TRANSACTIONS, UNREAD,
};
use crate::words;

/// Nanoseconds of a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// This CPU's scratch of ingress.
#[inline(always)]
pub fn scratch_ingress() -> Option<&'static mut Scratch> {
    // SAFETY: per CPU, and ingress does not interrupt itself.
    SCRATCH_INGRESS.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

/// This CPU's scratch of egress.
#[inline(always)]
pub fn scratch_egress() -> Option<&'static mut Scratch> {
    // SAFETY: per CPU, and egress does not interrupt itself.
    SCRATCH_EGRESS.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

/// Counts a packet under what was seen of it.
#[inline(always)]
pub fn record(reason: Reason, bytes: u64) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: per CPU, so nobody else writes it meanwhile.
        unsafe {
            (*counter).packets += 1;
            (*counter).bytes += bytes;
        }
    }
}

/// Adds to a counter that several CPUs write.
#[inline(always)]
fn add(counter: *mut u64, amount: u64) {
    // SAFETY: the caller points into a live map value, whose fields are eight-byte aligned.
    unsafe { Shared::new(counter) }.add(amount);
}

#[inline(always)]
fn holds(live: &Live, until_ns: u64) -> bool {
    crate::clock::now_ns(live) < until_ns
}

#[inline(always)]
fn count_dropped(packets: *mut u64, octets: *mut u64, bytes: u64) {
    add(packets, 1);
    add(octets, bytes);
}

/// The counters of a source, created at its first request.
pub struct Account(*mut SourceState);

/// A counter of a source.
#[derive(Clone, Copy)]
pub enum Entry {
    /// [`SourceState::requests`].
    Request,
    /// [`SourceState::attempts`].
    Attempt,
    /// [`SourceState::failures_proven`].
    FailureProven,
    /// [`SourceState::failures_unproven`].
    FailureUnproven,
    /// [`SourceState::successes`].
    Success,
    /// [`SourceState::challenges`].
    Challenge,
    /// [`SourceState::stale`].
    Stale,
}

impl Account {
    /// The account of this source.
    #[inline(always)]
    pub fn of(source: Source, now_ns: u64) -> Option<Self> {
        if let Some(state) = SOURCES.get_ptr_mut(source) {
            // SAFETY: a live map value; an eight-byte store cannot tear.
            unsafe { (*state).last_seen_ns = now_ns };
            return Some(Self(state));
        }
        let fresh = SourceState {
            requests: 0,
            attempts: 0,
            failures_proven: 0,
            failures_unproven: 0,
            successes: 0,
            challenges: 0,
            stale: 0,
            first_seen_ns: now_ns,
            last_seen_ns: now_ns,
        };
        // Another CPU may have been first; both then add to its entry.
        let _ = SOURCES.insert(source, fresh, u64::from(BPF_NOEXIST));
        SOURCES.get_ptr_mut(source).map(Self)
    }

    /// Adds one.
    #[inline(always)]
    pub fn count(&self, entry: Entry) {
        let state = self.0;
        // SAFETY: a live map value.
        let counter = unsafe {
            match entry {
                Entry::Request => &raw mut (*state).requests,
                Entry::Attempt => &raw mut (*state).attempts,
                Entry::FailureProven => &raw mut (*state).failures_proven,
                Entry::FailureUnproven => &raw mut (*state).failures_unproven,
                Entry::Success => &raw mut (*state).successes,
                Entry::Challenge => &raw mut (*state).challenges,
                Entry::Stale => &raw mut (*state).stale,
            }
        };
        add(counter, 1);
    }
}

/// What became of a request that was to be remembered.
pub enum Remembered {
    /// It is new.
    New,
    /// It repeats one that is remembered.
    Retransmission,
    /// There was no room.
    Full,
}

/// Remembers a request until its answer. A branch that comes again with other credentials is another request.
///
/// While an attempt waits for its answer, nothing on the same branch covers it: neither a request without credentials nor
/// one whose nonces prove nothing.
#[inline(always)]
pub fn remember(key: &TransactionKey, transaction: &Transaction) -> Remembered {
    let Some(known) = TRANSACTIONS.get_ptr_mut(key) else {
        return match TRANSACTIONS.insert(key, transaction, u64::from(BPF_NOEXIST)) {
            Ok(()) => Remembered::New,
            // EEXIST: the same packet on another CPU.
            Err(-17) => Remembered::Retransmission,
            Err(_) => Remembered::Full,
        };
    };
    // SAFETY: a live map value. Two CPUs that write it at once carry requests of one branch, as no phone sends them.
    unsafe {
        if (*known).digest == transaction.digest && (*known).method == transaction.method {
            return Remembered::Retransmission;
        }
        let waiting = (*known).credentials != 0 && (*known).answered < (*known).asked;
        if waiting && (transaction.credentials == 0 || proves(&(*known).nonces, key.source)) {
            if transaction.credentials != 0 {
                (*known).digest = transaction.digest;
            }
            Shared::new(&raw mut (*known).credit).add(transaction.credit);
            Shared::new(&raw mut (*known).asked).add(1);
            return Remembered::New;
        }
        (*known).nonces = transaction.nonces;
        (*known).digest = transaction.digest;
        (*known).user_hash = transaction.user_hash;
        (*known).peer_port = transaction.peer_port;
        (*known).method = transaction.method;
        (*known).tcp = transaction.tcp;
        (*known).credentials = transaction.credentials;
        (*known).credit = transaction.credit;
        words::copy(&transaction.user, &mut (*known).user);
        words::copy(&transaction.user_agent, &mut (*known).user_agent);
        Shared::new(&raw mut (*known).asked).add(1);
    }
    Remembered::New
}

/// The request that an answer belongs to.
#[inline(always)]
pub fn asked(key: &TransactionKey) -> Option<&'static Transaction> {
    // SAFETY: a live map value, read only.
    unsafe { TRANSACTIONS.get(key) }
}

/// Takes the right to judge one request of this branch: true for each request once, however often its answer is sent.
#[inline(always)]
pub fn claim(transaction: &'static Transaction) -> bool {
    let counter = (&raw const transaction.answered).cast_mut();
    // SAFETY: a live map value, aligned as its type says.
    let answered = unsafe { Shared::new(counter) };
    let seen = answered.load();
    seen < transaction.asked && answered.replace(seen, seen + 1)
}

/// Spends the proof that a request of this branch carried: true for each such request once, whatever else came on its branch in
/// the name of its source.
#[inline(always)]
pub fn spend(transaction: &'static Transaction) -> bool {
    let counter = (&raw const transaction.credit).cast_mut();
    // SAFETY: a live map value, aligned as its type says.
    let credit = unsafe { Shared::new(counter) };
    let seen = credit.load();
    seen > 0 && credit.replace(seen, seen - 1)
}

/// Remembers that this nonce was handed to this source, to challenge this method.
#[inline(always)]
pub fn hand_out(nonce: u64, receiver: Source, method: u8, form: u64, now_ns: u64) {
    let flags = form | Nonce::challenged(method);
    let fresh = Nonce { receiver, flags, time_ns: now_ns };
    if NONCES.insert(nonce, fresh, u64::from(BPF_NOEXIST)).is_ok() {
        return;
    }
    let Some(known) = NONCES.get_ptr_mut(nonce) else { return };
    // SAFETY: a live map value, aligned as its type says.
    unsafe {
        let shared = if (*known).is_only_of(receiver) { 0 } else { Nonce::SHARED };
        Shared::new(&raw mut (*known).flags).set(flags | shared);
    }
}

/// Remembers that a challenge left now whose nonce could not be read.
#[inline(always)]
pub fn mark_unread(now_ns: u64) {
    let second = now_ns / SECOND_NS;
    if let Some(slot) = UNREAD.get_ptr_mut(second as u32 & (UNREAD_SECONDS - 1)) {
        // SAFETY: a live map value; an eight-byte store cannot tear.
        unsafe { *slot = second };
    }
}

/// Whether somebody else may hold this nonce: a challenge that could not be read left within two seconds of it.
/// Chan_pjsip's nonces differ by their receiver.
#[inline(always)]
pub fn is_doubtful(nonce: &Nonce) -> bool {
    let second = nonce.time_ns / SECOND_NS;
    let unread = |at: u64| UNREAD.get(at as u32 & (UNREAD_SECONDS - 1)).is_some_and(|seen| *seen == at);
    nonce.flags & Nonce::PJSIP == 0
        && (unread(second.wrapping_sub(2))
            || unread(second.wrapping_sub(1))
            || unread(second)
            || unread(second + 1)
            || unread(second + 2))
}

/// What is known of a nonce.
#[inline(always)]
pub fn nonce(hash: u64) -> Option<Nonce> {
    // SAFETY: a live map value, copied out at once.
    unsafe { NONCES.get(hash) }.copied()
}

/// Whether one of these nonces was handed to this source and to no other.
#[inline(never)]
pub fn proves(nonces: &[u64; CREDENTIALS_MAX], source: Source) -> bool {
    let mut slot = 0;
    while slot < CREDENTIALS_MAX {
        if nonces[slot] != 0 && nonce(nonces[slot]).is_some_and(|nonce| nonce.is_only_of(source)) {
            return true;
        }
        slot += 1;
    }
    false
}

/// Writes a proven failure into the source's ring and counts those that matter now.
///
/// A global function (scalars only): the verifier checks it once, and what it returns is one unknown number to the rest
/// instead of 32 known ones.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_strike(source: u64, user: u64, now_ns: u64, window_ns: u64, forgiven_ns: u64) -> u32 {
    let source = Source { bits: source };
    if STRIKES.get_ptr_mut(source).is_none()
        && let Some(scratch) = scratch_egress()
    {
        let none: &Strikes = &scratch.no_strikes;
        let _ = STRIKES.insert(source, none, u64::from(BPF_NOEXIST));
    }
    let Some(strikes) = STRIKES.get_ptr_mut(source) else { return 0 };
    // SAFETY: a live map value; every CPU writes its own slot.
    unsafe {
        let written = Shared::new(&raw mut (*strikes).written);
        let slot = (written.fetch_add(1) & (STRIKES_MAX as u64 - 1)) as usize;
        (*strikes).ring[slot] = Strike { time_ns: now_ns, user };
        // An atomic that returns a value is a full barrier: of two CPUs, at least one counts both strikes.
        let _ = written.fetch_add(0);
        (*strikes).within(window_ns, now_ns, forgiven_ns)
    }
}

/// Clears the strikes of this user at this source.
#[inline(always)]
pub fn clear_strikes(source: Source, user: u64) {
    let Some(strikes) = STRIKES.get_ptr_mut(source) else { return };
    let mut slot = 0;
    while slot < STRIKES_MAX {
        // SAFETY: a live map value; an eight-byte store cannot tear.
        unsafe {
            if (*strikes).ring[slot].user == user {
                (*strikes).ring[slot].time_ns = 0;
            }
        }
        slot += 1;
    }
}

/// Sends an event to the agent.
#[inline(always)]
pub fn send(event: &Event) {
    match EVENTS.reserve::<Event>(0) {
        Some(mut room) => {
            words::write(event, &mut room);
            let urgent = event.kind == EventKind::Ban as u8;
            room.submit(if urgent { u64::from(BPF_RB_FORCE_WAKEUP) } else { 0 });
        }
        None => record(Reason::EventLost, 0),
    }
}
