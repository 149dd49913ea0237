//! Map keys and values.

use super::{Evidence, Source, number_enum};
use crate::limits::{CREDENTIALS_MAX, LADDER_STEPS_MAX, SIGNATURES_ALIKE_MAX, STRIKES_MAX, TEXT_BYTES};

/// The deadline of a ban that only an operator ends.
pub const UNTIL_LIFTED_NS: u64 = u64::MAX;

/// What changes while a rule set stays in force; one entry of an array map, read once per packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Live {
    /// Added to the kernel's clock (wrapping), so that tests can move it. 0 when live.
    pub clock_offset_ns: u64,
    /// The programs' clock stands at this, so that a capture can be replayed on its own time. 0 when live.
    pub fixed_now_ns: u64,
    /// From then on the rule set before is in force again, unless an operator confirmed the new one. 0: nothing waits.
    pub confirm_until_ns: u64,
    /// Secret start of every hash, so that nobody outside can aim at a collision. 0 before the agent wrote any.
    pub hash_seed: u64,
    /// Prefix bans in force; at 0 their table is not asked.
    pub prefix_bans: u32,
    /// Shuns in force; at 0 their table is not asked.
    pub shuns: u32,
    /// Scanner signatures; at 0 their table is not asked.
    pub signatures: u32,
    /// Always 0. The verifier cannot know that, which keeps its states few (see the scanner).
    pub zero: u32,
}
const _: () = assert!(size_of::<Live>() == 48);

/// What the programs go by, a part of each rule set.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// Failures older than this no longer count towards the threshold.
    pub window_ns: u64,
    /// Quiet time after the end of a ban after which its step of the ladder is forgotten.
    pub decay_ns: u64,
    /// How long a source that authenticated stays a known peer.
    pub known_peer_ns: u64,
    /// Length of a ban at each step of the ladder; the first [`Settings::ladder_steps`] are valid.
    pub ladder_ns: [u64; LADDER_STEPS_MAX],
    /// Bits of an IPv6 address that make a source.
    pub ipv6_mask: u64,
    /// Proven failures within the window that ban, 1 to [`STRIKES_MAX`].
    pub threshold: u32,
    /// Valid entries of [`Settings::ladder_ns`], 1 to [`LADDER_STEPS_MAX`].
    pub ladder_steps: u32,
    /// 1: decide and report everything, drop nothing.
    pub observe: u32,
    /// 1: a banned source reaches no port of this host, 0: no port of a service.
    pub scope_host: u32,
}
const _: () = assert!(size_of::<Settings>() == 8 * (4 + LADDER_STEPS_MAX) + 16);

number_enum! {
    /// What is done with the packets of a service's ports.
    pub enum ServiceKind: u8 {
        /// Parsed and judged.
        Sip = 1 => "sip",
        /// Only gated: bans apply, nothing is read.
        Opaque = 2 => "opaque",
    }
}

/// Text from a packet, cut and padded with zero bytes. Arbitrary bytes, for people to read once escaped.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The bytes.
    pub bytes: [u8; TEXT_BYTES],
}

impl Text {
    /// No text.
    pub const EMPTY: Self = Self { bytes: [0; TEXT_BYTES] };

    /// The bytes before the first zero byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.bytes.iter().position(|b| *b == 0).unwrap_or(TEXT_BYTES);
        self.bytes.get(..end).unwrap_or(&[])
    }
}

number_enum! {
    /// Who decided a ban.
    pub enum BanOrigin: u8 {
        /// The threshold of proven failures, in the kernel.
        Failures = 1 => "auth-failures",
        /// An operator.
        Operator = 2 => "operator",
        /// The agent.
        Agent = 3 => "agent",
    }
}

/// A ban, or the memory of one that ended: the next ban of this source climbs from its step.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Packets are dropped while the clock is before this.
    pub until_ns: u64,
    /// When this ban began.
    pub since_ns: u64,
    /// Packets dropped, over all bans of this source.
    pub packets: u64,
    /// Bytes dropped, over all bans of this source.
    pub bytes: u64,
    /// Strikes that led to the ban; 0 for an operator's.
    pub strikes: u32,
    /// Step of the ladder, from 1; 0 for a ban outside the ladder and after a pardon.
    pub level: u8,
    /// A [`BanOrigin`].
    pub origin: u8,
    /// An [`super::Evidence`].
    pub evidence: u8,
    /// Number of the service the last attempt went to.
    pub service: u8,
    /// User name of the last attempt.
    pub user: Text,
    /// User-Agent of the last attempt.
    pub user_agent: Text,
}
const _: () = assert!(size_of::<Ban>() == 40 + 2 * TEXT_BYTES);

