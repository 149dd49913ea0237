//! `doctor`: is this host really protected?

use std::path::Path;
use std::time::Duration;

use sip_fw_core::text::escape;

use super::output::Output;
use super::{CliError, length_above_zero, read};
use crate::config::{self, Config, ConfigError, DEFAULT_FILE, Paths};
use crate::control::client::fetch;
use crate::control::protocol::{Failure, Request};
use crate::control::view::StatusView;
use crate::daemon::text_in_force;
use crate::doctor::{File, Finding, Patient, Report, State, examine};
use crate::exit_code::ExitCode;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 protected (notes and warnings aside), 1 a problem (with --strict: or a warning), \
                        4 no agent runs"
)]
pub struct Args {
    /// End with 1 on warnings, too
    #[arg(long)]
    strict: bool,
    /// Warn when the last SIP request is longer ago than this: 30m, 1h, 1d
    #[arg(long, value_name = "LENGTH", value_parser = length_above_zero, default_value = "1d")]
    quiet_for: Duration,
}

/// Examines and prints.
pub fn run(file: &Path, args: &Args, output: Output) -> Result<(), CliError> {
    let (file_state, config, paths, services) = configuration(file)?;
    let status = fetch(&paths, &services, &Request::Status).and_then(|value| read::<StatusView>(&value));
    let report = examine(Patient {
        path: file,
        file: file_state,
        config,
        paths: &paths,
        status: status.map_err(|failure| failure.to_string()),
        quiet_max: args.quiet_for,
    });
    if output.json {
        output.json(&report)?;
    } else {
        output.text(&render(&report))?;
    }
    match exit(&report, args.strict) {
        ExitCode::Done => Ok(()),
        code => Err(CliError::Said(code)),
    }
}

/// A configuration that is faulty, or missing where it usually is, is a finding; its paths are used as far as they go.
fn configuration(file: &Path) -> Result<(File, Option<Config>, Paths, Vec<String>), CliError> {
    let unreadable = |error: ConfigError| Failure::new(ExitCode::Usage, error.to_string());
    match config::load(file) {
        Ok(config) => {
            let in_force = config::read(file).is_ok_and(|text| text_in_force(&config.paths.state) == Some(text));
            let (paths, names) = (config.paths.clone(), config.service_names());
            Ok((File::Valid { in_force }, Some(config), paths, names))
        }
        Err(ConfigError::Faulty(faults)) => {
            let (paths, names, _) = config::client_paths(file).map_err(unreadable)?;
            Ok((File::Faulty(faults.list.len()), None, paths, names))
        }
        Err(ConfigError::Unreadable { error, .. }) if error.is_missing() && file == Path::new(DEFAULT_FILE) => {
            Ok((File::Missing, None, Paths::default(), Vec::new()))
        }
        Err(error) => Err(unreadable(error).into()),
    }
}

fn exit(report: &Report, strict: bool) -> ExitCode {
    match report.state {
        _ if !report.agent_running => ExitCode::NoAgent,
        State::Problem => ExitCode::Failed,
        State::Warning if strict => ExitCode::Failed,
        _ => ExitCode::Done,
    }
}

fn render(report: &Report) -> String {
    report.findings.iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let Finding { check, state, text, advice, .. } = finding;
    let state = match state {
        State::Ok => "ok",
        State::Note => "note",
        State::Warning => "WARNING",
        State::Problem => "PROBLEM",
    };
    let advice = advice.as_deref().map_or_else(String::new, |advice| format!(" -> {advice}"));
    // Errors of the kernel and names of interfaces are not ours: one line each, whatever they hold.
    format!("{state:<9}{check:<16}{}\n", escape(&format!("{text}{advice}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Group;

    fn report(agent_running: bool, states: &[State]) -> Report {
        let findings = states.iter().map(|state| Finding::new(Group::Agent, "agent", *state, "text")).collect();
        Report::new(agent_running, findings)
    }

    #[test]
    fn exit_codes() {
        let code = |running, states: &[State], strict| exit(&report(running, states), strict);
        assert_eq!(code(true, &[State::Ok, State::Note], true), ExitCode::Done);
        assert_eq!(code(true, &[State::Warning, State::Ok], false), ExitCode::Done);
        assert_eq!(code(true, &[State::Warning, State::Ok], true), ExitCode::Failed);
        assert_eq!(code(true, &[State::Problem, State::Warning], false), ExitCode::Failed);
        assert_eq!(code(false, &[State::Problem], false), ExitCode::NoAgent);
    }

    #[test]
    fn rendering() {
        let findings = vec![
            Finding::ok(Group::Clock, "wall-clock", "chronyd keeps it right"),
            Finding::new(Group::Agent, "agent", State::Problem, "no\nagent").advise("sip-fw run"),
        ];
        let report = Report::new(false, findings);
        assert_eq!(
            render(&report),
            "PROBLEM  agent           no\\nagent -> sip-fw run\nok       wall-clock      chronyd keeps it right\n"
        );
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.starts_with(
            "{\"schema\":1,\"state\":\"problem\",\"agent_running\":false,\"findings\":[{\"group\":\"agent\",\"check\":\"agent\",\
             \"subject\":null,\"state\":\"problem\",\"text\":\"no\\nagent\",\"advice\":\"sip-fw run\"}"
        ), "{json}");
    }
}
