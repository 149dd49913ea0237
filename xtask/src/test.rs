//! `cargo xtask test`: unit tests on the host, then the end-to-end tests as root in a private corner of the machine.
//!
//! An end-to-end test that cannot run fails, unless `SIP_FW_ALLOW_SKIP=1`: then it appends `skipped: what is missing: why`
//! to the file named by `SIP_FW_SKIP_LOG` and returns. A single line there fails the run unless `--allow-skip` was given.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::build;
use crate::libtest::Tally;
use crate::package;
use crate::peers;
use crate::private;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::{self, Workspace};

/// What `test` understands.
#[derive(Args)]
pub struct Options {
    /// Succeed even if end-to-end tests had to be skipped; prints which and why
    #[arg(long)]
    pub allow_skip: bool,
    /// Run only the tests with one of these in their name
    pub filters: Vec<String>,
}

/// What came out of all tests.
#[derive(Default)]
pub struct Outcome {
    tally: Tally,
    skipped: Vec<Skip>,
}

#[derive(Debug, PartialEq, Eq)]
struct Skip {
    missing: String,
    why: String,
}

/// Sets up, runs everything, ends with the table and the closing line.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::require_root("cargo xtask test  (it makes network namespaces and attaches kernel programs)")?;
    let mut steps = Steps::new("test");
    setup::run(workspace, &mut steps, Needs::TEST)?;
    let mut outcome = Outcome::default();
    let result = run_tests(workspace, &mut steps, options, &mut outcome);
    outcome.print(&steps);
    result?;
    outcome.judge(options.allow_skip)
}

/// The tests alone, on a machine that is set up. A failing part does not keep the others from running.
pub fn run_tests(workspace: &Workspace, steps: &mut Steps, options: &Options, outcome: &mut Outcome) -> Result<()> {
    let filters: Vec<&str> = options.filters.iter().map(String::as_str).collect();

    let mut unit = workspace.cargo(&[
        "test",
        "--workspace",
        "--exclude",
        "sip-fw-e2e",
        "--exclude",
        "sip-fw-ebpf",
        "--no-fail-fast",
    ]);
    unit.arg("--").args(&filters);
    run_part(steps, "unit tests", &mut unit, &mut outcome.tally);

    build::run(workspace, steps)?;
    let package = package::deb(workspace, steps)?;
    // Apart from the run, which has no network to fetch crates from.
    let end_to_end = ["test", "--release", "--package", "sip-fw-e2e", "--no-fail-fast"];
    steps.stream("build of the end-to-end tests", || process::run(workspace.cargo(&end_to_end).arg("--no-run")))?;

    let log = workspace.target.join("test/skipped.log");
    fs::create_dir_all(log.parent().context("the target folder has no name")?)?;
    fs::write(&log, "")?;
    let mut command = private::command(workspace::cargo_program());
    command.args(end_to_end).arg("--offline").arg("--").args(&filters);
    command.env("SIP_FW_DEB", package);
    set_environment(&mut command, workspace, &log, options.allow_skip);
    run_part(steps, "end-to-end tests", &mut command, &mut outcome.tally);

    let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    outcome.skipped = parse_skips(&text);
    for _ in &outcome.skipped {
        outcome.tally.skip();
    }
    if !outcome.skipped.is_empty() && !options.allow_skip {
        steps.last_failed();
    }
    Ok(())
}

impl Outcome {
    /// What was skipped, the table of the steps, and the closing line alone on its line.
    pub fn print(&self, steps: &Steps) {
        println!();
        for Skip { missing, why } in &self.skipped {
            println!("skipped: {missing}: {why}");
        }
        println!("{}", steps.table());
        let Tally { passed, failed, ignored, .. } = &self.tally;
        println!("{passed} passed, {failed} failed, {} skipped", *ignored + self.skipped.len() as u64);
    }

    /// The exit code; an error where skipping was not allowed.
    pub fn judge(&self, allow_skip: bool) -> Result<ExitCode> {
        if self.tally.failed > 0 {
            return Ok(ExitCode::FAILURE);
        }
        if !self.skipped.is_empty() && !allow_skip {
            bail!("{} end-to-end tests were skipped (see above); --allow-skip accepts that", self.skipped.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs one harness. Failing tests are counted, not returned as an error.
fn run_part(steps: &mut Steps, name: &str, command: &mut Command, tally: &mut Tally) {
    let failed_before = tally.failed;
    let outcome = steps.stream(name, || {
        let ok = process::run_watched(command, &mut io::stdout(), |line| tally.read(line))?;
        if ok { Ok(()) } else { bail!("failed") }
    });
    if let Err(why) = outcome
        && tally.failed == failed_before
    {
        eprintln!("error: {name}: {why:#}");
        tally.crashed();
    }
}

fn set_environment(command: &mut Command, workspace: &Workspace, log: &Path, allow_skip: bool) {
    command.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target);
    command.env("SIP_FW_BIN", workspace.agent_binary()).env("SIP_FW_SKIP_LOG", log);
    command.env("PEERS_ROOT", peers::root(workspace));
    if allow_skip {
        command.env("SIP_FW_ALLOW_SKIP", "1");
    } else {
        command.env_remove("SIP_FW_ALLOW_SKIP");
    }
}

/// One skip per line: `skipped: what is missing: why`.
fn parse_skips(text: &str) -> Vec<Skip> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let note = line.strip_prefix("skipped: ").unwrap_or(line);
            let (missing, why) = note.split_once(": ").unwrap_or((note, "no reason given"));
            Skip { missing: missing.trim().to_owned(), why: why.trim().to_owned() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_read_with_their_reasons() {
        let skips = parse_skips("skipped: asterisk: no chroot: see setup\n\nskipped: bare\n");
        let pairs: Vec<(&str, &str)> = skips.iter().map(|skip| (skip.missing.as_str(), skip.why.as_str())).collect();
        assert_eq!(pairs, [("asterisk", "no chroot: see setup"), ("bare", "no reason given")]);
    }

    #[test]
    fn a_skip_fails_the_run_unless_allowed() {
        let outcome = Outcome { skipped: parse_skips("skipped: a: b\n"), ..Outcome::default() };
        assert!(outcome.judge(false).is_err());
        assert!(outcome.judge(true).is_ok());
    }
}
