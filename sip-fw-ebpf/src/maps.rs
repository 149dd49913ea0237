//! Every map: what it holds, who writes and reads it, and what happens when it is full.
//!
//! The sizes here are placeholders; user space sets the configured ones when it loads the object.

use aya_ebpf::Global;
use aya_ebpf::bindings::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use aya_ebpf::bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::btf_maps::ArrayOfMaps;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use sip_fw_common::abi::{
    Asked, Ban, Counter, Event, Gate, Line, Live, Nonce, Peer, PeerKey, PrefixKey, RULE_SETS_LEN, Shun, Signatures,
    Source, SourceState, Strikes, Transaction, TransactionKey,
};
use sip_fw_common::head::Head;
use sip_fw_common::limits::{
    ASKED_MAX, BUCKETS_MAX, EVENT_RING_BYTES, SHUNS_MAX, SIGNATURE_KEYS_MAX, UNREAD_SECONDS, VERDICTS_MAX,
};
use sip_fw_common::reason::Reason;
use sip_fw_common::rules::{Decision, Page};
use sip_fw_common::signature::Folded;
use sip_fw_common::sip::{Cursor, Scan};

/// Written by the agent, read once per packet.
#[map]
pub static LIVE: Array<Live> = Array::with_max_entries(1, 0);

/// Written by the agent, read once per packet before a rule set is.
#[map]
pub static GATE: Array<Gate> = Array::with_max_entries(1, 0);

/// What this CPU saw when it last looked at the clock.
#[map]
pub static TICK: PerCpuArray<Tick> = PerCpuArray::with_max_entries(1, 0);

/// A tick of the kernel's timer, and the time that the coarse clock stood at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tick {
    /// Its number; 0 before the first look.
    pub number: u64,
    /// CLOCK_MONOTONIC_COARSE.
    pub now_ns: u64,
}

/// What the rules said of a source lately, at the hash of its address. Written by ingress alone. Never full: who meets in an entry
/// pushes the other out.
#[map]
pub static VERDICTS: PerCpuArray<Verdict> = PerCpuArray::with_max_entries(VERDICTS_MAX, 0);

/// A decision, and whom it is about.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Verdict {
    /// The address, as in [`sip_fw_common::rules::Who`].
    pub high: u64,
    /// Its second half.
    pub low: u64,
    /// The rule set, the family and the column; 0 in an unused entry.
    pub asked: u64,
    /// The decision.
    pub decision: Decision,
}

/// A rule set: an array of pages, as long as its rules need. Described by sizes: with types, Linux 6.1 takes only maps that
/// were made with types, too, for one of these.
#[repr(C)]
pub struct RuleSetPages {
    r#type: *const [i32; BPF_MAP_TYPE_ARRAY as usize],
    key_size: *const [i32; size_of::<u32>()],
    value_size: *const [i32; size_of::<Page>()],
    max_entries: *const [i32; 1],
    map_flags: *const [i32; BPF_F_INNER_MAP as usize],
}

/// The rule set in force, and the one before it. Written by the agent, a whole rule set at once.
#[btf_map]
pub static RULE_SETS: ArrayOfMaps<RuleSetPages, { RULE_SETS_LEN as usize }> = ArrayOfMaps::new();

/// Bans and the memory of ended ones. Written by egress at the threshold and by the agent; never evicted by itself.
/// Full: the ban is lost and counted, the agent forgets the oldest ended ones.
#[map]
pub static BANS: HashMap<Source, Ban> = HashMap::with_max_entries(1024, 0);

/// Where packets find bans. Written by egress and by the agent, which also counts what is in it. Full: [`BANS`] is asked. User space
/// writes it through its memory, and only as such a map is it aligned to the lines of the caches.
#[map]
pub static SEATS: Array<Line> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The lines of [`SEATS`]; set when the programs are loaded.
#[unsafe(no_mangle)]
pub static SEAT_LINES: Global<u32> = Global::new(1);

