//! Records in the journal, with fields to search by.

use libsystemd::errors::SdError;
use libsystemd::logging::journal_send;
use sip_fw_core::record::{EventName, Record};

use super::{fields, priority, variable};

/// Sends one record.
pub fn send(record: &Record) -> Result<(), SdError> {
    let message = record.message().to_string();
    journal_send(priority(record.event), &message, native(record).into_iter())
}

/// The record's own keys; the journal has its own time.
fn native(record: &Record) -> Vec<(String, String)> {
    // Without an identifier `journalctl -t sip-fw` finds nothing.
    let common = [("SYSLOG_IDENTIFIER", "sip-fw"), ("MESSAGE_ID", message_id(record.event))];
    let common = common.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let own = fields(record).into_iter().filter(|(key, _)| key != "time");
    common.into_iter().chain(own.map(|(key, text)| (variable(&key), text))).collect()
}

/// Tells one kind of message from all others in any journal (`man sd_journal_get_catalog`). Never changed once released:
/// people's filters and catalogs have it.
const fn message_id(event: EventName) -> &'static str {
    match event {
        EventName::AuthFailure => "245afd7c7ade4117bded9726090319b6",
        EventName::AuthSuccess => "c6955c5492194e0b99554411a7de046c",
        EventName::Ban => "77a17de733ca4a14abf7d99f94acd299",
        EventName::Unban => "037d7a26949d44708a8ecab4da6174f4",
        EventName::Expire => "4a1652f8e1a44697ae7f42f5b0203c8c",
        EventName::Shun => "d639d332292e400a939ed9625f504faa",
        EventName::Enumeration => "179976ffde7549418099c10fdd387f65",
        EventName::DialScan => "aec903417a88488ca416a1af1bb551b4",
        EventName::Scanner => "36d49930534e41adaf5b16a31ebcacce",
        EventName::Flood => "07e5838c4ec749be9fdf90d03078656b",
        EventName::DistributedGuessing => "ff92fe49a66d4ee994fa901ebf79f361",
        EventName::DeviceFault => "ac18f87f2cf642a883155efb528deb7c",
        EventName::Denied => "82eca8b7d5d4432484700e7121a5a5ce",
        EventName::PeerLearned => "03f5de18d58a4a638218759f64c47316",
        EventName::RulesApplied => "b62d17a6370d4c3c8869fdc75899b60b",
        EventName::Attached => "ccdbf7b76d594e29b35ed793e994d84c",
        EventName::Detached => "eba32e6f65534fccacfc017eca797d57",
        EventName::AgentStarted => "a600210a076344f0bfdabe19f3d5d184",
        EventName::AgentStopped => "f40129e669da4651aca6935f08d9ad44",
        EventName::Degraded => "3227368dd66b4701985fed5b395ded7b",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sip_fw_core::time::{Timestamp, Until};

    use super::*;

    #[test]
    fn only_what_is_known() {
        let mut record = Record::new(Timestamp { unix_ms: 0 }, EventName::Ban).because("5 auth failures");
        record.user = Some("1000".to_owned());
        record.until = Some(Until::Lifted);
        let expected = [
            ("SYSLOG_IDENTIFIER", "sip-fw"),
            ("MESSAGE_ID", "77a17de733ca4a14abf7d99f94acd299"),
            ("SIP_FW_EVENT", "ban"),
            ("SIP_FW_USER", "1000"),
            ("SIP_FW_REASON", "5 auth failures"),
            ("SIP_FW_UNTIL", "lifted"),
        ];
        assert_eq!(native(&record), expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn every_event_has_a_message_id_of_its_own() {
        let ids: HashSet<_> = EventName::ALL.into_iter().map(message_id).collect();
        assert_eq!(ids.len(), EventName::ALL.len());
        let hexadecimal = |id: &str| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(ids.into_iter().all(hexadecimal));
    }

    #[test]
    fn the_page_on_events_is_right() {
        let page = include_str!("../../../docs/events.md");
        for event in EventName::ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", event.name())));
            let end = format!("| {} | `{}` |", priority(event) as u8, message_id(event));
            assert!(row.is_some_and(|row| row.ends_with(&end)), "{}: {row:?} should end with {end}", event.name());
        }
    }
}
