//! `unban`: an operator lifts bans.

use super::{CliError, Site, target};
use crate::control::protocol::Request;
use crate::control::view::UnbannedView;

/// Arguments of `unban`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address or a prefix, as `sip-fw bans` lists it
    #[arg(value_name = "ADDR[/LEN]", value_parser = target, required_unless_present = "all", conflicts_with = "all")]
    target: Option<String>,
    /// Every ban
    #[arg(long)]
    all: bool,
}

/// Asks and prints.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let request = match &args.target {
        Some(target) => Request::Unban { target: target.clone() },
        None => Request::UnbanAll,
    };
    site.show(&request, render).map(drop)
}

fn render(view: &UnbannedView) -> String {
    view.unbanned.iter().map(|source| format!("{source} is free\n")).collect()
}
