//! The events people read: one JSON object or one line of text each.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::SCHEMA;
use crate::duration::Short;
use crate::time::{Timestamp, Until};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventName {
    /// An attempt failed.
    AuthFailure,
    /// An attempt succeeded.
    AuthSuccess,
    /// A source was banned.
    Ban,
    /// An operator lifted a ban.
    Unban,
    /// A ban reached its deadline.
    Expire,
    /// A source is held back for a short while on evidence that does not prove it.
    Shun,
    /// A source asks for users and never follows up.
    Enumeration,
    /// A source dials one number under many prefixes.
    DialScan,
    /// A message bore a scanner's signature: a sample.
    Scanner,
    /// A source sends more than it may; said once until it slows down.
    Flood,
    /// One user fails from many sources, or many sources of one prefix are banned.
    DistributedGuessing,
    /// A device of a known peer fails steadily; nobody is banned for it.
    DeviceFault,
    /// The access rules drop packets of a source: a sample.
    Denied,
    /// A source became a known peer because this host asked it and it answered.
    PeerLearned,
    /// A new configuration is in force.
    RulesApplied,
    /// The programs are attached to an interface.
    Attached,
    /// The programs were taken off.
    Detached,
    /// The agent runs.
    AgentStarted,
    /// The agent ends; what is enforced stays so.
    AgentStopped,
    /// Something works less well than it should.
    Degraded,
}

impl EventName {
    /// Every event, in the order above.
    pub const ALL: [Self; 20] = [
        Self::AuthFailure,
        Self::AuthSuccess,
        Self::Ban,
        Self::Unban,
        Self::Expire,
        Self::Shun,
        Self::Enumeration,
        Self::DialScan,
        Self::Scanner,
        Self::Flood,
        Self::DistributedGuessing,
        Self::DeviceFault,
        Self::Denied,
        Self::PeerLearned,
        Self::RulesApplied,
        Self::Attached,
        Self::Detached,
        Self::AgentStarted,
        Self::AgentStopped,
        Self::Degraded,
    ];

    /// The event with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// The name used in the CLI, in JSON and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthFailure => "auth-failure",
            Self::AuthSuccess => "auth-success",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Expire => "expire",
            Self::Shun => "shun",
            Self::Enumeration => "enumeration",
            Self::DialScan => "dial-scan",
            Self::Scanner => "scanner",
            Self::Flood => "flood",
            Self::DistributedGuessing => "distributed-guessing",
            Self::DeviceFault => "device-fault",
            Self::Denied => "denied",
            Self::PeerLearned => "peer-learned",
            Self::RulesApplied => "rules-applied",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::AgentStarted => "agent-started",
            Self::AgentStopped => "agent-stopped",
            Self::Degraded => "degraded",
        }
    }
}

/// One event. Displayed as one line of text without its line end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of these keys.
    pub schema: u32,
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: EventName,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Name of the service it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Method of the SIP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// User name tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// User-Agent seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `proven` or `unproven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Strikes of the source within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strikes: Option<u32>,
    /// End of the ban; null when only an operator ends it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Until::present")]
    pub until: Option<Until>,
    /// Step of the ladder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

impl Record {
    /// A record that says only when and what.
    #[must_use]
    pub const fn new(time: Timestamp, event: EventName) -> Self {
        Self {
            schema: SCHEMA,
            time,
            event,
            source: None,
            service: None,
            method: None,
            user: None,
            user_agent: None,
            evidence: None,
            reason: None,
            strikes: None,
            until: None,
            level: None,
        }
    }

    /// With the reason given.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The line of text without its time, for a log that has its own.
    #[must_use]
    pub const fn message(&self) -> Message<'_> {
        Message(self)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.message())
    }
}

/// Displays a record without its time.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a Record);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.0;
        f.write_str(record.event.name())?;
        if let Some(source) = &record.source {
            write!(f, " {source}")?;
        }
        match record.until {
            Some(Until::At(until)) => {
                let length_ms = until.unix_ms.saturating_sub(record.time.unix_ms);
                let length = Duration::from_millis(u64::try_from(length_ms.saturating_add(500)).unwrap_or(0));
                write!(f, " for {}", Short(length))?;
            }
            Some(Until::Lifted) => f.write_str(" until lifted")?,
            None => {}
        }
        if let Some(level) = record.level.filter(|level| *level > 0) {
            write!(f, " (level {level})")?;
        }
        let mut separator = ": ";
        if let Some(reason) = &record.reason {
            write!(f, "{separator}{reason}")?;
            separator = ", ";
        }
        if let Some(user) = &record.user {
            let label = if record.event == EventName::Ban { "last user" } else { "user" };
            write!(f, "{separator}{label} \"{user}\"")?;
            separator = ", ";
        }
        if let Some(agent) = &record.user_agent {
            write!(f, "{separator}User-Agent \"{agent}\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban() -> Record {
        let time = Timestamp { unix_ms: 1_795_319_400_123 };
        Record {
            source: Some("203.0.113.9".to_owned()),
            service: Some("sip".to_owned()),
            method: Some("REGISTER".to_owned()),
            user: Some("1000".to_owned()),
            user_agent: Some("friendly-scanner".to_owned()),
            evidence: Some("proven".to_owned()),
            strikes: Some(5),
            until: Some(Until::At(Timestamp { unix_ms: time.unix_ms + 60_000 })),
            level: Some(1),
            ..Record::new(time, EventName::Ban).because("5 auth failures within 10m")
        }
    }

    #[test]
    fn every_name() {
        for (number, event) in EventName::ALL.into_iter().enumerate() {
            assert_eq!(number, event as usize, "in their order, none left out");
            assert_eq!(EventName::from_name(event.name()), Some(event));
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
        assert_eq!(EventName::ALL.len(), EventName::Degraded as usize + 1, "Degraded is the last one");
        assert_eq!(EventName::from_name("Ban"), None);
    }

    #[test]
    fn one_line_of_text() {
        assert_eq!(
            ban().to_string(),
            "2026-11-22T03:50:00.123Z ban 203.0.113.9 for 1m (level 1): 5 auth failures within 10m, \
             last user \"1000\", User-Agent \"friendly-scanner\""
        );
        let bare = Record::new(Timestamp { unix_ms: 0 }, EventName::AgentStopped);
        assert_eq!(bare.to_string(), "1970-01-01T00:00:00.000Z agent-stopped");
    }

    #[test]
    fn every_key_in_json() {
        let json = serde_json::to_string(&ban()).unwrap();
        assert_eq!(
            json,
            "{\"schema\":1,\"time\":\"2026-11-22T03:50:00.123Z\",\"event\":\"ban\",\"source\":\"203.0.113.9\",\
             \"service\":\"sip\",\"method\":\"REGISTER\",\"user\":\"1000\",\"user_agent\":\"friendly-scanner\",\
             \"evidence\":\"proven\",\"reason\":\"5 auth failures within 10m\",\"strikes\":5,\
             \"until\":\"2026-11-22T03:51:00.123Z\",\"level\":1}"
        );
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), ban());
    }

    #[test]
    fn unknown_is_absent_and_permanent_is_null() {
        let mut record = Record::new(Timestamp { unix_ms: 0 }, EventName::AgentStarted);
        let absent = "{\"schema\":1,\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"agent-started\"}";
        assert_eq!(serde_json::to_string(&record).unwrap(), absent);
        assert_eq!(serde_json::from_str::<Record>(absent).unwrap(), record);
        record.until = Some(Until::Lifted);
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.ends_with("\"until\":null}"), "{json}");
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }
}
