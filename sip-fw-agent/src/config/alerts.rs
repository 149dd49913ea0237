//! Who is told what happens, beside the journal.

use std::path::PathBuf;
use std::time::Duration;

use sip_fw_core::record::EventName;

use crate::alert::Template;

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertRules {
    /// `[syslog]`.
    pub syslog: Option<SyslogRules>,
    /// Each `[[webhook]]`.
    pub webhooks: Vec<WebhookRules>,
    /// Each `[[exec]]`.
    pub hooks: Vec<ExecRules>,
}

/// What one of them is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The events.
    pub events: Vec<EventName>,
    /// Alerts a minute at most; what is more is counted.
    pub per_minute: u32,
}

/// `[syslog]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogRules {
    /// Where messages go.
    pub to: SyslogTarget,
    /// The number of the facility (RFC 5424, section 6.2.1).
    pub facility: u8,
    /// What is told.
    pub selection: Selection,
}

/// Where syslog messages go. Hosts are names or addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogTarget {
    /// A socket of this host.
    Unix(PathBuf),
    /// A message to a datagram (RFC 5426).
    Udp(String, u16),
    /// Messages with their lengths in a stream (RFC 6587).
    Tcp(String, u16),
}

/// `[[webhook]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRules {
    /// Its name.
    pub name: String,
    /// Where alerts are posted.
    pub url: String,
    /// The body.
    pub template: Template,
    /// More header fields, name and value.
    pub headers: Vec<(String, String)>,
    /// What is told.
    pub selection: Selection,
    /// For one post.
    pub timeout: Duration,
}

/// `[[exec]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRules {
    /// Its name.
    pub name: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What is told.
    pub selection: Selection,
    /// A hook that runs longer is killed.
    pub timeout: Duration,
}