impl Ban {
    /// A ban that dropped nothing yet: proven, outside the ladder, and nothing is known of any attempt.
    #[must_use]
    pub const fn new(origin: BanOrigin, since_ns: u64, until_ns: u64) -> Self {
        Self {
            until_ns,
            since_ns,
            packets: 0,
            bytes: 0,
            strikes: 0,
            level: 0,
            origin: origin as u8,
            evidence: Evidence::Proven as u8,
            service: 0,
            user: Text::EMPTY,
            user_agent: Text::EMPTY,
        }
    }
}

/// A short block on unproven evidence: of SIP services, and never of a known peer.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shun {
    /// Packets are dropped while the clock is before this.
    pub until_ns: u64,
    /// When it began.
    pub since_ns: u64,
    /// Packets dropped.
    pub packets: u64,
    /// Bytes dropped.
    pub bytes: u64,
}
const _: () = assert!(size_of::<Shun>() == 32);

/// How many messages a source may send to a service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rate {
    /// Microseconds that a message costs; 0: no limit.
    pub interval_us: u32,
    /// Messages at once.
    pub burst: u32,
}

/// Text that scanners begin a header with, folded by [`crate::signature::fold`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The text.
    pub words: [u64; TEXT_BYTES / 8],
    /// Ones where it counts; over the whole text for one that must match to its end.
    pub mask: [u64; TEXT_BYTES / 8],
}
const _: () = assert!(size_of::<Signature>() == 2 * TEXT_BYTES);

/// The signatures that begin with the same four bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// They; an unused one has no mask.
    pub list: [Signature; SIGNATURES_ALIKE_MAX],
}

/// What one source did.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SourceState {
    /// SIP requests, each transaction once.
    pub requests: u64,
    /// Requests with Digest credentials, each once.
    pub attempts: u64,
    /// Attempts that failed and prove that the source is real.
    pub failures_proven: u64,
    /// Attempts that failed, of a source that may be forged.
    pub failures_unproven: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// Requests without credentials that were challenged.
    pub challenges: u64,
    /// Attempts refused for an old nonce only.
    pub stale: u64,
    /// First packet of this source.
    pub first_seen_ns: u64,
    /// Last SIP request of this source.
    pub last_seen_ns: u64,
}
const _: () = assert!(size_of::<SourceState>() == 72);

/// One proven failure.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Strike {
    /// When; 0: none, or cleared by a success.
    pub time_ns: u64,
    /// Hash of the user name tried.
    pub user: u64,
}

/// The latest proven failures of one source, in a ring.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strikes {
    /// Strikes ever written; the next goes to this number modulo [`STRIKES_MAX`].
    pub written: u64,
    /// The ring.
    pub ring: [Strike; STRIKES_MAX],
}
const _: () = assert!(size_of::<Strikes>() == 8 + 16 * STRIKES_MAX);

impl Strikes {
    /// No strike yet.
    pub const NONE: Self = Self { written: 0, ring: [Strike { time_ns: 0, user: 0 }; STRIKES_MAX] };

    /// Strikes within the window that ends now, and after the last ban of the source ended (`forgiven_ns`):
    /// a ban settles what led to it.
    #[must_use]
    pub fn within(&self, window_ns: u64, now_ns: u64, forgiven_ns: u64) -> u32 {
        let mut count = 0;
        for strike in &self.ring {
            let counts = strike.time_ns > forgiven_ns && now_ns.saturating_sub(strike.time_ns) <= window_ns;
            count += u32::from(counts);
        }
        count
    }
}

/// What ties an answer to its request: the source and its top Via branch (RFC 3261 §17.1.3, §17.2.3).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionKey {
    /// Who asked.
    pub source: Source,
    /// Hash of the branch; of nothing where the request has none.
    pub branch: u64,
}
const _: () = assert!(size_of::<TransactionKey>() == 16);

/// A request that waits for its answer.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Hashes of the nonces in its credentials; the first [`Transaction::credentials`] are valid.
    pub nonces: [u64; CREDENTIALS_MAX],
    /// Hash over all its credentials; 0 without. Another digest on the same branch is another attempt.
    pub digest: u64,
    /// Hash of the user name in its credentials, or [`Transaction::SEVERAL_USERS`].
    pub user_hash: u64,
    /// Requests on this branch, retransmissions not counted.
    pub asked: u64,
    /// Final answers on this branch that were judged; never more than [`Transaction::asked`].
    pub answered: u64,
    /// Requests on this branch that carried proof; a failure that counts as proven spends one.
    pub credit: u64,
    /// The peer's port, which ties an answer over TCP to its connection.
    pub peer_port: u16,
    /// A [`super::Method`].
    pub method: u8,
    /// 1: TCP.
    pub tcp: u8,
    /// Digest credentials in the request, at most [`CREDENTIALS_MAX`] of them remembered.
    pub credentials: u8,
    /// Number of the service asked.
    pub service: u8,
    /// Padding.
    pub _pad: [u8; 2],
    /// User name in its credentials; without any, the user it asks for: To's of a REGISTER, else the Request-URI's.
    pub user: Text,
    /// User-Agent.
    pub user_agent: Text,
}
const _: () = assert!(size_of::<Transaction>() == 8 * CREDENTIALS_MAX + 48 + 2 * TEXT_BYTES);

