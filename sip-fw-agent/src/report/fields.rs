//! A record as names and texts, for what takes no JSON: fields of the journal, variables of a hook, parameters of syslog.

use serde_json::Value;
use sip_fw_core::record::Record;

/// What is known, each key of the record's JSON with its value as text, in the order of the JSON; without the version of the
/// keys.
#[must_use]
pub fn fields(record: &Record) -> Vec<(String, String)> {
    let Ok(Value::Object(keys)) = serde_json::to_value(record) else { return Vec::new() };
    keys.into_iter().filter(|(key, _)| key != "schema").map(|(key, value)| (key, text(value))).collect()
}

/// The name under which the journal and hooks know a key.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("SIP_FW_{}", key.to_ascii_uppercase())
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        // Only the end of a ban that an operator must lift.
        Value::Null => "lifted".to_owned(),
        other => other.to_string(),
    }
}
