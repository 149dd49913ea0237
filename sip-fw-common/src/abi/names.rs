//! Names of programs and maps, used by both sides.

/// The XDP program.
pub const PROGRAM_INGRESS: &str = "sip_fw_ingress";
/// The TC program.
pub const PROGRAM_EGRESS: &str = "sip_fw_egress";

/// Map names. A test compares them with the built object.
pub mod map {
    /// Settings in force: one entry.
    pub const SETTINGS: &str = "SETTINGS";
    /// Service of a port: [`super::port_slot`] to a service.
    pub const PORTS: &str = "PORTS";
    /// Bans by source.
    pub const BANS: &str = "BANS";
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
    /// Seconds in which a challenge left whose nonce could not be read.
    pub const UNREAD: &str = "UNREAD";
    /// Packets and bytes by reason, per CPU.
    pub const COUNTERS: &str = "COUNTERS";
    /// Events for user space.
    pub const EVENTS: &str = "EVENTS";

    /// Every map that outlives the agent, in the order in which they are pinned.
    pub const PINNED: &[&str] =
        &[SETTINGS, PORTS, BANS, BAN_PREFIXES, SOURCES, STRIKES, TRANSACTIONS, NONCES, PEERS, UNREAD, COUNTERS, EVENTS];
}

/// Entries of the port table: UDP ports, then TCP ports.
pub const PORT_TABLE_LEN: u32 = 2 << 16;

/// The slot of a port in the port table.
#[must_use]
pub const fn port_slot(tcp: bool, port: u16) -> u32 {
    ((tcp as u32) << 16) | port as u32
}
