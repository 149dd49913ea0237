//! The command line: one file per verb, each with its arguments, what it does, and how its answer looks.

mod apply;
mod ban;
mod bans;
mod check;
mod detach;
mod doctor;
mod events;
mod explain;
mod export;
mod import;
mod output;
mod peers;
mod replay;
mod report;
mod rules;
mod run;
mod sources;
mod status;
mod top;
mod unban;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sip_fw_core::source::{Ipv6Prefix, TargetError};
use sip_fw_core::time::Timestamp;

use crate::config::{self, DEFAULT_FILE, Paths};
use crate::control::client::fetch;
use crate::control::protocol::{Failure, Request};
use crate::control::view::ExplainView;
use crate::exit_code::ExitCode;
use crate::report::stderr_line;
use output::Output;

/// Firewall for SIP servers: drops the packets of sources that guess passwords.
#[derive(Debug, Parser)]
#[command(name = "sip-fw", version, after_help = EXIT_CODES)]
struct Cli {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage or invalid configuration, 3 not found, \
                          4 agent not running, 5 refused for safety, 6 (run) detached";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the agent in the foreground
    Run(run::Args),
    /// Show whether this host is protected, and what was counted
    Status(status::Args),
    /// List the bans
    Bans(bans::Args),
    /// List the sources seen, and what they did
    Sources(sources::Args),
    /// Show what happened
    Events(events::Args),
    /// Ban an address or a prefix
    Ban(ban::Args),
    /// Lift a ban
    Unban(unban::Args),
    /// Write the bans, for another host or another tool
    Export(export::Args),
    /// Take over bans of another host, of fail2ban or ipset, or a list
    Import(import::Args),
    /// Tell everything about one source, and what would happen to it now
    Explain(explain::Args),
    /// List the access rules in force, and what they matched
    Rules(rules::Args),
    /// List the known peers: who authenticated lately, and upstreams
    Peers(peers::Args),
    /// Watch attacks, bans and events live; ban and unban
    Top(top::Args),
    /// Tell what happened over days: attacks, bans, users tried, devices at fault, unusual hours
    Report(report::Args),
    /// Put a configuration in force, unless it would cut somebody off
    Apply(apply::ApplyArgs),
    /// Keep a configuration that was applied on trial
    Confirm(apply::ConfirmArgs),
    /// Validate a configuration
    Check(check::Args),
    /// Run a capture through the kernel programs, on its own clock, attached to nothing
    Replay(replay::Args),
    /// Check whether this host is really protected
    Doctor(doctor::Args),
    /// Take everything off at once: emergency off
    Detach(detach::Args),
}

/// How a verb ends when it does not end well.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Failure(#[from] Failure),
    #[error("{0}")]
    Output(#[from] io::Error),
    /// Everything was said already.
    #[error("")]
    Said(ExitCode),
}

/// Where the agent and the pins are.
struct Site {
    paths: Paths,
    services: Vec<String>,
    output: Output,
}

/// The definition of the command line, for what is generated from it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli).and_then(|()| Ok(io::stdout().flush()?)) {
        Ok(()) => ExitCode::Done,
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
        Err(CliError::Output(error)) => {
            stderr_line(&format!("sip-fw: {error}"));
            ExitCode::Failed
        }
        Err(CliError::Failure(failure)) => {
            stderr_line(&format!("sip-fw: {failure}"));
            failure.exit
        }
        Err(CliError::Said(code)) => code,
    }
}

fn dispatch(cli: &Cli) -> Result<(), CliError> {
    let output = Output { json: cli.json };
    match &cli.verb {
        Verb::Run(args) => run::run(&cli.config, args, output),
        Verb::Check(args) => check::run(&cli.config, args, output),
        Verb::Doctor(args) => doctor::run(&cli.config, args, output),
        Verb::Replay(args) => replay::run(&cli.config, args, output),
        Verb::Status(args) => status::run(&site(cli)?, args),
        Verb::Bans(args) => bans::run(&site(cli)?, args),
        Verb::Sources(args) => sources::run(&site(cli)?, args),
        Verb::Events(args) => events::run(&site(cli)?, args),
        Verb::Ban(args) => ban::run(&site(cli)?, args),
        Verb::Unban(args) => unban::run(&site(cli)?, args),
        Verb::Export(args) => export::run(&site(cli)?, args),
        Verb::Import(args) => import::run(&site(cli)?, args),
        Verb::Explain(args) => explain::run(&site(cli)?, args),
        Verb::Rules(args) => rules::run(&site(cli)?, args),
        Verb::Peers(args) => peers::run(&site(cli)?, args),
        Verb::Top(args) => top::run(&site(cli)?, args),
        Verb::Report(args) => report::run(&cli.config, &site(cli)?, args),
        Verb::Apply(args) => apply::apply(&site(cli)?, args),
        Verb::Confirm(args) => apply::confirm(&site(cli)?, args),
        Verb::Detach(args) => detach::run(&site(cli)?, args),
    }
}

