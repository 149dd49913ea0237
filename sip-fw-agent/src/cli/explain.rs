//! `explain`: everything about one source.

use std::time::Duration;

use sip_fw_core::duration::Short;
use sip_fw_core::ledger::Page;
use sip_fw_core::time::{Timestamp, Until};

use super::{CliError, Site, target};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{BanView, DecisionView, ExplainView, ShunView, SourceView};
use crate::exit_code::ExitCode;
use crate::report::table::{ago, left, or_dash};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address
    #[arg(value_name = "ADDR", value_parser = target)]
    address: String,
    /// What would happen at this service, instead of at every port
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// Asks and prints; a source that nothing is known of is still explained, but not found.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let request = Request::Explain { address: args.address.clone(), service: args.service.clone() };
    let view = site.show(&request, |view| render(view, clock::wall()))?;
    if view.known { Ok(()) } else { Err(CliError::Said(ExitCode::NotFound)) }
}

/// One line each: a title, then what is known.
pub fn render(view: &ExplainView, now: Timestamp) -> String {
    let mut lines = vec![("source", view.source.clone()), ("state", state(view, now)), ("packets", packets(view))];
    lines.extend(view.ban.as_ref().map(|found| ("ban", ban(found, now))));
    lines.extend(view.prefix_bans.iter().map(|found| ("prefix", format!("{}: {}", found.source, ban(found, now)))));
    lines.extend(view.shun.as_ref().map(|shun| ("shun", shunned(shun, now))));
    let strikes = &view.strikes;
    let window = Short(Duration::from_secs(strikes.window_seconds));
    lines.push(("strikes", format!("{} of {} within {window}", strikes.count, strikes.threshold)));
    let length = Short(Duration::from_secs(view.next_ban.length_seconds));
    lines.push(("next ban", format!("level {}, for {length}", view.next_ban.level)));
    lines.extend(view.counters.as_ref().map(|did| ("did", counters(did, now))));
    let memory = view.memory.as_ref();
    lines.extend(memory.filter(|page| page.failures > 0).map(|page| ("tried", tried(page, now))));
    lines.extend(memory.and_then(|page| Some(("found", page.finding.clone()?))));
    lines.extend(view.access.iter().map(|decision| ("access", access(decision))));
    lines.push(("clears", view.clears.clone()));
    lines.iter().map(|(title, text)| format!("{title:<10}{text}\n")).collect()
}

fn state(view: &ExplainView, now: Timestamp) -> String {
    let own = view.ban.iter().filter(|ban| ban.is_active());
    match own.chain(&view.prefix_bans).map(|ban| left(ban.until, now)).next() {
        Some(left) if left.starts_with("until") => format!("banned {left}"),
        Some(left) => format!("banned for another {left}"),
        None if view.shun.is_some() => {
            "shunned for a while: what it does proves nothing, so it is not banned".to_owned()
        }
        None if view.ban.is_some() => "not banned, but it was".to_owned(),
        None if view.known => "not banned".to_owned(),
        None => "unknown: no SIP request and no ban of it is remembered".to_owned(),
    }
}

fn packets(view: &ExplainView) -> String {
    let fate = |word: &str| match word {
        "drop" => "dropped",
        "would-drop" => "passed, but only because the mode is observe",
        _ => "passed",
    };
    let target = match &view.now.asked {
        Some(service) => format!("{} ({})", service.name, service.listen.join(", ")),
        None => "a service".to_owned(),
    };
    let mut text = format!("to {target}: {}", fate(&view.now.service));
    if let Some(other) = &view.now.other {
        text.push_str(&format!("; to any other port: {}", fate(other)));
    }
    text
}

fn access(decision: &DecisionView) -> String {
    let DecisionView { service, action, rule, order } = decision;
    let by = order.map_or_else(|| rule.clone(), |order| format!("rule {order}, \"{rule}\""));
    format!("{service}: {action} by {by}")
}

fn ban(ban: &BanView, now: Timestamp) -> String {
    let mut parts = Vec::new();
    if ban.level > 0 {
        parts.push(format!("level {}", ban.level));
    }
    parts.push(format!("by {}", or_dash(ban.origin.as_deref())));
    if ban.strikes > 0 {
        let evidence = ban.evidence.as_deref().unwrap_or("unknown");
        parts.push(format!("{} strikes ({evidence})", ban.strikes));
    }
    parts.push(format!("began {}", ago(ban.since, now)));
    match ban.until {
        Until::Lifted => parts.push("until lifted".to_owned()),
        Until::At(time) if ban.is_active() => parts.push(format!("until {time}")),
        Until::At(time) => parts.push(format!("ended {}", ago(time, now))),
    }
    parts.push(format!("{} packets dropped", ban.packets));
    parts.extend(ban.service.iter().map(|service| format!("service {service}")));
    parts.extend(ban.user.iter().map(|user| format!("last user \"{user}\"")));
    parts.extend(ban.user_agent.iter().map(|agent| format!("User-Agent \"{agent}\"")));
    parts.join(", ")
}

fn shunned(shun: &ShunView, now: Timestamp) -> String {
    let ShunView { since, until, packets, .. } = shun;
    format!("began {}, until {until} unless its packets go on, {packets} packets dropped", ago(*since, now))
}

fn counters(did: &SourceView, now: Timestamp) -> String {
    format!(
        "{} requests, {} attempts: {} succeeded, {} failed, {} failed unproven, {} stale; first seen {}, last {}",
        did.requests,
        did.attempts,
        did.successes,
        did.failures_proven,
        did.failures_unproven,
        did.stale,
        ago(did.first_seen, now),
        ago(did.last_seen, now)
    )
}

fn tried(page: &Page, now: Timestamp) -> String {
    let more = if page.users_cut { " and more" } else { "" };
    let users: Vec<_> = page.users.iter().map(|user| format!("\"{user}\"")).collect();
    let mut text = format!("users {}{more}", users.join(", "));
    if let Some(agent) = &page.user_agent {
        text.push_str(&format!("; User-Agent \"{agent}\""));
    }
    if let Some(time) = page.last_failure {
        text.push_str(&format!("; last failure {}", ago(time, now)));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let mut view = json!({
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
            render(&serde_json::from_value(view.clone()).unwrap(), Timestamp { unix_ms: 60_000 }),
            "source    203.0.113.9\n\
             state     banned for another 9m\n\
             packets   to a service: dropped; to any other port: passed\n\
             ban       level 2, by auth-failures, 5 strikes (proven), began 1m ago, until 1970-01-01T00:10:00.000Z, \
             12 packets dropped, service sip, last user \"1000\"\n\
             strikes   0 of 5 within 10m\n\
             next ban  level 3, for 1h\n\
             clears    sip-fw unban 203.0.113.9\n"
        );
        view["now"] = json!({"asked": {"name": "web", "kind": "opaque", "listen": ["tcp/443"]}, "service": "drop"});
        let text = render(&serde_json::from_value(view).unwrap(), Timestamp { unix_ms: 60_000 });
        assert!(text.contains("packets   to web (tcp/443): dropped\n"), "{text}");
    }
}
