//! `top`: the live view on this terminal.

use std::io::{self, IsTerminal};

use super::{CliError, Site};
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::top;

/// Arguments of `top`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Shows it until the operator ends it.
pub fn run(site: &Site, _args: &Args) -> Result<(), CliError> {
    if site.output.json || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let message =
            "top is for people at a terminal; programs read sip-fw status, sources, bans and events with --json";
        return Err(Failure::new(ExitCode::Usage, message).into());
    }
    Ok(top::run(&site.paths)?)
}
