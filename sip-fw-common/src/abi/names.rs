//! Names of programs and maps, used by both sides.

/// The XDP program.
pub const PROGRAM_INGRESS: &str = "sip_fw_ingress";
/// The TC program.
pub const PROGRAM_EGRESS: &str = "sip_fw_egress";

/// [`PROGRAM_INGRESS`] with a source that changes from run to run, for benchmarks.
pub const PROGRAM_BENCH_INGRESS: &str = "sip_fw_bench_ingress";
/// The same without sip-fw.
pub const PROGRAM_BENCH_FLOOR: &str = "sip_fw_bench_floor";
/// Drops every packet: the fastest firewall that there can be, for benchmarks.
pub const PROGRAM_BENCH_DROP: &str = "sip_fw_bench_drop";
/// The same that reads the source first.
pub const PROGRAM_BENCH_READ: &str = "sip_fw_bench_read";
/// Sends packets out of an interface, for benchmarks.
pub const PROGRAM_BENCH_SEND: &str = "sip_fw_bench_send";
/// A TC program without sip-fw, for benchmarks.
pub const PROGRAM_BENCH_EGRESS_FLOOR: &str = "sip_fw_bench_egress_floor";

/// How many lines of seats there are; set when the programs are loaded.
pub const GLOBAL_SEAT_LINES: &str = "SEAT_LINES";

/// Map names. A test compares them with the built object.
pub mod map {
    /// What changes while a rule set stays in force: one entry.
    pub const LIVE: &str = "LIVE";
    /// What holds whichever rule set is in force: one entry.
    pub const GATE: &str = "GATE";
    /// Rule sets: the one in force, and the one before it.
    pub const RULE_SETS: &str = "RULE_SETS";
    /// Bans by source.
    pub const BANS: &str = "BANS";
    /// Where packets find bans.
    pub const SEATS: &str = "SEATS";
    /// Bans by prefix, set by operators.
    pub const BAN_PREFIXES: &str = "BAN_PREFIXES";
    /// What each source did.
    pub const SOURCES: &str = "SOURCES";
    /// Recent proven failures of each source.
    pub const STRIKES: &str = "STRIKES";
    /// Requests that wait for their answer.
    pub const TRANSACTIONS: &str = "TRANSACTIONS";
    /// Nonces this host handed out.
    pub const NONCES: &str = "NONCES";
    /// Known peers, and the users that authenticated there.
    pub const PEERS: &str = "PEERS";
    /// Short blocks by source.
    pub const SHUNS: &str = "SHUNS";
    /// Message rates of sources.
    pub const BUCKETS: &str = "BUCKETS";
    /// What scanners write.
    pub const SIGNATURES: &str = "SIGNATURES";
    /// Requests of this host to upstreams that wait for an answer.
    pub const ASKED: &str = "ASKED";
    /// Seconds in which a challenge left whose nonce could not be read.
    pub const UNREAD: &str = "UNREAD";
    /// Packets and bytes by reason, per CPU.
    pub const COUNTERS: &str = "COUNTERS";
    /// Events for user space.
    pub const EVENTS: &str = "EVENTS";

    /// Sources of benchmarks.
    pub const BENCH_ADDRESSES: &str = "BENCH_ADDRESSES";
    /// What changes in the packets of benchmarks.
    pub const BENCH_ROTATION: &str = "BENCH_ROTATION";
    /// Where a benchmark's generator sends.
    pub const BENCH_SENDING: &str = "BENCH_SENDING";

    /// Every map that outlives the agent, in the order in which they are pinned.
    pub const PINNED: &[&str] = &[
        LIVE,
        GATE,
        RULE_SETS,
        BANS,
        SEATS,
        BAN_PREFIXES,
        SOURCES,
        STRIKES,
        TRANSACTIONS,
        NONCES,
        PEERS,
        ASKED,
        SHUNS,
        BUCKETS,
        SIGNATURES,
        UNREAD,
        COUNTERS,
        EVENTS,
    ];
}

/// Slot of the rule set in force.
pub const RULE_SET_IN_FORCE: u32 = 0;
/// Slot of the rule set that comes back if the one in force is not confirmed in time.
pub const RULE_SET_BEFORE: u32 = 1;
/// Slots of rule sets.
pub const RULE_SETS_LEN: u32 = 2;

/// Entries of the port table: UDP ports, then TCP ports.
pub const PORT_TABLE_LEN: u32 = 2 << 16;

/// The slot of a port in the port table.
#[must_use]
pub const fn port_slot(tcp: bool, port: u16) -> u32 {
    ((tcp as u32) << 16) | port as u32
}
