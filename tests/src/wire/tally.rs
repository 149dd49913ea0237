//! The failure rule of the design, applied to what a tap saw: an own count to hold against sip-fw's.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::{Direction, Seen};
use crate::family::source_name;

/// What one source did and how it was answered. Transactions, not packets, but for `requests`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Request packets that reached the PBX, retransmissions included.
    pub requests: usize,
    /// Transactions with credentials.
    pub attempts: usize,
    /// Attempts refused.
    pub failures: usize,
    /// Attempts answered 2xx.
    pub successes: usize,
    /// Attempts answered with stale=true.
    pub stale: usize,
    /// Responses the source was sent.
    pub answers: usize,
}

/// Counts per source (IPv6: per /64) what a tap inside the PBX saw.
pub fn tally(seen: &[Seen]) -> BTreeMap<String, Tally> {
    let mut counts: BTreeMap<String, Tally> = BTreeMap::new();
    let mut open: HashMap<(SocketAddr, &str, &str), bool> = HashMap::new();
    for message in seen {
        match (message.direction, message.status) {
            (Direction::In, None) => {
                let count = counts.entry(source_name(message.source.ip())).or_default();
                count.requests += 1;
                let attempt = message.credentials.is_some() && !matches!(message.method.as_str(), "ACK" | "CANCEL");
                let key = (message.source, message.branch.as_str(), message.method.as_str());
                if attempt && !open.contains_key(&key) {
                    count.attempts += 1;
                    open.insert(key, false);
                }
            }
            (Direction::Out, Some(status)) => {
                let count = counts.entry(source_name(message.destination.ip())).or_default();
                count.answers += 1;
                let key = (message.destination, message.branch.as_str(), message.method.as_str());
                if let Some(done) = open.get_mut(&key).filter(|done| !**done && status >= 200) {
                    *done = true;
                    match status {
                        200..=299 => count.successes += 1,
                        401 | 407 if message.stale => count.stale += 1,
                        401 | 403 | 407 => count.failures += 1,
                        404 if message.method == "REGISTER" => count.failures += 1,
                        _ => {}
                    }
                }
            }
            (Direction::In, Some(_)) | (Direction::Out, None) => {}
        }
    }
    counts
}
