//! `status`: whether this host is protected, and what was counted.

use std::time::Duration;

use sip_fw_core::duration::Short;

use super::{CliError, Site};
use crate::control::protocol::Request;
use crate::control::view::StatusView;
use crate::report::table::{Column, table};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks and prints.
pub fn run(site: &Site, _args: &Args) -> Result<(), CliError> {
    site.show(&Request::Status, render).map(drop)
}

fn render(status: &StatusView) -> String {
    let agent = &status.agent;
    let running = match (agent.running, agent.pid, agent.uptime_seconds) {
        (true, Some(pid), Some(seconds)) => format!("running, pid {pid}, for {}", Short(Duration::from_secs(seconds))),
        (true, _, _) => "running".to_owned(),
        (false, _, _) => "not running; what is attached stays in force".to_owned(),
    };
    let mut text = format!("agent        {running}\nversion      {}\n", agent.version);
    let mode = if agent.mode == "observe" { "observe: nothing is dropped" } else { &agent.mode };
    text.push_str(&format!("mode         {mode}\n"));
    if status.attachments.is_empty() {
        text.push_str("attached     nowhere: this host is not protected\n");
    }
    for attachment in &status.attachments {
        let (interface, ingress, egress) = (&attachment.interface, &attachment.ingress, &attachment.egress);
        text.push_str(&format!("attached     {interface}: ingress {ingress}, egress {egress}\n"));
    }
    text.push_str(&format!("bans         {}\nsources      {}\n", status.bans_active, status.sources));
    if agent.events_lost > 0 {
        text.push_str(&format!("events lost  {}\n", agent.events_lost));
    }
    let seen = status.counters.iter().filter(|(_, counter)| counter.packets > 0);
    let rows: Vec<_> = seen
        .map(|(reason, counter)| [reason.clone(), counter.packets.to_string(), counter.bytes.to_string()])
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table([Column::Text("SEEN"), Column::Number("PACKETS"), Column::Number("BYTES")], &rows));
    }
    text
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
            "bans_active": 1, "sources": 2,
            "counters": {"banned": {"packets": 5, "bytes": 2500}, "request": {"packets": 0, "bytes": 0}},
            "per_cpu": {}
        });
        assert_eq!(
            render(&serde_json::from_value(status).unwrap()),
            "agent        running, pid 7, for 1h1m\nversion      0.1.0\nmode         enforce\n\
             attached     eth0: ingress native, egress tcx\nbans         1\nsources      2\nevents lost  2\n\n\
             SEEN    PACKETS  BYTES\nbanned        5   2500\n"
        );
    }
}
