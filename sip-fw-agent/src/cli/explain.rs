//! `explain`: everything about one source.

use std::time::Duration;

use sip_fw_core::duration::Short;
use sip_fw_core::ledger::Page;
use sip_fw_core::time::{Timestamp, Until};

use super::{CliError, Site, target};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{BanView, ExplainView, SourceView};
use crate::exit_code::ExitCode;
use crate::report::table::{ago, or_dash};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address
    #[arg(value_name = "ADDR", value_parser = target)]
    address: String,
}

/// Asks and prints; a source that nothing is known of is still explained, but not found.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let request = Request::Explain { address: args.address.clone() };
    let view = site.show(&request, |view| render(view, clock::wall()))?;
    if view.known { Ok(()) } else { Err(CliError::Said(ExitCode::NotFound)) }
}

fn render(view: &ExplainView, now: Timestamp) -> String {
    let mut lines = vec![("source", view.source.clone())];
    if !view.known {
        lines.push(("known", "no: nothing was ever seen of it".to_owned()));
    }
    lines.push(("now", format!("to a service: {}; to another port: {}", view.now.service, view.now.other)));
    lines.push(("ban", view.ban.as_ref().map_or_else(|| "none".to_owned(), |found| ban(found, now))));
    lines.extend(view.prefix_bans.iter().map(|found| ("prefix", format!("{}: {}", found.source, ban(found, now)))));
    let window = Short(Duration::from_secs(view.strikes.window_seconds));
    let strikes = &view.strikes;
    lines.push(("strikes", format!("{} within {window}; {} ban", strikes.count, strikes.threshold)));
    let length = Short(Duration::from_secs(view.next_ban.length_seconds));
    lines.push(("next ban", format!("level {}, for {length}", view.next_ban.level)));
    lines.extend(view.counters.as_ref().map(|did| ("did", counters(did, now))));
    lines.extend(view.memory.as_ref().map(|page| ("tried", tried(page, now))));
    lines.push(("clears", view.clears.clone()));
    lines.iter().map(|(title, text)| format!("{title:<10}{text}\n")).collect()
}

fn ban(ban: &BanView, now: Timestamp) -> String {
    let end = match ban.until {
        Until::Lifted => "until lifted".to_owned(),
        Until::At(time) if ban.is_active() => format!("until {time} ({} left)", ago(time, now)),
        Until::At(time) => format!("ended {time}"),
    };
    let (by, user) = (or_dash(ban.origin.as_deref()), or_dash(ban.user.as_deref()));
    let (level, strikes, packets) = (ban.level, ban.strikes, ban.packets);
    format!("{end}, level {level}, by {by}, {strikes} strikes, last user {user}, {packets} packets dropped")
}

fn counters(did: &SourceView, now: Timestamp) -> String {
    format!(
        "{} requests, {} attempts: {} succeeded, {} failed, {} failed unproven; first seen {} ago, last {} ago",
        did.requests,
        did.attempts,
        did.successes,
        did.failures_proven,
        did.failures_unproven,
        ago(did.first_seen, now),
        ago(did.last_seen, now)
    )
}

fn tried(page: &Page, now: Timestamp) -> String {
    let more = if page.users_cut { " and more" } else { "" };
    let mut text = format!("users {}{more}", page.users.join(", "));
    if let Some(agent) = &page.user_agent {
        text.push_str(&format!("; User-Agent \"{agent}\""));
    }
    if let Some(time) = page.last_failure {
        text.push_str(&format!("; last failure {} ago", ago(time, now)));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let view = json!({
            "schema": 1, "source": "203.0.113.9", "known": true,
            "ban": {
                "source": "203.0.113.9", "state": "active", "level": 2, "origin": "auth-failures", "evidence": "proven",
                "since": "1970-01-01T00:00:00.000Z", "until": "1970-01-01T00:10:00.000Z", "strikes": 5, "packets": 12,
                "bytes": 6000, "user": "1000", "user_agent": null, "service": "sip"
            },
            "prefix_bans": [], "next_ban": {"level": 3, "length_seconds": 3600},
            "strikes": {"count": 0, "threshold": 5, "window_seconds": 600}, "counters": null, "memory": null,
            "now": {"service": "drop", "other": "pass"}, "clears": "sip-fw unban 203.0.113.9"
        });
        assert_eq!(
            render(&serde_json::from_value(view).unwrap(), Timestamp { unix_ms: 60_000 }),
            "source    203.0.113.9\n\
             now       to a service: drop; to another port: pass\n\
             ban       until 1970-01-01T00:10:00.000Z (9m left), level 2, by auth-failures, 5 strikes, last user 1000, \
             12 packets dropped\n\
             strikes   0 within 10m; 5 ban\n\
             next ban  level 3, for 1h\n\
             clears    sip-fw unban 203.0.113.9\n"
        );
    }
}
