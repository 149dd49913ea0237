//! `apply` and `confirm`: a configuration comes into force, for good or on trial.

use std::path::PathBuf;
use std::time::Duration;

use super::{CliError, Site, length_above_zero};
use crate::clock;
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::control::view::AppliedView;
use crate::exit_code::ExitCode;
use crate::report::table::left;
use sip_fw_core::time::{Timestamp, Until};

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    /// The configuration; without it the agent's own file. Once in force for good it becomes that file
    file: Option<PathBuf>,
    /// Go back by itself unless `sip-fw confirm` comes in time, such as 60s
    #[arg(long, value_name = "TIME", value_parser = length_above_zero)]
    confirm_within: Option<Duration>,
    /// Even if it cuts off an operator's session or a known peer
    #[arg(long, conflicts_with = "confirm_within")]
    force: bool,
}

/// Arguments of `confirm`.
#[derive(Debug, clap::Args)]
pub struct ConfirmArgs {}

/// Asks the agent and prints.
pub fn apply(site: &Site, args: &ApplyArgs) -> Result<(), CliError> {
    let absolute = |file: &PathBuf| {
        std::path::absolute(file).map_err(|error| Failure::new(ExitCode::Usage, format!("{}: {error}", file.display())))
    };
    let request = Request::Apply {
        file: args.file.as_ref().map(absolute).transpose()?,
        force: args.force,
        confirm_within_seconds: args.confirm_within.map(|length| length.as_secs()),
    };
    show(site, &request)
}

/// Asks the agent and prints.
pub fn confirm(site: &Site, _: &ConfirmArgs) -> Result<(), CliError> {
    show(site, &Request::Confirm)
}

fn show(site: &Site, request: &Request) -> Result<(), CliError> {
    let Some(mut replies) = ask(&site.paths, request)? else {
        let message = format!(
            "no agent answers at {}; it puts its configuration in force when it starts",
            site.paths.socket.display()
        );
        return Err(Failure::new(ExitCode::NoAgent, message).into());
    };
    let ended = || Failure::new(ExitCode::Failed, "the agent ended without an answer");
    let value = replies.next_reply()?.ok_or_else(ended)?;
    let view: AppliedView = super::read(&value)?;
    if site.output.json {
        return Ok(site.output.json(&value)?);
    }
    Ok(site.output.text(&render(&view, clock::wall()))?)
}

fn render(view: &AppliedView, now: Timestamp) -> String {
    let mut text = format!("in force: {} prefixes in {} of kernel memory\n", view.prefixes, size(view.memory_bytes));
    if let Some(until) = view.confirm_until {
        let left = left(Until::At(until), now);
        text.push_str(&format!("the configuration before comes back in {left}, unless you run: sip-fw confirm\n"));
    }
    for note in &view.notes {
        text.push_str(&format!("but {note}\n"));
    }
    text
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=1_048_575 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendering() {
        let mut view = AppliedView {
            schema: 1,
            memory_bytes: 3 << 19,
            prefixes: 7,
            confirm_until: Some(Timestamp { unix_ms: 60_000 }),
            notes: Vec::new(),
        };
        assert_eq!(
            render(&view, Timestamp { unix_ms: 0 }),
            "in force: 7 prefixes in 1.5 MiB of kernel memory\n\
             the configuration before comes back in 1m, unless you run: sip-fw confirm\n"
        );
        view.confirm_until = None;
        view.notes = vec!["it rains".to_owned()];
        view.memory_bytes = 1;
        assert_eq!(
            render(&view, Timestamp { unix_ms: 0 }),
            "in force: 7 prefixes in 1 KiB of kernel memory\nbut it rains\n"
        );
    }
}
