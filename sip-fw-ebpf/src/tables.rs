//! Operations on the maps: the only place that dereferences map values.

use core::ffi::c_void;

use aya_ebpf::bindings::{BPF_NOEXIST, BPF_RB_FORCE_WAKEUP};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_map_lookup_elem};
use aya_ebpf::maps::lpm_trie::Key;
use sip_fw_common::abi::{
    Asked, Ban, Event, EventKind, Known, Live, Nonce, Peer, PeerKey, PrefixKey, RULE_SET_BEFORE, RULE_SET_IN_FORCE,
    Settings, Source, SourceState, Strike, Strikes, Transaction, TransactionKey, port_slot,
};
use sip_fw_common::ladder;
use sip_fw_common::limits::{ANSWER_TIME_NS, CREDENTIALS_MAX, STRIKES_MAX, UNREAD_SECONDS};
use sip_fw_common::reason::Reason;
use sip_fw_common::rules::{self, Decision, Header, LEAF_WORDS, Page, Pages, ServiceEntry, Who};
use sip_fw_common::sip::Scan;

use crate::atomic::Shared;
use crate::maps::{
    ASKED, BAN_PREFIXES, BANS, COUNTERS, EVENTS, LIVE, NONCES, PEERS, RULE_SETS, RuleSetPages, SCRATCH_EGRESS,
    SCRATCH_INGRESS, SOURCES, STRIKES, Scratch, TRANSACTIONS, UNREAD,
};

/// Nanoseconds of a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// What is in force for one packet.
pub struct Rules {
    /// What changes while the rule set stays.
    pub live: &'static Live,
    /// The beginning of the rule set.
    pub header: &'static Header,
    set: &'static RuleSetPages,
}

/// The rule set in force; None before the agent wrote one. Read once per packet, so that no packet meets two.
#[inline(always)]
pub fn rules() -> Option<Rules> {
    let live = LIVE.get(0)?;
    let waits = live.confirm_until_ns != 0 && crate::clock::now_ns(live) >= live.confirm_until_ns;
    let set = RULE_SETS.get(if waits { RULE_SET_BEFORE } else { RULE_SET_IN_FORCE })?;
    let header = Header::of(page(set, 0)?);
    Some(Rules { live, header, set })
}

/// A page of a rule set.
#[inline(always)]
fn page(set: &RuleSetPages, number: u32) -> Option<&Page> {
    // SAFETY: a live map value; but for counters, nobody writes it once it is in force.
    page_mut(set, number).map(|page| unsafe { &*page })
}

/// The same, to write a counter into it.
#[inline(always)]
fn page_mut(set: &RuleSetPages, number: u32) -> Option<*mut Page> {
    let map = core::ptr::from_ref(set).cast_mut().cast::<c_void>();
    // SAFETY: a map that RULE_SETS gave, and a key of its size; the value is a page, or null behind the last one.
    let page = unsafe { bpf_map_lookup_elem(map, (&raw const number).cast()) }.cast::<Page>();
    if page.is_null() { None } else { Some(page) }
}

impl Pages for Rules {
    #[inline(always)]
    fn page(&self, number: u32) -> Option<&Page> {
        page(self.set, number)
    }

    #[inline(always)]
    fn leaf(&self, first: u32, last: u32, key: u64) -> Option<u32> {
        // Mostly there is but one, or two.
        if first >= last {
            return Some(first);
        }
        if last - first == 1 {
            return Some(if self.word(last.wrapping_mul(LEAF_WORDS))? <= key { last } else { first });
        }
        let leaf = sip_fw_leaf(first, last, key, self.header.generation);
        (leaf != NO_LEAF).then_some(leaf)
    }
}

/// In the place of a leaf: the rule set was replaced meanwhile.
const NO_LEAF: u32 = u32::MAX;

/// Searches among the leaves of the rule set of this generation. A global function: the verifier walks its loop once, and what
/// it returns is one unknown number. It cannot be handed a map, so it must see that it has the same one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_leaf(first: u32, last: u32, key: u64, generation: u32) -> u32 {
    let same = rules().filter(|rules| rules.header.generation == generation);
    same.and_then(|rules| rules::search(&rules, first, last, key)).unwrap_or(NO_LEAF)
}

impl Rules {
    /// What the programs go by.
    #[inline(always)]
    pub fn settings(&self) -> &'static Settings {
        &self.header.settings
    }

    /// The service that listens on a port, and its number.
    #[inline(always)]
    pub fn service(&self, tcp: bool, port: u16) -> Option<(u8, ServiceEntry)> {
        let number = rules::service_at(self, self.header, port_slot(tcp, port))?;
        Some((number, self.header.service(number)))
    }

    /// What the access rules say of an address in a column.
    #[inline(always)]
    pub fn decide(&self, who: Who, column: u32) -> Option<Decision> {
        rules::decide(self, self.header, who, column)
    }

    /// The decision for known peers of a service.
    #[inline(always)]
    pub fn learned(&self, column: u32) -> Decision {
        self.header.service(column as u8).learned()
    }

    /// Counts a packet of a rule on this CPU.
    #[inline(always)]
    pub fn count(&self, rule: u32, bytes: u64) {
        // SAFETY: the helper takes nothing and cannot fail.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        if cpu >= self.header.cpus {
            return;
        }
        let at = rules::counter_at(self.header, cpu, rule);
        let Some(page) = page_mut(self.set, at / rules::PAGE_WORDS) else { return };
        // Both words of a counter lie in one page: counters begin with a page, and their words divide it.
        let slot = (at % rules::PAGE_WORDS / rules::COUNTER_WORDS * rules::COUNTER_WORDS) as usize;
        // SAFETY: below the length of a page; nobody but this CPU writes its counters.
        unsafe {
            (*page).words[slot] += 1;
            (*page).words[slot + 1] += bytes;
        }
    }
}

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

