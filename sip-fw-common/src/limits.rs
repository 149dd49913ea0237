//! Every bound of the kernel side, with its unit and the reason for its size.

/// Bytes of a SIP message that are read, from its first byte. A UDP payload on a 1,500-byte link has
/// at most 1,472; the rest is room for larger links. A power of two: offsets are masked with it.
pub const HEAD_BYTES: usize = 2048;

/// Zero bytes kept behind the head, so that a look-ahead of three words never leaves the buffer.
pub const HEAD_SLACK_BYTES: usize = 32;

/// Steps the scanner takes per chunk: more cost load time, fewer cost a call of about 10 ns each.
pub const SCAN_CHUNK_STEPS: u32 = 4;

/// Chunks of one head. A step that consumes nothing follows one that consumed a whole name, and an attacker can make
/// every other step consume a single blank: as many steps as bytes read every head to its end.
pub const SCAN_CHUNKS_MAX: u32 = (HEAD_BYTES as u32).div_ceil(SCAN_CHUNK_STEPS);

/// Credentials (or challenges) of one message that are remembered. Phones send one or two.
pub const CREDENTIALS_MAX: usize = 4;

/// Bytes of a user name or a User-Agent that are kept for people to read; longer ones are cut.
pub const TEXT_BYTES: usize = 40;

/// Words of a nonce, a branch or a digest that are hashed; longer ones differ by their length at least.
pub const HASH_WORDS_MAX: usize = 16;

/// Steps of the ban ladder.
pub const LADDER_STEPS_MAX: usize = 8;

/// The largest configurable threshold, and the strikes remembered per source. A power of two.
pub const STRIKES_MAX: usize = 32;

/// 802.1Q and 802.1ad tags in front of the IP header that are skipped.
pub const VLAN_TAGS_MAX: usize = 2;

/// IPv6 extension headers that are skipped before the packet is passed as malformed.
pub const IPV6_EXTENSIONS_MAX: usize = 6;

/// Services that the configuration may name; the port table stores their number in a byte.
pub const SERVICES_MAX: usize = 64;

/// Seconds for which it is remembered whether a challenge left that could not be read: longer than any PBX takes back
/// its nonces. A power of two.
pub const UNREAD_SECONDS: u32 = 4096;

/// Requests of this host to upstreams that wait for their answer. Only this host makes entries.
pub const ASKED_MAX: u32 = 16_384;

/// Nanoseconds for which an answer to a request of this host is let in: the longest that a transaction without an answer
/// lasts (64 T1, RFC 3261 §17.1).
pub const ANSWER_TIME_NS: u64 = 32_000_000_000;

/// The same for an INVITE, which rings until somebody picks up or timer C ends it (RFC 3261 §16.6: more than three minutes).
pub const INVITE_ANSWER_TIME_NS: u64 = 240_000_000_000;

/// Signatures that may begin with the same four bytes.
pub const SIGNATURES_ALIKE_MAX: usize = 4;

/// First four bytes of signatures.
pub const SIGNATURE_KEYS_MAX: u32 = 1024;

/// Sources shunned at once. The least recently hit is forgotten first: nothing that is proven depends on it.
pub const SHUNS_MAX: u32 = 1 << 15;

/// Message rates remembered; two sources that meet in one entry forget each other's. A power of two; 2 MiB.
pub const BUCKETS_MAX: u32 = 1 << 18;

/// Decisions of the access rules that each CPU remembers: 16 KiB of its caches. A power of two.
pub const VERDICTS_MAX: u32 = 512;

/// Bytes of a header in which the user of its URI is looked for.
pub const URI_BYTES_MAX: u64 = 192;

/// Packets with a scanner's signature of which a sample is told, per second and CPU.
pub const SCANNER_SAMPLES_PER_SECOND: u64 = 1000;

/// Denied packets of which a sample is told, per second and CPU: a flood is counted, not told.
pub const DENIED_SAMPLES_PER_SECOND: u64 = 10;

/// Sources that benchmarks cycle through. A power of two.
pub const BENCH_SOURCES: u32 = 1 << 17;

/// Packets that a benchmark's generator sends at once, as a network card with interrupt coalescing hands them over. A quarter of the
/// places of a veth's queue.
pub const BENCH_BURST: u32 = 64;

/// Bytes of the event ring buffer: over 8,000 events.
pub const EVENT_RING_BYTES: u32 = 1 << 20;

const _: () = {
    assert!(HEAD_BYTES.is_power_of_two());
    assert!(STRIKES_MAX.is_power_of_two());
    assert!(VERDICTS_MAX.is_power_of_two());
    assert!(UNREAD_SECONDS.is_power_of_two());
    assert!((SCAN_CHUNKS_MAX * SCAN_CHUNK_STEPS) as usize >= HEAD_BYTES);
};
