//! The configuration: text, then raw values with their lines, then a [`Config`] that cannot be wrong.

mod access;
mod alerts;
mod fault;
mod load;
mod plan;
mod raw;
mod resolved;
#[cfg(test)]
mod tests;

pub use access::{AccessAction, AccessRule, DefaultAction, FeedFormat, FeedRules, Origin};
pub use alerts::{AlertRules, ExecRules, Selection, SyslogRules, SyslogTarget, WebhookRules};
pub use fault::{Fault, Faults};
pub use load::{ConfigError, client_paths, load, parse, read};
pub use resolved::{
    BanRules, Config, ControlRules, INTERFACES_MAX, Interfaces, Listen, Mode, OnExit, Paths, ServiceRules,
    SignatureTable,
};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/sip-fw/sip-fw.toml";

/// Bytes of a configuration at most: more than a hundred thousand access rules.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
