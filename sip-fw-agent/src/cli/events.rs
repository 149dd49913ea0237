//! `events`: what happened, from the agent or from its store, and what happens.

use std::io;
use std::time::Duration;

use sip_fw_core::record::Record;

use super::{CliError, Site, length, read};
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::exit_code::ExitCode;
use crate::store::{Page, Store, read_events};

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
        return without_agent(site, args);
    };
    while let Some(value) = replies.next_reply()? {
        // As the agent says it: a newer one may know more keys.
        if site.output.json {
            site.output.json(&value)?;
        } else {
            print(site, &read(&value)?)?;
        }
    }
    if args.follow {
        return Err(Failure::new(ExitCode::NoAgent, "the agent ended").into());
    }
    Ok(())
}

/// What the last agent left in its store.
fn without_agent(site: &Site, args: &Args) -> Result<(), CliError> {
    let path = Store::path_in(&site.paths.state);
    let fail = |exit, what: &str| {
        let socket = site.paths.socket.display();
        CliError::from(Failure::new(exit, format!("no agent answers at {socket}, and {}: {what}", path.display())))
    };
    if args.follow {
        return Err(fail(ExitCode::NoAgent, "nothing is written there to be followed"));
    }
    if !path.exists() {
        return Err(fail(ExitCode::NoAgent, "there is no store"));
    }
    let mut printed = Ok(());
    let page = args.since.map_or(Page::everything(), Page::since);
    let result = read_events(&path, page, |record| {
        printed = print(site, &record);
        printed.is_ok()
    });
    result.map_err(|error| fail(ExitCode::Failed, &error.to_string()))?;
    Ok(printed?)
}

fn print(site: &Site, record: &Record) -> io::Result<()> {
    if site.output.json { site.output.json(record) } else { site.output.text(&format!("{record}\n")) }
}
