//! `bans`: who is banned, why, and for how long.

use super::{CliError, Site};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{BanView, BansView, ShunView};
use crate::report::table::{Column, above_zero, left, or_dash, table};
use sip_fw_core::time::{Timestamp, Until};

/// Arguments of `bans`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also list bans that ended and are remembered for the ladder
    #[arg(long)]
    ended: bool,
}

/// Asks and prints.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    site.show(&Request::Bans { ended: args.ended }, |view| render(view, clock::wall())).map(drop)
}

fn render(view: &BansView, now: Timestamp) -> String {
    format!("{}{}", bans(&view.bans, now), shuns(&view.shuns, now))
}

fn shuns(shuns: &[ShunView], now: Timestamp) -> String {
    if shuns.is_empty() {
        return String::new();
    }
    let columns = [Column::Text("SHUNNED"), Column::Text("LEFT"), Column::Number("DROPPED")];
    let row = |shun: &ShunView| [shun.source.clone(), left(Until::At(shun.until), now), shun.packets.to_string()];
    format!("\n{}", table(columns, &shuns.iter().map(row).collect::<Vec<_>>()))
}

fn bans(bans: &[BanView], now: Timestamp) -> String {
    if bans.is_empty() {
        return "no bans\n".to_owned();
    }
    let columns = [
        Column::Text("SOURCE"),
        Column::Text("LEFT"),
        Column::Number("LEVEL"),
        Column::Number("STRIKES"),
        Column::Number("DROPPED"),
        Column::Text("BY"),
        Column::Text("USER"),
        Column::Text("USER-AGENT"),
    ];
    let row = |ban: &BanView| {
        [
            ban.source.clone(),
            if ban.is_active() { left(ban.until, now) } else { "ended".to_owned() },
            above_zero(ban.level.into()),
            above_zero(ban.strikes.into()),
            ban.packets.to_string(),
            or_dash(ban.origin.as_deref()),
            or_dash(ban.user.as_deref()),
            or_dash(ban.user_agent.as_deref()),
        ]
    };
    table(columns, &bans.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let bans = json!({"schema": 1, "bans": [{
            "source": "203.0.113.9", "state": "active", "level": 1, "origin": "auth-failures", "evidence": "proven",
            "since": "1970-01-01T00:00:00.000Z", "until": "1970-01-01T00:01:00.000Z", "strikes": 5, "packets": 12,
            "bytes": 6000, "user": "1000", "user_agent": null, "service": "sip"
        }]});
        let view: BansView = serde_json::from_value(bans).unwrap();
        assert_eq!(
            render(&view, Timestamp { unix_ms: 10_000 }),
            "SOURCE       LEFT  LEVEL  STRIKES  DROPPED  BY             USER  USER-AGENT\n\
             203.0.113.9  50s       1        5       12  auth-failures  1000  -\n"
        );
        let shuns = json!({"schema": 1, "bans": [], "shuns": [{
            "source": "203.0.113.9", "since": "1970-01-01T00:00:00.000Z", "until": "1970-01-01T00:01:00.000Z",
            "packets": 12, "bytes": 6000
        }]});
        assert_eq!(
            render(&serde_json::from_value(shuns).unwrap(), Timestamp { unix_ms: 10_000 }),
            "no bans\n\nSHUNNED      LEFT  DROPPED\n203.0.113.9  50s        12\n"
        );
    }
}
