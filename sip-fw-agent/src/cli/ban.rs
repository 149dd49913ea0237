//! `ban`: an operator bans.

use std::time::Duration;

use sip_fw_core::time::Until;

use super::{CliError, Site, length_above_zero, target};
use crate::control::protocol::{Length, Request};
use crate::control::view::BannedView;

/// Arguments of `ban`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address or a prefix; an IPv6 address stands for its /64
    #[arg(value_name = "ADDR[/LEN]", value_parser = target)]
    target: String,
    /// How long, such as 1h; without it the next step of the ladder
    #[arg(long = "for", value_name = "TIME", value_parser = length_above_zero, conflicts_with = "permanent")]
    length: Option<Duration>,
    /// Until the ban is lifted
    #[arg(long)]
    permanent: bool,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Asks and prints.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let length = match (args.length, args.permanent) {
        (Some(length), _) => Length::Seconds(length.as_secs()),
        (None, true) => Length::Permanent,
        (None, false) => Length::Ladder,
    };
    let request = Request::Ban { target: args.target.clone(), length, reason: args.reason.clone() };
    site.show(&request, render).map(drop)
}

fn render(view: &BannedView) -> String {
    match view.banned.until {
        Until::At(time) => format!("{} is banned until {time}\n", view.banned.source),
        Until::Lifted => format!("{} is banned until lifted\n", view.banned.source),
    }
}
