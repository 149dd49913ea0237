//! The sip-fw agent: it loads the kernel programs, tells them the rules, keeps an eye on them, and tells people.
//!
//! * [`alert`]: syslog, webhooks and hooks that are told what happens.
//! * [`bulk`]: bans that come and go in bulk, in sip-fw's own form and those of other tools.
//! * [`cli`]: one file per verb.
//! * [`config`]: from TOML to values that cannot be wrong.
//! * [`control`]: the socket between the CLI and the agent, and the answers to its requests.
//! * [`daemon`]: the agent's loop.
//! * [`digest`]: what happened over a while, in figures.
//! * [`doctor`]: is this host really protected?
//! * [`files`]: reading and replacing them.
//! * [`http`]: asking servers.
//! * [`kernel`]: the only code that knows aya.
//! * [`lists`]: the addresses of access rules that come from name servers, files, feeds and a country database.
//! * [`replay`]: a capture through the programs, attached to nothing.
//! * [`report`]: the only code that prints records.
//! * [`store`]: what happened, and what must outlive a reboot, on disk.
//! * [`top`]: the live view on a terminal.

pub mod alert;
pub mod backoff;
pub mod bulk;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod digest;
pub mod doctor;
pub mod exit_code;
pub mod files;
pub mod host;
pub mod http;
pub mod kernel;
pub mod lists;
pub mod metrics;
pub mod replay;
pub mod report;
pub mod store;
pub mod top;
