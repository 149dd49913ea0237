//! What was seen of a packet. Every packet that a program looks at is counted under exactly one of these; what could not be
//! told or written besides ([`Reason::EventLost`], [`Reason::BanLost`]) is counted on top.

use crate::abi::number_enum;

number_enum! {
    /// What was seen of a packet, in numbers that stay (they index the counter map).
    pub enum Reason: u8 {
        /// Neither IPv4 nor IPv6, or neither UDP nor TCP.
        NotIp = 0 => "not-ip",
        /// No service listens on the port, so nothing was judged.
        NoService = 1 => "no-service",
        /// A later fragment of a datagram; ports are unknown.
        Fragment = 2 => "fragment",
        /// Headers that end early or contradict each other.
        Malformed = 3 => "malformed",
        /// Dropped: the source is banned.
        Banned = 4 => "banned",
        /// It would be dropped, but the mode is observe, so the packet passed.
        WouldDrop = 5 => "would-drop",
        /// A port of a service that is only gated, not parsed.
        Opaque = 6 => "opaque",
        /// A SIP request, seen for the first time.
        Request = 7 => "request",
        /// A SIP request that repeats one already counted.
        Retransmission = 8 => "retransmission",
        /// An ACK or CANCEL, which nobody answers with a challenge.
        AckOrCancel = 9 => "ack-or-cancel",
        /// A SIP response arriving from outside: somebody answers this host.
        ResponseIn = 10 => "response-in",
        /// CRLF or an empty payload.
        KeepAlive = 11 => "keep-alive",
        /// Something on a SIP port that could not be read as a SIP message from its first byte.
        Unparsed = 12 => "unparsed",
        /// A table had no room for the transaction; nothing could be judged.
        TableFull = 13 => "table-full",
        /// Dropped: the access rules deny the source this service.
        Denied = 14 => "denied",
        /// The source is trusted: nothing was inspected.
        Trusted = 15 => "trusted",
        /// Leaving: not from a SIP service.
        OutOther = 16 => "out-other",
        /// Leaving from a SIP service: a request of this host, a provisional response, a keep-alive.
        OutUnjudged = 17 => "out-unjudged",
        /// Leaving: a final response to a request that is not remembered, or one already judged.
        OutUnmatched = 18 => "out-unmatched",
        /// Leaving: the first challenge of a request without credentials.
        Challenge = 19 => "challenge",
        /// Leaving: an attempt succeeded.
        Success = 20 => "success",
        /// Leaving: an attempt failed, and the attempt itself proves that its source is real.
        FailureProven = 21 => "failure-proven",
        /// Leaving: an attempt failed, but its source may be forged.
        FailureUnproven = 22 => "failure-unproven",
        /// Leaving: the nonce was too old; says nothing about the password.
        Stale = 23 => "stale",
        /// Leaving: a final response that says nothing about the password.
        Neutral = 24 => "neutral",
        /// An event found the ring buffer full and was lost.
        EventLost = 25 => "event-lost",
        /// A ban could not be written: the table is full.
        BanLost = 26 => "ban-lost",
        /// Dropped: the source is shunned.
        Shunned = 27 => "shunned",
        /// Dropped: the source sends more than it may.
        Flood = 28 => "flood",
        /// Dropped: it bears a scanner's signature.
        Scanner = 29 => "scanner",
    }
}

impl Reason {
    /// Entries of the counter map; numbers above the last reason are reserved.
    pub const SLOTS: u32 = 32;

    /// Whether ingress drops the packets that it counts under this reason.
    #[inline(always)]
    #[must_use]
    pub const fn drops(self) -> bool {
        matches!(self, Self::Banned | Self::Denied | Self::Shunned | Self::Flood | Self::Scanner)
    }
}
