//! Bodies of webhooks: the event's JSON, what Slack and its likes take, or a text of the operator's own with places to fill.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::{Timestamp, Until};

use super::message::Alert;

/// What may stand in braces: the keys of an event, the whole of it in one line, and how many more there were.
const PLACES: [&str; 14] = [
    "event",
    "time",
    "source",
    "service",
    "method",
    "user",
    "user_agent",
    "evidence",
    "reason",
    "strikes",
    "until",
    "level",
    "message",
    "more",
];

/// What makes a body of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// The event's JSON.
    Event,
    /// `{"text": "…"}`.
    Slack,
    /// The operator's own.
    Own(Vec<Piece>),
}

/// A piece of an own template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Said as it is.
    Text(String),
    /// Filled with what is known under this name.
    Place(&'static str),
}

impl Template {
    /// Reads `event`, `slack`, or an own template.
    ///
    /// # Errors
    ///
    /// What is wrong with an own template.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "event" => Ok(Self::Event),
            "slack" => Ok(Self::Slack),
            own => {
                let template = Self::Own(pieces(own)?);
                for (what, alert) in samples() {
                    serde_json::from_str::<Value>(&template.fill(&alert))
                        .map_err(|error| format!("no JSON for {what}: {error}"))?;
                }
                Ok(template)
            }
        }
    }

    /// The body of an alert.
    #[must_use]
    pub fn fill(&self, alert: &Alert) -> String {
        match self {
            Self::Event => alert.json(),
            Self::Slack => json!({ "text": disarmed(&alert.message()) }).to_string(),
            Self::Own(pieces) => {
                let mut known: HashMap<String, String> = alert.fields().into_iter().collect();
                known.insert("message".to_owned(), alert.message());
                known.insert("more".to_owned(), alert.more.to_string());
                let text = |piece: &Piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Place(name) => known.get(*name).map(|text| inside_quotes(text)).unwrap_or_default(),
                };
                pieces.iter().map(text).collect()
            }
        }
    }
}

/// Braces around anything but lower-case words are the template's own: JSON is full of them.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        let word = after.split_once('}').filter(|(word, _)| is_word(word));
        let Some((word, behind)) = word else {
            plain.push('{');
            rest = after;
            continue;
        };
        let place = PLACES.into_iter().find(|place| *place == word);
        let place = place.ok_or_else(|| format!("the unknown place {{{word}}}"))?;
        pieces.extend([Piece::Text(std::mem::take(&mut plain)), Piece::Place(place)]);
        rest = behind;
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Slack's own characters, which could name a channel to ring or hide an address behind a text: senders of SIP choose parts of
/// what is told.
fn disarmed(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// As JSON has it between two quotes.
fn inside_quotes(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// One alert of which everything is known, and one of which nothing is: with both a template must be JSON.
fn samples() -> [(&'static str, Alert); 2] {
    let time = Timestamp { unix_ms: 0 };
    let bare = Record::new(time, EventName::Ban);
    let text = || Some("\"\\".to_owned());
    let full = Record {
        source: text(),
        service: text(),
        method: text(),
        user: text(),
        user_agent: text(),
        evidence: text(),
        reason: text(),
        strikes: Some(1),
        until: Some(Until::Lifted),
        level: Some(1),
        ..bare.clone()
    };
    let alert = |record, more| Alert { record: Arc::new(record), more };
    [("an event with every key", alert(full, 1)), ("an event without a source, a user and so on", alert(bare, 0))]
}

/// What may be a template, in the words of a fault.
#[must_use]
pub fn allowed_templates() -> String {
    let places: Vec<_> = PLACES.iter().map(|place| format!("{{{place}}}")).collect();
    format!("\"event\", \"slack\", or JSON with these places to fill: {}", places.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::ban;
    use super::*;

    fn filled(template: &str, alert: &Alert) -> String {
        Template::parse(template).unwrap().fill(alert)
    }

    #[test]
    fn bodies() {
        let alert = ban("a\"<!channel>&", 2);
        assert_eq!(filled("event", &alert), alert.json());
        assert_eq!(
            filled("slack", &alert),
            r#"{"text":"ban 203.0.113.9 for 1m: 5 auth failures within 10m, last user \"a\"&lt;!channel&gt;&amp;\" (and 2 more)"}"#
        );
        assert_eq!(
            filled(r#"{"a": {"b": "{event}: {user}{method}", "c": {more}}, "d": "{}{X} {"}"#, &alert),
            r#"{"a": {"b": "ban: a\"<!channel>&", "c": 2}, "d": "{}{X} {"}"#
        );
        assert_eq!(
            filled(r#"["{message}", {more}]"#, &ban("1", 0)),
            format!("[\"{}\", 0]", ban("1", 0).message().replace('"', "\\\""))
        );
    }

    #[test]
    fn what_is_no_template() {
        for (text, wrong) in [
            ("{\"text\": \"{sorce}\"}", "the unknown place {sorce}"),
            ("{event}", "no JSON for an event with every key: expected value at line 1 column 1"),
            ("", "no JSON for an event with every key: EOF while parsing a value at line 1 column 0"),
            (
                "{\"n\": {strikes}}",
                "no JSON for an event without a source, a user and so on: expected value at line 1 column 7",
            ),
        ] {
            assert_eq!(Template::parse(text), Err(wrong.to_owned()), "{text}");
        }
    }

    #[test]
    fn every_key_has_its_place() {
        let [(_, full), _] = samples();
        let known: Vec<_> = full.fields().into_iter().map(|(key, _)| key).chain(["message".to_owned()]).collect();
        assert!(known.iter().all(|key| PLACES.contains(&key.as_str())) && known.len() == PLACES.len(), "{known:?}");
    }
}
