//! Records in the journal, with fields to search by.

use libsystemd::errors::SdError;
use libsystemd::logging::journal_send;
use sip_fw_core::record::Record;

use super::priority;

/// Sends one record.
pub fn send(record: &Record) -> Result<(), SdError> {
    let message = record.message().to_string();
    journal_send(priority(record.event), &message, fields(record).into_iter())
}

fn fields(record: &Record) -> Vec<(&'static str, String)> {
    // Without an identifier `journalctl -t sip-fw` finds nothing.
    let mut fields = vec![("SYSLOG_IDENTIFIER", "sip-fw".to_owned()), ("SIP_FW_EVENT", record.event.name().to_owned())];
    let texts = [
        ("SIP_FW_SOURCE", &record.source),
        ("SIP_FW_SERVICE", &record.service),
        ("SIP_FW_METHOD", &record.method),
        ("SIP_FW_USER", &record.user),
        ("SIP_FW_USER_AGENT", &record.user_agent),
        ("SIP_FW_EVIDENCE", &record.evidence),
        ("SIP_FW_REASON", &record.reason),
    ];
    fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
    fields.extend(record.strikes.map(|strikes| ("SIP_FW_STRIKES", strikes.to_string())));
    fields.extend(record.level.map(|level| ("SIP_FW_LEVEL", level.to_string())));
    fields.extend(record.until.map(|until| match until {
        sip_fw_core::time::Until::At(time) => ("SIP_FW_UNTIL", time.to_string()),
        sip_fw_core::time::Until::Lifted => ("SIP_FW_UNTIL", "lifted".to_owned()),
    }));
    fields
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::EventName;
    use sip_fw_core::time::{Timestamp, Until};

    use super::*;

    #[test]
    fn only_what_is_known() {
        let mut record = Record::new(Timestamp { unix_ms: 0 }, EventName::Ban).because("5 auth failures");
        record.user = Some("1000".to_owned());
        record.until = Some(Until::Lifted);
        let expected = [
            ("SYSLOG_IDENTIFIER", "sip-fw"),
            ("SIP_FW_EVENT", "ban"),
            ("SIP_FW_USER", "1000"),
            ("SIP_FW_REASON", "5 auth failures"),
            ("SIP_FW_UNTIL", "lifted"),
        ];
        assert_eq!(fields(&record), expected.map(|(name, text)| (name, text.to_owned())));
    }
}