/// A faulty configuration must not keep an operator from lifting a ban: it is said and worked around.
fn site(cli: &Cli) -> Result<Site, CliError> {
    let (paths, services, faults) =
        config::client_paths(&cli.config).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))?;
    if let Some(faults) = faults {
        let file = faults.file.display();
        stderr_line(&format!("sip-fw: {file} has {} faults, see: sip-fw check {file}", faults.list.len()));
    }
    Ok(Site { paths, services, output: Output { json: cli.json } })
}

impl Site {
    /// Asks, then prints the answer as JSON, or as `render` puts it.
    fn show<T: DeserializeOwned>(&self, request: &Request, render: impl FnOnce(&T) -> String) -> Result<T, CliError> {
        let value = fetch(&self.paths, &self.services, request)?;
        let view = read(&value)?;
        if self.output.json {
            self.output.json(&value)?;
        } else {
            self.output.text(&render(&view))?;
        }
        Ok(view)
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        let message = format!("the agent's answer is not understood ({error}); is it of another version?");
        Failure::new(ExitCode::Failed, message)
    })
}

/// All of one source, as `explain` tells it.
#[must_use]
pub fn explained(view: &ExplainView, now: Timestamp) -> String {
    explain::render(view, now)
}

/// Reads an address or a prefix for clap. Only its form: what IPv6 sources are is for the agent to say.
fn target(text: &str) -> Result<String, String> {
    match Ipv6Prefix::DEFAULT.parse(text) {
        Err(error @ TargetError::Syntax(_)) => Err(error.to_string()),
        Ok(_) | Err(TargetError::TooLong { .. } | TargetError::Multicast(_)) => Ok(text.to_owned()),
    }
}

/// Reads a length of time for clap.
fn length(text: &str) -> Result<std::time::Duration, String> {
    sip_fw_core::duration::parse(text).map_err(|error| error.to_string())
}

/// Reads a length of time above zero for clap.
fn length_above_zero(text: &str) -> Result<std::time::Duration, String> {
    length(text).and_then(|length| if length.is_zero() { Err("must be at least 1s".to_owned()) } else { Ok(length) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_form() {
        for line in [
            "run",
            "run --config x.toml --log-format json --kernel-log trace",
            "status --json",
            "--json status",
            "bans",
            "bans --ended --json",
            "sources",
            "events --follow --since 1h",
            "ban 203.0.113.9",
            "ban 2001:db8::/48 --for 1h --reason because",
            "ban 203.0.113.9 --permanent",
            "unban 203.0.113.9",
            "unban --all",
            "export",
            "export --ended",
            "export --format ipset",
            "import bans.json",
            "import - --format list --for 1h --reason because",
            "import x --format fail2ban --permanent --dry-run --skip-faulty --json",
            "explain 203.0.113.9",
            "explain 203.0.113.9 --service sip",
            "rules --json",
            "top",
            "report",
            "report --since 30d --html x.html --country-db x.mmdb --json",
            "peers",
            "apply",
            "apply x.toml --confirm-within 60s",
            "apply --force",
            "confirm",
            "check",
            "check x.toml",
            "detach",
            "doctor --json",
            "doctor --strict --quiet-for 1h",
            "replay a.pcap --local 192.0.2.10 --local 2001:db8::/48",
            "replay a.pcapng --local 192.0.2.10,192.0.2.11 --observe --json --write-kept b --write-dropped c",
        ] {
            let words = std::iter::once("sip-fw").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }

    #[test]
    fn usage_errors_end_with_2() {
        for line in [
            "",
            "wat",
            "ban",
            "ban 203.0.113.9 --for 90",
            "ban 203.0.113.9 --for 0s",
            "ban 203.0.113.9 --for 1h --permanent",
            "ban host.example",
            "explain 1.2.3",
            "export --format auto",
            "import",
            "import x --format xml",
            "import x --for 1h --permanent",
            "unban",
            "unban 203.0.113.9 --all",
            "doctor --quiet-for long",
            "events --since yesterday",
            "run --kernel-log loud",
            "report --since 0s",
            "apply --force --confirm-within 60s",
            "replay a.pcap",
            "replay --local 192.0.2.10",
            "replay a.pcap --local host.example",
        ] {
            let words = std::iter::once("sip-fw").chain(line.split(' ').filter(|word| !word.is_empty()));
            let code = Cli::try_parse_from(words).map(|_| 0).unwrap_or_else(|error| error.exit_code());
            assert_eq!(code, i32::from(u8::from(ExitCode::Usage)), "{line}");
        }
    }
}
