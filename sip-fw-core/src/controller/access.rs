//! What is told of access rules and of known peers that this host asked itself.

use sip_fw_common::abi::{Event, Method};

use super::{Command, Controller};
use crate::record::EventName;
use crate::time::Time;

impl Controller {
    /// Reports a sample of the packets that the access rules drop.
    pub(super) fn denied(&mut self, event: &Event, now: Time) -> Vec<Command> {
        let Some(suppressed) = self.denied.pass(now.kernel_ns) else { return Vec::new() };
        let number = event.strikes as usize;
        let mut reason = match number.checked_sub(1).and_then(|rule| self.rules.access.get(rule)) {
            Some(name) => format!("by access rule {number}, \"{name}\""),
            None => "by \"others\", the default of the service: no access rule matches".to_owned(),
        };
        if suppressed > 0 {
            reason.push_str(&format!(", and {suppressed} more samples"));
        }
        if event.observed != 0 {
            reason.push_str(", mode observe: nothing is dropped");
        }
        let mut record = self.record(event, EventName::Denied, now).because(reason);
        record.method = None;
        record.evidence = None;
        vec![Command::Report(record)]
    }

    /// Reports an upstream that answered this host.
    pub(super) fn peer_learned(&self, event: &Event, now: Time) -> Vec<Command> {
        let method = Method::from_number(event.method).map_or("request", Method::name);
        let record = self.record(event, EventName::PeerLearned, now);
        vec![Command::Report(record.because(format!("upstream: it answered our {method}")))]
    }
}