/// Makes a scan [`Scan::NOTHING`], word by word: an assignment becomes a call that stores byte by byte.
#[inline(always)]
pub fn clear(scan: &mut Scan) {
    const WORDS: usize = size_of::<Scan>() / 8;
    const _: () = assert!(WORDS * 8 == size_of::<Scan>());
    let mut word = 0;
    while word < WORDS {
        // SAFETY: below the length asserted above; Scan is plain integers, aligned to eight bytes, valid as zeroes.
        unsafe { (&raw mut *scan).cast::<u64>().add(word).write_volatile(0) };
        word += 1;
    }
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

/// Whether packets of this source are to be dropped; counts the packet in the ban, unless the mode is observe.
#[inline(always)]
pub fn is_banned(rules: &Rules, source: Source, prefix: impl FnOnce() -> PrefixKey, bytes: u64) -> bool {
    let exact = BANS.get_ptr_mut(source);
    // SAFETY: a live map value.
    if let Some(ban) = exact.filter(|ban| holds(rules.live, unsafe { (**ban).until_ns })) {
        if rules.settings().observe == 0 {
            // SAFETY: a live map value.
            count_dropped(unsafe { &raw mut (*ban).packets }, unsafe { &raw mut (*ban).bytes }, bytes);
        }
        return true;
    }
    rules.live.prefix_bans != 0 && is_prefix_banned(rules.live, rules.settings().observe, &prefix(), bytes)
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
        (*known).user = transaction.user;
        (*known).user_agent = transaction.user_agent;
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
fn proves(nonces: &[u64; CREDENTIALS_MAX], source: Source) -> bool {
    let mut slot = 0;
    while slot < CREDENTIALS_MAX {
        if nonce(nonces[slot]).is_some_and(|nonce| nonce.is_only_of(source)) {
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

/// Remembers a success: who it was, and that the source is a known peer. True if that user was none yet.
#[inline(always)]
pub fn welcome(source: Source, user: u64, peer: &mut Peer) -> bool {
    let now_ns = peer.last_ns;
    let mut fresh_user = false;
    for key in [PeerKey { source, user }, PeerKey { source, user: 0 }] {
        if let Some(known) = PEERS.get_ptr_mut(key) {
            // SAFETY: a live map value; an eight-byte store cannot tear.
            unsafe { (*known).last_ns = now_ns };
        } else {
            peer.first_ns = now_ns;
            let fresh: &Peer = peer;
            let inserted = PEERS.insert(key, fresh, u64::from(BPF_NOEXIST)).is_ok();
            fresh_user |= inserted && key.user == user;
        }
    }
    fresh_user
}

/// Remembers a request of this host until it is answered.
#[inline(always)]
pub fn ask(key: &TransactionKey, asked: &Asked) {
    let _ = ASKED.insert(key, asked, u64::from(BPF_NOEXIST));
    let _ = ASKED.insert(TransactionKey { source: key.source, branch: Asked::ANY_BRANCH }, asked, 0);
}

/// Whether this host asked a source from a service's port so lately that an answer to it may be on its way.
#[inline(always)]
pub fn was_asked(source: Source, service: u32, now_ns: u64) -> bool {
    // SAFETY: a live map value, copied out at once.
    let asked = unsafe { ASKED.get(TransactionKey { source, branch: Asked::ANY_BRANCH }) };
    asked.is_some_and(|asked| {
        u32::from(asked.service) == service && now_ns.saturating_sub(asked.time_ns) < ANSWER_TIME_NS
    })
}

/// What this host asked there, once: the first answer takes it.
#[inline(always)]
pub fn answered(key: &TransactionKey) -> Option<Asked> {
    // SAFETY: a live map value, copied out at once.
    let asked = unsafe { ASKED.get(key) }.copied()?;
    ASKED.remove(key).ok().map(|()| asked)
}

/// Whether a source is a known peer, whoever it was.
#[inline(always)]
pub fn is_peer(settings: &Settings, source: Source, now_ns: u64) -> bool {
    // SAFETY: a live map value, copied out at once.
    let peer = unsafe { PEERS.get(PeerKey { source, user: 0 }) };
    peer.is_some_and(|peer| now_ns.saturating_sub(peer.last_ns) < settings.known_peer_ns)
}

/// Whether somebody authenticated from a source that is no upstream, however long ago.
#[inline(always)]
pub fn is_peer_but_no_upstream(source: Source) -> bool {
    // SAFETY: live map values, of which only whether they are there is used.
    let known = |user| unsafe { PEERS.get(PeerKey { source, user }) }.is_some();
    known(0) && !known(PeerKey::UPSTREAM)
}

/// Who authenticated from this source lately.
#[inline(always)]
pub fn known(settings: &Settings, source: Source, user: u64, now_ns: u64) -> Known {
    let lately = |user| {
        // SAFETY: a live map value, copied out at once.
        let peer = unsafe { PEERS.get(PeerKey { source, user }) };
        peer.is_some_and(|peer| now_ns.saturating_sub(peer.last_ns) < settings.known_peer_ns)
    };
    match (lately(0), lately(user)) {
        (false, _) => Known::Nobody,
        (true, false) => Known::Source,
        (true, true) => Known::User,
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

/// Sends an event to the agent.
#[inline(always)]
pub fn send(event: &Event) {
    match EVENTS.reserve::<Event>(0) {
        Some(mut room) => {
            room.write(*event);
            let urgent = event.kind == EventKind::Ban as u8;
            room.submit(if urgent { u64::from(BPF_RB_FORCE_WAKEUP) } else { 0 });
        }
        None => record(Reason::EventLost, 0),
    }
}
