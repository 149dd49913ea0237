//! Whether an agent runs, and whether it goes by the configuration that is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sip_fw_core::duration::Short;

use super::finding::{Finding, Group, State};
use crate::control::view::StatusView;

/// The configuration file, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// Nothing is wrong with it.
    Valid {
        /// It is the text that the agent went by last.
        in_force: bool,
    },
    /// So many things are wrong with it.
    Faulty(usize),
    /// It is not there.
    Missing,
}

/// What is known of the agent.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Where the configuration is.
    pub path: &'a Path,
    /// How it is.
    pub file: &'a File,
    /// Where the agent listens.
    pub socket: &'a PathBuf,
    /// What it, or what is pinned, says; or why nothing does.
    pub status: Result<&'a StatusView, &'a str>,
}

/// What is to be said of them.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = vec![running(facts), configuration(facts)];
    findings.extend(facts.status.ok().map(mode));
    findings
}

fn running(facts: &Facts<'_>) -> Finding {
    let problem = |text: String| Finding::new(Group::Agent, "agent", State::Problem, text);
    match facts.status {
        Ok(StatusView { agent, .. }) if agent.running => {
            let uptime = Short(Duration::from_secs(agent.uptime_seconds.unwrap_or(0)));
            Finding::ok(Group::Agent, "agent", format!("running for {uptime}, version {}", agent.version))
        }
        Ok(_) => problem(format!(
            "no agent answers at {}: what is attached goes on banning, but known peers, scans and names are not looked after",
            facts.socket.display()
        ))
        .advise("sip-fw run, or systemctl start sip-fw"),
        Err(error) => problem(error.to_owned()),
    }
}

fn configuration(facts: &Facts<'_>) -> Finding {
    let path = facts.path.display();
    let say = |state, text: String| Finding::new(Group::Agent, "configuration", state, text);
    match facts.file {
        File::Valid { in_force: true } => say(State::Ok, format!("{path} is valid and in force")),
        File::Valid { in_force: false } if facts.status.is_ok_and(|status| status.agent.running) => say(
            State::Note,
            format!("{path} is valid, but not what the agent goes by; the checks below go by the file"),
        )
        .advise("sip-fw apply, or systemctl restart sip-fw"),
        File::Valid { in_force: false } => say(State::Ok, format!("{path} is valid")),
        File::Faulty(faults) => say(
            State::Problem,
            format!("{path} has {faults} faults: no agent starts with it, and services are not checked"),
        )
        .advise(format!("sip-fw check {path}")),
        File::Missing => say(State::Problem, format!("{path} does not exist: services are not checked"))
            .advise("copy packaging/sip-fw.toml there and set its interfaces"),
    }
}

fn mode(status: &StatusView) -> Finding {
    match status.agent.mode.as_str() {
        "observe" => {
            Finding::new(Group::Agent, "mode", State::Warning, "observe: everything is decided, nothing is dropped")
                .advise("once `sip-fw events` shows nobody you know: mode = \"enforce\", then sip-fw apply")
        }
        mode => Finding::ok(Group::Agent, "mode", mode),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn states(file: &File, running: Option<bool>, mode: &str) -> Vec<(&'static str, State)> {
        let status = json!({
            "schema": 1,
            "agent": {"running": running, "pid": 7, "uptime_seconds": 7, "version": "0", "events_lost": 0, "mode": mode},
            "attachments": [], "services": [],
            "rules": {"threshold": 5, "window_seconds": 600, "ladder_seconds": [60], "scope": "services"},
            "bans_active": 0, "sources": 0, "counters": {}, "per_cpu": {}
        });
        let status = running.map(|_| serde_json::from_value(status).unwrap());
        let status = status.as_ref().ok_or("nothing is attached");
        let facts = Facts { path: Path::new("sip-fw.toml"), file, socket: &PathBuf::from("control.sock"), status };
        judge(&facts).into_iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn agents_and_files() {
        let (agent, configuration, mode) = ("agent", "configuration", "mode");
        let (in_force, other) = (File::Valid { in_force: true }, File::Valid { in_force: false });
        assert_eq!(
            states(&in_force, Some(true), "enforce"),
            [(agent, State::Ok), (configuration, State::Ok), (mode, State::Ok)]
        );
        assert_eq!(
            states(&other, Some(true), "observe"),
            [(agent, State::Ok), (configuration, State::Note), (mode, State::Warning)]
        );
        assert_eq!(
            states(&other, Some(false), "enforce"),
            [(agent, State::Problem), (configuration, State::Ok), (mode, State::Ok)]
        );
        assert_eq!(states(&File::Faulty(2), None, ""), [(agent, State::Problem), (configuration, State::Problem)]);
        assert_eq!(states(&File::Missing, None, ""), [(agent, State::Problem), (configuration, State::Problem)]);
    }
}
