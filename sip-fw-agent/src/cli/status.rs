//! `status`: whether this host is protected, and what was counted.

use std::time::Duration;

use sip_fw_common::reason::Reason;
use sip_fw_core::duration::Short;

use super::{CliError, Site};
use crate::control::protocol::Request;
use crate::control::view::{AgentView, AlertView, AttachmentView, RulesView, ServiceView, StatusView};
use crate::report::table::{Column, table};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks and prints.
pub fn run(site: &Site, _args: &Args) -> Result<(), CliError> {
    site.show(&Request::Status, render).map(drop)
}

fn render(status: &StatusView) -> String {
    let mut lines = vec![("agent", agent(&status.agent))];
    lines.push(("mode", mode(&status.agent.mode).to_owned()));
    if status.attachments.is_empty() {
        lines.push(("attached", "NOWHERE: this host is not protected".to_owned()));
    }
    lines.extend(status.attachments.iter().map(|attachment| ("attached", attached(attachment))));
    let (inspected, opaque): (Vec<_>, Vec<_>) = status.services.iter().partition(|service| service.kind == "sip");
    lines.extend(inspected.iter().map(|service| ("inspected", listen(service))));
    for service in opaque {
        lines.push(("not read", format!("{}, but closed to banned sources", listen(service))));
    }
    lines.push(("not read", "every other port, SIP inside TLS or WebSocket, later fragments".to_owned()));
    lines.push(("ban", rules(&status.rules)));
    lines.push(("bans", format!("{} in force", status.bans_active)));
    lines.push(("sources", format!("{} seen", status.sources)));
    lines.push(("events", events(status.agent.events_lost)));
    lines.extend(status.alerts.iter().map(|told| ("alerts", alerts(told))));
    let mut text: String = lines.iter().map(|(title, text)| format!("{title:<11}{text}\n")).collect();
    text.push_str(&counters(status));
    text
}

fn agent(agent: &AgentView) -> String {
    let version = &agent.version;
    match (agent.running, agent.pid, agent.uptime_seconds) {
        (true, Some(pid), Some(seconds)) => {
            format!("running for {}, pid {pid}, version {version}", Short(Duration::from_secs(seconds)))
        }
        (true, _, _) => format!("running, version {version}"),
        (false, _, _) => "NOT RUNNING; what is attached stays in force and goes on banning".to_owned(),
    }
}

fn mode(mode: &str) -> &str {
    match mode {
        "observe" => "observe: nothing is dropped",
        mode => mode,
    }
}

fn attached(attachment: &AttachmentView) -> String {
    let AttachmentView { interface, ingress, egress } = attachment;
    let note = match (ingress.as_str(), egress.as_str()) {
        ("none", _) => ": NOTHING IS DROPPED THERE",
        (_, "none") => ": NO FAILURE IS SEEN THERE",
        ("generic", _) => " (its driver has no native XDP: dropping costs more)",
        _ => "",
    };
    format!("{interface}: ingress {ingress}, egress {egress}{note}")
}

fn listen(service: &ServiceView) -> String {
    format!("{}: {}", service.name, service.listen.join(", "))
}

fn rules(rules: &RulesView) -> String {
    let short = |seconds: u64| Short(Duration::from_secs(seconds)).to_string();
    let steps: Vec<_> = rules.ladder_seconds.iter().copied().map(short).collect();
    let (threshold, window) = (rules.threshold, short(rules.window_seconds));
    let scope = if rules.scope == "host" { "every port of this host" } else { "the ports of the services" };
    format!("after {threshold} proven failures within {window}, for {}; closes {scope}", steps.join(", "))
}

fn events(lost: u64) -> String {
    match lost {
        0 => "none lost".to_owned(),
        lost => format!("{lost} LOST: the ring buffer was full; bans are not affected"),
    }
}

fn alerts(told: &AlertView) -> String {
    let AlertView { name, kind, state, last_error, sent, dropped } = told;
    let who = if kind == name { kind.clone() } else { format!("{kind} {name}") };
    let how = match (state.as_str(), last_error) {
        ("failing", Some(error)) => format!("FAILING, {error}"),
        (state, _) => state.to_owned(),
    };
    let dropped = if *dropped == 0 { String::new() } else { format!(", {dropped} DROPPED") };
    format!("{who}: {how}; {sent} sent{dropped}")
}

/// What was seen of packets, in the order of its numbers: arriving, leaving, lost. What was never seen is left out.
fn counters(status: &StatusView) -> String {
    let row = |reason: &Reason| {
        let counter = status.counters.get(reason.name()).filter(|counter| counter.packets > 0)?;
        let meaning = meaning(*reason).to_owned();
        Some([reason.name().to_owned(), counter.packets.to_string(), counter.bytes.to_string(), meaning])
    };
    let rows: Vec<_> = Reason::ALL.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [Column::Text("SEEN"), Column::Number("PACKETS"), Column::Number("BYTES"), Column::Text("")];
    format!("\n{}", table(columns, &rows))
}

const fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::NotIp => "passed: neither UDP nor TCP",
        Reason::NoService => "passed: no service on that port",
        Reason::Fragment => "passed unread: later fragments",
        Reason::Malformed => "passed unread: broken headers",
        Reason::Banned => "DROPPED",
        Reason::WouldDrop => "passed: mode observe",
        Reason::Opaque => "passed unread: opaque service",
        Reason::Request => "SIP requests",
        Reason::Retransmission => "repeated SIP requests",
        Reason::AckOrCancel => "ACK or CANCEL",
        Reason::ResponseIn => "answers to this host",
        Reason::KeepAlive => "empty or CRLF",
        Reason::Unparsed => "passed: not SIP from the first byte on",
        Reason::TableFull => "passed unjudged: raise [limits] transactions",
        Reason::Denied => "DROPPED by access rules",
        Reason::Trusted => "passed: trusted",
        Reason::OutOther => "leaving: not from a SIP service",
        Reason::OutUnjudged => "leaving: no final answer",
        Reason::OutUnmatched => "leaving: answers already judged, or to nothing remembered",
        Reason::Challenge => "leaving: first challenges",
        Reason::Success => "leaving: right passwords",
        Reason::FailureProven => "leaving: WRONG PASSWORDS, source proven",
        Reason::FailureUnproven => "leaving: wrong passwords, source may be forged",
        Reason::Stale => "leaving: nonce too old",
        Reason::Neutral => "leaving: answers that say nothing about passwords",
        Reason::EventLost => "EVENTS LOST: ring buffer full",
        Reason::BanLost => "BANS LOST: raise [limits] bans",
        Reason::Shunned => "DROPPED: shunned for a while, without proof",
        Reason::Flood => "DROPPED: more messages than a source may send",
        Reason::Scanner => "DROPPED: a scanner's signature",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let status = json!({
            "schema": 1,
            "agent": {"running": true, "pid": 7, "uptime_seconds": 3700, "version": "0.1.0", "events_lost": 2, "mode": "enforce"},
            "attachments": [{"interface": "eth0", "ingress": "native", "egress": "tcx"}],
            "services": [
                {"name": "sip", "kind": "sip", "listen": ["udp/5060", "tcp/5060"]},
                {"name": "web", "kind": "opaque", "listen": ["tcp/443"]}
            ],
            "rules": {"threshold": 5, "window_seconds": 600, "ladder_seconds": [60, 600], "scope": "services"},
            "bans_active": 1, "sources": 2,
            "alerts": [
                {"name": "syslog", "kind": "syslog", "state": "ok", "last_error": "x", "sent": 3, "dropped": 0},
                {"name": "chat", "kind": "webhook", "state": "failing", "last_error": "no", "sent": 1, "dropped": 2}
            ],
            "counters": {
                "request": {"packets": 0, "bytes": 0}, "event-lost": {"packets": 2, "bytes": 0},
                "banned": {"packets": 5, "bytes": 2500}
            },
            "per_cpu": {}
        });
        assert_eq!(
            render(&serde_json::from_value(status).unwrap()),
            "agent      running for 1h1m, pid 7, version 0.1.0\nmode       enforce\n\
             attached   eth0: ingress native, egress tcx\ninspected  sip: udp/5060, tcp/5060\n\
             not read   web: tcp/443, but closed to banned sources\n\
             not read   every other port, SIP inside TLS or WebSocket, later fragments\n\
             ban        after 5 proven failures within 10m, for 1m, 10m; closes the ports of the services\n\
             bans       1 in force\nsources    2 seen\n\
             events     2 LOST: the ring buffer was full; bans are not affected\n\
             alerts     syslog: ok; 3 sent\nalerts     webhook chat: FAILING, no; 1 sent, 2 DROPPED\n\n\
             SEEN        PACKETS  BYTES\nbanned            5   2500  DROPPED\n\
             event-lost        2      0  EVENTS LOST: ring buffer full\n"
        );
    }

    #[test]
    fn what_is_wrong_stands_out() {
        let attachment = |ingress: &str, egress: &str| AttachmentView {
            interface: "eth0".to_owned(),
            ingress: ingress.to_owned(),
            egress: egress.to_owned(),
        };
        assert_eq!(attached(&attachment("none", "tcx")), "eth0: ingress none, egress tcx: NOTHING IS DROPPED THERE");
        assert_eq!(
            attached(&attachment("native", "none")),
            "eth0: ingress native, egress none: NO FAILURE IS SEEN THERE"
        );
        assert!(
            attached(&attachment("generic", "clsact")).ends_with("(its driver has no native XDP: dropping costs more)")
        );
    }
}
