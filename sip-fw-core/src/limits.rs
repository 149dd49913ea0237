//! Every bound of the control logic, with its unit and the reason for its size.

use std::num::NonZeroUsize;

/// Sources in the ledger. At most 1 KiB each: 8 MiB under attack from everywhere.
pub const LEDGER_SOURCES_MAX: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// User names remembered per source. More of them is enumeration, whatever their names are.
pub const LEDGER_USERS_MAX: usize = 8;

/// Pairs of source and user whose success was reported. More phones than one host serves; 1 MiB.
pub const SUCCESSES_MAX: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Records per second about unproven failures: anyone can forge these, so they must not fill a disk.
pub const UNPROVEN_RECORDS_PER_SECOND: u32 = 20;

/// Records of unproven failures in one burst: a misconfigured phone is reported completely.
pub const UNPROVEN_RECORDS_BURST: u32 = 40;

/// Records per second about proven failures and successes: a /32 of IPv6 can prove a lot before its bans.
pub const PROVEN_RECORDS_PER_SECOND: u32 = 200;

/// Records of proven failures and successes in one burst: all phones of a site after a power cut.
pub const PROVEN_RECORDS_BURST: u32 = 2000;

/// Records per second about denied packets: a sample, as the programs count all of them.
pub const DENIED_RECORDS_PER_SECOND: u32 = 2;

/// Records of denied packets in one burst: whoever changes a rule sees whom it hits.
pub const DENIED_RECORDS_BURST: u32 = 20;

/// Share of the ban table, in percent, above which the oldest ended bans are forgotten before their decay,
/// so that new bans find room.
pub const BAN_TABLE_FULL_PERCENT: usize = 75;

/// Bans forgotten in one tick: keeps a tick short.
pub const FORGET_PER_TICK_MAX: usize = 4096;

/// The widest IPv4 prefix an operator may ban, in bits.
pub const BAN_IPV4_PREFIX_MIN: u8 = 8;

/// The widest IPv6 prefix an operator may ban, in bits.
pub const BAN_IPV6_PREFIX_MIN: u8 = 16;

/// Bytes of an operator's reason that are kept.
pub const REASON_BYTES_MAX: usize = 200;

/// Known peers whose failures are judged at once. More fail only when a PBX changes all its passwords.
pub const PEERS_JUDGED_MAX: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Failing users remembered per known peer: an office whose phones all fail at once. About 300 bytes each.
pub const PEER_USERS_MAX: usize = 64;

/// Failures of one user of a known peer within a minute that no phone makes. The most impatient one known tries 15
/// times at once for one typing error.
pub const PEER_FAILURES_PER_MINUTE_MAX: usize = 20;

/// Users of a known peer that never authenticated from there and fail: one or two are new phones.
pub const PEER_STRANGERS_MAX: usize = 3;

/// How often a device at fault is reported, in nanoseconds.
pub const DEVICE_FAULT_EVERY_NS: u64 = 3_600_000_000_000;

/// Bytes of a rule set: a million prefixes, or a hundred thousand rules on 64 CPUs, with room.
pub const RULE_SET_BYTES_MAX: u64 = 512 << 20;
