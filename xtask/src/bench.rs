//! `cargo xtask bench`: sets up, builds and starts the benchmarks; their exit code is ours.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::private;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What `bench` understands.
#[derive(Args)]
pub struct Options {
    /// What to measure
    #[arg(value_enum)]
    what: What,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Access rules: how the cost of a packet grows with their number
    Rules,
    /// The agent: its memory while a million sources come and go
    Agent,
}

/// Everything up to the benchmark talks on stderr, so that stdout is the figures' alone.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::require_root("cargo xtask bench  (it loads kernel programs)")?;
    let mut steps = Steps::new("bench");
    setup::run(workspace, &mut steps, Needs::BUILD)?;
    steps.stream("cargo build --release --package sip-fw-bench --package sip-fw-agent", || {
        let arguments = ["build", "--release", "--package", "sip-fw-bench", "--package", "sip-fw-agent"];
        process::run(&mut workspace.cargo(&arguments))
    })?;
    steps.finish();
    let program = workspace.target.join("release/sip-fw-bench");
    let mut command = match options.what {
        What::Rules => Command::new(program),
        What::Agent => private::command(program),
    };
    command.arg(match options.what {
        What::Rules => "rules",
        What::Agent => "agent",
    });
    if options.json {
        command.arg("--json");
    }
    let status = command.stdin(Stdio::null()).status().context("cannot start sip-fw-bench")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
