//! The answers in a capture that would not have been sent: those to requests that replay dropped.
//!
//! The PBX of the capture saw every request; behind the firewall it would not have seen the dropped ones. So an answer
//! is withheld from the egress program when its source and branch are those of a dropped request, unless the program
//! still waits for the answer to a request of that branch that passed (a retransmission was dropped after its
//! original had passed, or passed after its original was dropped). Over TCP a dropped segment also ends its
//! connection: the stream behind the gap never reaches the PBX, so answers on it are withheld in the same way, until
//! a request on that connection passes again.
//!
//! What the peer would have sent otherwise nobody can know: its packets are replayed as captured. An attempt with a
//! nonce of a withheld challenge therefore counts as unproven, as it would for a nonce that was never handed out.

use std::num::NonZeroUsize;

use lru::LruCache;
use sip_fw_common::abi::{Source, TransactionKey};

use super::message::Part;

/// Dropped requests that are remembered, and dropped connections. An answer comes within seconds of its request, so
/// this many dropped requests within seconds; 16 MiB.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(1 << 18).unwrap();

/// Remembers what was dropped.
#[derive(Debug)]
pub struct Unsent {
    requests: LruCache<TransactionKey, ()>,
    connections: LruCache<(Source, u16), ()>,
}

impl Unsent {
    /// Nothing was dropped.
    #[must_use]
    pub fn new() -> Self {
        Self { requests: LruCache::new(REMEMBERED_MAX), connections: LruCache::new(REMEMBERED_MAX) }
    }

    /// A packet of this exchange was dropped; `is_answered`: it was a request.
    pub fn dropped(&mut self, part: Part, is_answered: bool) {
        if is_answered {
            self.requests.put(part.key, ());
        }
        if let Some(port) = part.connection {
            self.connections.put((part.key.source, port), ());
        }
    }

    /// A request of this exchange passed.
    pub fn passed(&mut self, part: Part) {
        if let Some(port) = part.connection {
            self.connections.pop(&(part.key.source, port));
        }
    }

    /// Whether the answer is to something that was dropped, if nothing that passed waits for it.
    #[must_use]
    pub fn concerns(&self, part: Part) -> bool {
        let cut = part.connection.is_some_and(|port| self.connections.contains(&(part.key.source, port)));
        cut || self.requests.contains(&part.key)
    }
}

impl Default for Unsent {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_connections() {
        let part = |branch, connection| {
            let key = TransactionKey { source: Source::v4(1), branch };
            Part { key, connection }
        };
        let mut unsent = Unsent::new();
        unsent.dropped(part(1, None), true);
        unsent.dropped(part(2, None), false);
        assert!(unsent.concerns(part(1, None)));
        assert!(!unsent.concerns(part(2, None)), "nobody answers an ACK");
        unsent.dropped(part(3, Some(4000)), false);
        assert!(unsent.concerns(part(9, Some(4000))), "the stream has a gap");
        assert!(!unsent.concerns(part(9, Some(4001))));
        unsent.passed(part(10, Some(4000)));
        assert!(!unsent.concerns(part(9, Some(4000))));
    }
}
