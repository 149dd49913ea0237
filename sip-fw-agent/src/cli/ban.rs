//! `ban`: an operator bans.

use std::time::Duration;

use sip_fw_core::time::{Timestamp, Until};

use super::{CliError, Site, length_above_zero, target};
use crate::clock;
use crate::control::protocol::{Length, Request};
use crate::control::view::{BanView, BannedView};
use crate::report::table::left;

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
    site.show(&request, |view| render(view, clock::wall())).map(drop)
}

fn render(view: &BannedView, now: Timestamp) -> String {
    let BanView { source, level, until, .. } = &view.banned;
    let step = if *level == 0 { String::new() } else { format!(" (level {level})") };
    match until {
        Until::At(time) => format!("{source} is banned for {}{step}, until {time}\n", left(*until, now)),
        Until::Lifted => format!("{source} is banned until it is lifted: sip-fw unban {source}\n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let said = |level: u8, until: Option<&str>| {
            let banned = json!({
                "source": "203.0.113.9", "state": "active", "level": level, "origin": "operator", "evidence": "proven",
                "since": "1970-01-01T00:00:00.000Z", "until": until, "strikes": 0, "packets": 0, "bytes": 0,
                "user": null, "user_agent": null, "service": null
            });
            let view = json!({"schema": 1, "banned": banned});
            render(&serde_json::from_value(view).unwrap(), Timestamp { unix_ms: 4 })
        };
        let until = "1970-01-01T01:00:00.000Z";
        assert_eq!(said(0, Some(until)), format!("203.0.113.9 is banned for 1h, until {until}\n"));
        assert_eq!(said(3, Some(until)), format!("203.0.113.9 is banned for 1h (level 3), until {until}\n"));
        assert_eq!(said(0, None), "203.0.113.9 is banned until it is lifted: sip-fw unban 203.0.113.9\n");
    }
}
