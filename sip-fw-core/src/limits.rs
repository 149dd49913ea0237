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

/// Share of the ban table, in percent, above which the oldest ended bans are forgotten before their decay, and nothing is imported,
/// so that new bans find room.
pub const BAN_TABLE_FULL_PERCENT: usize = 75;

/// Bans forgotten in one tick: keeps a tick short.
pub const FORGET_PER_TICK_MAX: usize = 4096;

/// Bans whose end is told one by one in one tick; imported ones may all end in the same second.
pub const EXPIRE_RECORDS_PER_TICK_MAX: usize = 256;

/// By so many nanoseconds two deadlines may differ and be the same: that of an import went through the clocks of two hosts.
pub const DEADLINES_ALIKE_NS: u64 = 1_000_000_000;

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

/// Seconds of a minute in which one user of a known peer fails, as no phone does: one fails when somebody types, or every
/// few seconds.
pub const PEER_SECONDS_PER_MINUTE_MAX: usize = 20;

/// Failures of one user of a known peer within a minute, over [`PEER_BURST_SECONDS_MAX`] seconds of it, that no phone makes.
/// For one typing error the most impatient phone known tries 15 times at once, and one with many lamps renews all of them at
/// once on an old nonce.
pub const PEER_FAILURES_PER_MINUTE_MAX: u32 = 60;

/// Failures of one user of a known peer within a minute that no phone makes even at once: four digits are guessed soon.
pub const PEER_FAILURES_AT_ONCE_MAX: u32 = 100;

/// See [`PEER_FAILURES_PER_MINUTE_MAX`].
pub const PEER_BURST_SECONDS_MAX: usize = 5;

/// Users of a known peer that never authenticated from there and fail: one or two are new phones.
pub const PEER_STRANGERS_MAX: usize = 3;

/// How often a device at fault is reported, in nanoseconds.
pub const DEVICE_FAULT_EVERY_NS: u64 = 3_600_000_000_000;

/// Length of a shun, in nanoseconds; it is renewed while its source goes on.
pub const SHUN_NS: u64 = 60_000_000_000;

/// Shuns in force.
pub const SHUNS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(1 << 15).unwrap();

/// The longest that a shun is renewed, in nanoseconds: what cannot be proven must not last.
pub const SHUN_TOTAL_NS: u64 = 600_000_000_000;

/// Sources whose conduct is remembered while nobody authenticated there. About 10 KiB each while they scan: 80 MiB when
/// so many scan at once.
pub const CONDUCT_SOURCES_MAX: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Sources of which the PBX accepted something that are remembered: more than the trunks and sites of a host; 1 MiB.
pub const ACCEPTED_SOURCES_MAX: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Nanoseconds for which requests that nobody followed up count.
pub const CONDUCT_WINDOW_NS: u64 = 600_000_000_000;

/// Nanoseconds within which a phone answers a challenge; the slowest retransmit it after four seconds (T2, RFC 3261 §17.1.2).
pub const FOLLOW_UP_NS: u64 = 4_000_000_000;

/// Users whose failures without proof are counted per source: more than guessers try in turn.
pub const UNPROVEN_USERS_MAX: usize = 16;

/// Nanoseconds within which a phone whose nonce was refused tries again with a fresh one, and succeeds.
pub const NEXT_TRY_NS: u64 = 2_000_000_000;

/// Users asked for and not followed up within the window that make an enumeration: more than a PBX with a few phones that
/// have no password.
pub const UNANSWERED_USERS_MAX: usize = 10;

/// Challenges of whatever users that nobody followed up within the window: one phone without a password asks every minute.
pub const UNANSWERED_MAX: usize = 20;

/// Requests that wait for their follow-up at once, of a source that never followed up any: more than the phones of an office
/// that ask in the same moment.
pub const PENDING_MAX: usize = 100;

/// Users asked by OPTIONS within a minute and refused: more than a proxy that keeps its phones' paths open.
pub const SWEEP_USERS_MAX: usize = 30;

/// The minute of a sweep, in nanoseconds.
pub const SWEEP_WINDOW_NS: u64 = 60_000_000_000;

/// Numbers dialled that are remembered per source.
pub const DIALLED_MAX: usize = 64;

/// Last digits that tell a target whatever its prefix.
pub const DIALLED_SUFFIX_DIGITS: usize = 7;

/// Forms of one number that make a dial scan: people write one in three or four ways.
pub const DIALLED_FORMS_MAX: usize = 5;

/// A day, in nanoseconds.
pub const DAY_NS: u64 = 86_400_000_000_000;

/// Proven failures of a source within a day, without a success, that ban it however slow they came.
pub const SLOW_FAILURES_MAX: usize = 20;

/// Sources whose failures of a day are remembered. About 200 bytes each.
pub const SLOW_SOURCES_REMEMBERED: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Sources from which one user failed within a day that make a distributed guess: more than a phone that moves about with
/// an old password.
pub const GUESSED_SOURCES_MAX: usize = 8;

/// Users whose failures of a day are remembered. About 250 bytes each.
pub const GUESSED_USERS_REMEMBERED: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Banned sources in one prefix that ban the prefix.
pub const NEIGHBOURS_MAX: usize = 4;

/// The prefix of an IPv4 source's neighbours.
pub const NEIGHBOURS_IPV4_PREFIX: u8 = 24;

/// The prefix of an IPv6 source's neighbours: what one customer is given.
pub const NEIGHBOURS_IPV6_PREFIX: u8 = 48;

/// Bytes of a rule set: a million prefixes, or a hundred thousand rules on 64 CPUs, with room.
pub const RULE_SET_BYTES_MAX: u64 = 512 << 20;
