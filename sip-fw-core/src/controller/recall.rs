//! What an earlier agent saw: told again by its records, so that a restart makes nobody a stranger.

use sip_fw_common::abi::{Evidence, Source, Text};

use super::Controller;
use crate::record::{EventName, Record};
use crate::source::Target;
use crate::text::pack;
use crate::time::Time;

impl Controller {
    /// Remembers a judgement of an earlier agent; nothing is decided. `is_peer` says whether a source is a known peer now.
    pub fn recall(&mut self, record: &Record, is_peer: impl Fn(Source) -> bool, now: Time) {
        let target = record.source.as_deref().and_then(|source| self.ipv6().parse(source).ok());
        let Some(Target::Source(source)) = target else { return };
        let text = |text: &Option<String>| text.as_deref().map_or(Text::EMPTY, pack);
        let (user, user_agent) = (text(&record.user), text(&record.user_agent));
        match record.event {
            EventName::AuthFailure => {
                self.ledger.failure(source, &user, &user_agent, record.time);
                if record.evidence.as_deref() == Some(Evidence::Proven.name()) && !is_peer(source) {
                    // It was answered for when it came.
                    let _ = self.patience.failure(source, &user, now.kernel_of(record.time));
                }
            }
            EventName::AuthSuccess => {
                self.ledger.success(source, &user);
                self.patience.success(source, &user);
            }
            _ => {}
        }
    }
}
