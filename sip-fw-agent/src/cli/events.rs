//! `events`: what happened, from the agent's memory, and what happens.

use std::time::Duration;

use sip_fw_core::record::Record;

use super::{CliError, Site, length, read};
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::exit_code::ExitCode;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Wait for more, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only what happened within this time, such as 1h
    #[arg(long, value_name = "TIME", value_parser = length)]
    since: Option<Duration>,
}

/// Asks and prints line by line.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let since_seconds = args.since.map(|since| since.as_secs());
    let request = Request::Events { since_seconds, follow: args.follow };
    let Some(mut replies) = ask(&site.paths, &request)? else {
        let message = format!("no agent answers at {}: events are in its memory", site.paths.socket.display());
        return Err(Failure::new(ExitCode::NoAgent, message).into());
    };
    while let Some(value) = replies.next_reply()? {
        if site.output.json {
            site.output.json(&value)?;
        } else {
            let record: Record = read(&value)?;
            site.output.text(&render(&record))?;
        }
    }
    if args.follow {
        return Err(Failure::new(ExitCode::NoAgent, "the agent ended").into());
    }
    Ok(())
}

fn render(record: &Record) -> String {
    format!("{record}\n")
}
