//! What a sink is to tell: a record, and how many it was not told of.

use std::sync::Arc;

use serde::Serialize;
use sip_fw_core::record::Record;

use crate::report;

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What happened.
    pub record: Arc<Record>,
    /// So many more records that this sink was not told of: too many for its rate or its queue, or given up.
    pub more: u64,
}

impl Alert {
    /// In one line, without the time.
    #[must_use]
    pub fn message(&self) -> String {
        let message = self.record.message();
        match self.more {
            0 => message.to_string(),
            more => format!("{message} (and {more} more)"),
        }
    }

    /// The JSON of the event, and `more` if there are.
    #[must_use]
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Event<'a> {
            #[serde(flatten)]
            record: &'a Record,
            #[serde(skip_serializing_if = "Option::is_none")]
            more: Option<u64>,
        }
        let event = Event { record: &self.record, more: Some(self.more).filter(|more| *more > 0) };
        // Texts and numbers always have a JSON.
        serde_json::to_string(&event).unwrap_or_default()
    }

    /// The keys of the JSON with their values as text.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = report::fields(&self.record);
        if self.more > 0 {
            fields.push(("more".to_owned(), self.more.to_string()));
        }
        fields
    }
}

#[cfg(test)]
pub mod tests {
    use sip_fw_core::record::EventName;
    use sip_fw_core::time::{Timestamp, Until};

    use super::*;

    /// A ban, told for itself and `more` others.
    pub fn ban(user: &str, more: u64) -> Alert {
        let time = Timestamp { unix_ms: 1_795_319_400_123 };
        let record = Record {
            source: Some("203.0.113.9".to_owned()),
            user: Some(user.to_owned()),
            until: Some(Until::At(Timestamp { unix_ms: time.unix_ms + 60_000 })),
            ..Record::new(time, EventName::Ban).because("5 auth failures within 10m")
        };
        Alert { record: Arc::new(record), more }
    }

    #[test]
    fn how_many_more() {
        let alone = "ban 203.0.113.9 for 1m: 5 auth failures within 10m, last user \"1000\"";
        assert_eq!(ban("1000", 0).message(), alone);
        assert_eq!(ban("1000", 7).message(), format!("{alone} (and 7 more)"));
        let json = serde_json::to_string(&*ban("1000", 0).record).unwrap();
        assert_eq!(ban("1000", 0).json(), json);
        assert_eq!(ban("1000", 7).json(), json.replace('}', ",\"more\":7}"));
        assert_eq!(ban("1000", 0).fields(), report::fields(&ban("1000", 0).record));
        assert_eq!(ban("1000", 7).fields().last(), Some(&("more".to_owned(), "7".to_owned())));
    }
}