/// Bans of prefixes. Written by the agent alone.
#[map]
pub static BAN_PREFIXES: LpmTrie<PrefixKey, Ban> = LpmTrie::with_max_entries(1024, BPF_F_NO_PREALLOC);

/// Short blocks on unproven evidence. Written by the agent alone. Full: the least recently hit ends early.
#[map]
pub static SHUNS: LruHashMap<Source, Shun> = LruHashMap::with_max_entries(SHUNS_MAX, 0);

/// Message rates, at the hash of their source; see [`sip_fw_common::bucket`]. Never full: sources that meet in an entry forget
/// each other's rate.
#[map]
pub static BUCKETS: Array<u64> = Array::with_max_entries(BUCKETS_MAX, 0);

/// What scanners write, by its first four bytes. Written by the agent alone.
#[map]
pub static SIGNATURES: HashMap<u32, Signatures> = HashMap::with_max_entries(SIGNATURE_KEYS_MAX, 0);

/// What each source did. Full: the least recently used is forgotten; nothing that bans depends on it.
#[map]
pub static SOURCES: LruHashMap<Source, SourceState> = LruHashMap::with_max_entries(1024, 0);

/// Recent proven failures. Only a source that received one of our nonces, or that the PBX answered over TCP, gets an
/// entry: forged packets cannot push anybody out.
#[map]
pub static STRIKES: LruHashMap<Source, Strikes> = LruHashMap::with_max_entries(1024, 0);

/// Requests that wait for their answer. Full: the least recently used is forgotten and its answer is unmatched.
#[map]
pub static TRANSACTIONS: LruHashMap<TransactionKey, Transaction> = LruHashMap::with_max_entries(1024, 0);

/// Nonces handed out. Full: the least recently used is forgotten and proves nothing any more.
#[map]
pub static NONCES: LruHashMap<u64, Nonce> = LruHashMap::with_max_entries(1024, 0);

/// The second, by its remainder, in which a challenge left whose nonce could not be read. Kamailio hands the same nonce to
/// everybody within a second: somebody may hold a nonce that was only seen going to one source.
#[map]
pub static UNREAD: Array<u64> = Array::with_max_entries(UNREAD_SECONDS, 0);

/// Known peers. Only a success with proof, or whom this host asked and who answered, gets an entry, so forged packets cannot
/// push anybody out.
#[map]
pub static PEERS: LruHashMap<PeerKey, Peer> = LruHashMap::with_max_entries(1024, 0);

/// Requests of this host that an upstream has not answered yet. Written by egress alone. Full: the oldest is forgotten.
#[map]
pub static ASKED: LruHashMap<TransactionKey, Asked> = LruHashMap::with_max_entries(ASKED_MAX, 0);

/// Packets and bytes by [`Reason`].
#[map]
pub static COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(Reason::SLOTS, 0);

/// Events for the agent. Full: the event is lost and counted; what it tells of is in force all the same.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_RING_BYTES, 0);

/// Room for one message, its scan, and what is written into other maps: too much for the stack of 512 bytes.
#[repr(C)]
pub struct Scratch {
    /// The message.
    pub head: Head,
    /// Its scan.
    pub scan: Scan,
    /// Where the scan stands.
    pub cursor: Cursor,
    /// The transaction being built.
    pub transaction: Transaction,
    /// The ban being built.
    pub ban: Ban,
    /// The peer being built.
    pub peer: Peer,
    /// The event being built.
    pub event: Event,
    /// What is compared with signatures.
    pub folded: Folded,
    /// See [`crate::scan::hide`].
    pub hidden: u64,
    /// When the next sample of a denied packet may be told.
    pub next_sample_ns: u64,
    /// When the next sample of a scanner's packet may be told.
    pub next_scanner_ns: u64,
    /// Never written: the value of a source's first strike.
    pub no_strikes: Strikes,
}

/// One per program: egress may run between two instructions of ingress on preemptible kernels.
#[map]
pub static SCRATCH_INGRESS: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// As [`SCRATCH_INGRESS`].
#[map]
pub static SCRATCH_EGRESS: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);
