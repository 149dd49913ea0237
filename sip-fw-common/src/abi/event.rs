//! The record of the ring buffer.

use super::{Source, Text, number_enum};

number_enum! {
    /// What happened. The numbers travel in the ring buffer, the names everywhere else.
    pub enum EventKind: u8 {
        /// An attempt failed.
        AuthFailure = 1 => "auth-failure",
        /// An attempt succeeded.
        AuthSuccess = 2 => "auth-success",
        /// A source was banned.
        Ban = 3 => "ban",
        /// The access rules denied a packet. A sample: most are only counted.
        Denied = 4 => "denied",
        /// A source became a known peer: this host asked it, and it answered.
        PeerLearned = 5 => "peer-learned",
        /// A request without credentials was challenged or refused; not of known peers.
        Refused = 6 => "refused",
        /// A request without credentials succeeded; not of known peers.
        Accepted = 7 => "accepted",
        /// A packet bore a scanner's signature. A sample: most are only counted.
        Scanner = 8 => "scanner",
        /// A source sent more than it may; told once until it slows down.
        Flood = 9 => "flood",
        /// A request with credentials was answered, and the answer says nothing of the password; not of known peers.
        FollowedUp = 10 => "followed-up",
    }
}

number_enum! {
    /// Whether the message itself proves that its source is real.
    pub enum Evidence: u8 {
        /// It carried a nonce that this host sent to that source and to no other, or came over a TCP connection that the PBX answered on.
        Proven = 1 => "proven",
        /// Its source may be forged.
        Unproven = 2 => "unproven",
    }
}

number_enum! {
    /// Whether anybody authenticated from this source before.
    pub enum Known: u8 {
        /// Nobody, or too long ago. The kernel bans it at the threshold.
        Nobody = 0 => "unknown",
        /// Another user did: a known peer. User space judges.
        Source = 1 => "known-source",
        /// This user did: a known peer. User space judges.
        User = 2 => "known-user",
    }
}

number_enum! {
    /// Method of a request (RFC 3261 §27.4 and its extensions).
    pub enum Method: u8 {
        /// Any other.
        Other = 0 => "OTHER",
        /// RFC 3261.
        Register = 1 => "REGISTER",
        /// RFC 3261.
        Invite = 2 => "INVITE",
        /// RFC 6665.
        Subscribe = 3 => "SUBSCRIBE",
        /// RFC 3261.
        Options = 4 => "OPTIONS",
        /// RFC 3428.
        Message = 5 => "MESSAGE",
        /// RFC 3903.
        Publish = 6 => "PUBLISH",
        /// RFC 3261.
        Ack = 7 => "ACK",
        /// RFC 3261.
        Cancel = 8 => "CANCEL",
        /// RFC 3261.
        Bye = 9 => "BYE",
    }
}

/// What a program tells user space.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The programs' clock.
    pub time_ns: u64,
    /// Who.
    pub source: Source,
    /// Deadline of a ban; otherwise 0.
    pub until_ns: u64,
    /// Proven failures within the window, this one included; the number of the rule, for a denied packet.
    pub strikes: u32,
    /// Status of the answer.
    pub status: u16,
    /// An [`EventKind`].
    pub kind: u8,
    /// A [`Method`].
    pub method: u8,
    /// An [`Evidence`].
    pub evidence: u8,
    /// Number of the service.
    pub service: u8,
    /// Step of the ladder, for a ban.
    pub level: u8,
    /// 1: TCP.
    pub tcp: u8,
    /// 1: the ban is only reported (mode observe).
    pub observed: u8,
    /// A [`Known`], for a failure.
    pub known: u8,
    /// Padding.
    pub _pad: [u8; 2],
    /// User name tried, or asked for.
    pub user: Text,
    /// User-Agent.
    pub user_agent: Text,
}
const _: () = assert!(size_of::<Event>() == 120);