impl Transaction {
    /// Its credentials name several users, of which the PBX looks at one: a success clears nobody's strikes, and nobody's
    /// success clears its failure. No hash is even but that of nothing.
    pub const SEVERAL_USERS: u64 = 2;

    /// Of no request.
    pub const NOTHING: Self = Self {
        nonces: [0; CREDENTIALS_MAX],
        digest: 0,
        user_hash: 0,
        asked: 0,
        answered: 0,
        credit: 0,
        peer_port: 0,
        method: 0,
        tcp: 0,
        credentials: 0,
        service: 0,
        _pad: [0; 2],
        user: Text::EMPTY,
        user_agent: Text::EMPTY,
    };
}

/// A user at a source.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerKey {
    /// Where.
    pub source: Source,
    /// Hash of the user name; 0 for the source itself, whoever it was.
    pub user: u64,
}
const _: () = assert!(size_of::<PeerKey>() == 16);

impl PeerKey {
    /// Stands in the place of a user name's hash for an upstream: this host asked, and it answered. No hash is even but
    /// that of nothing.
    pub const UPSTREAM: u64 = 4;
}

/// A request of this host that waits for the answer of an upstream.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Under a branch: when it was sent. Under [`Asked::ANY_BRANCH`]: until when answers are let in.
    pub time_ns: u64,
    /// A [`super::Method`].
    pub method: u8,
    /// Number of the service whose port it left from.
    pub service: u8,
    /// 1: TCP.
    pub tcp: u8,
    /// Padding.
    pub _pad: [u8; 5],
}
const _: () = assert!(size_of::<Asked>() == 16);

impl Asked {
    /// In the place of a branch's hash: the last request to that source, whatever its branch. No hash is even but that of
    /// nothing.
    pub const ANY_BRANCH: u64 = 2;
}

/// Somebody who authenticated with proof, or an upstream.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// First success.
    pub first_ns: u64,
    /// Last success.
    pub last_ns: u64,
    /// 1: the last one came over TCP.
    pub tcp: u8,
    /// Number of the service.
    pub service: u8,
    /// The [`super::Method`] that an upstream answered first.
    pub method: u8,
    /// Padding.
    pub _pad: [u8; 5],
    /// User name of the last success.
    pub user: Text,
}
const _: () = assert!(size_of::<Peer>() == 24 + TEXT_BYTES);

/// A nonce this host handed out, by its hash.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// The only source it went to, unless [`Nonce::SHARED`].
    pub receiver: Source,
    /// Bits of [`Nonce::SHARED`], [`Nonce::PJSIP`] and [`Nonce::challenged`].
    pub flags: u64,
    /// When it was handed out first.
    pub time_ns: u64,
}
const _: () = assert!(size_of::<Nonce>() == 24);

impl Nonce {
    /// More than one source received it, so it proves nothing.
    pub const SHARED: u64 = 1;
    /// It has the form of Asterisk's chan_pjsip.
    pub const PJSIP: u64 = 2;

    /// Whether it went to this source and to no other, as far as was seen.
    #[inline(always)]
    #[must_use]
    pub const fn is_only_of(&self, source: Source) -> bool {
        self.receiver.bits == source.bits && self.flags & Self::SHARED == 0
    }

    /// The bit of a [`super::Method`] that was challenged with it.
    #[inline(always)]
    #[must_use]
    pub const fn challenged(method: u8) -> u64 {
        1 << (8 + (method & 31))
    }
}

/// Packets and bytes seen for one reason on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}
const _: () = assert!(size_of::<Counter>() == 16);

/// What changes in the packet of a benchmark from run to run.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Runs so far.
    pub next: u32,
    /// Sources that take turns, less one: a power of two, less one.
    pub mask: u32,
    /// Offset of a byte whose lowest bit changes each time; 0: none.
    pub flipped: u32,
    /// Padding.
    pub _pad: u32,
}
const _: () = assert!(size_of::<Rotation>() == 16);

/// Where the packets of a benchmark's generator go, and how many.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sending {
    /// The number of the interface.
    pub interface: u32,
    /// Packets left of the burst under way.
    pub left: u32,
    /// Nanoseconds from burst to burst; 0: as fast as they go.
    pub burst_ns: u64,
    /// When the next burst is due.
    pub due_ns: u64,
}
const _: () = assert!(size_of::<Sending>() == 24);

/// Data part of the prefix table's key: the address as 16 bytes, IPv4 as IPv4-mapped (its lengths plus 96).
pub type PrefixKey = [u8; 16];
