//! `cargo xtask bench`: sets up, builds and starts the benchmarks; their exit code is ours.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::peers;
use crate::private;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What `bench` understands.
#[derive(Args)]
pub struct Options {
    /// What to measure; everything but `rules`, `agent` and `react` without any
    #[arg(value_enum)]
    what: Vec<What>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Packets that sip-fw has nothing to do with
    Pass,
    /// Packets of banned sources, by themselves and end to end beside other firewalls
    Drop,
    /// Messages that are read
    Inspect,
    /// Tables: what grows with them; the agent under attack
    Scale,
    /// Access rules: how the cost of a packet grows with their number
    Rules,
    /// The agent: its memory while a million sources come and go
    Agent,
    /// An attack: what gets through until it is stopped, beside fail2ban
    React,
}

/// Everything up to the benchmark talks on stderr, so that stdout is the figures' alone.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::require_root("cargo xtask bench  (it loads kernel programs and makes network namespaces)")?;
    let mut steps = Steps::new("bench");
    setup::run(workspace, &mut steps, Needs::BENCH)?;
    if options.what.contains(&What::React) {
        setup::run(workspace, &mut steps, Needs::BENCH_REACT)?;
    }
    steps.stream("cargo build --release --package sip-fw-bench --package sip-fw-agent", || {
        let arguments = ["build", "--release", "--package", "sip-fw-bench", "--package", "sip-fw-agent"];
        process::run(&mut workspace.cargo(&arguments))
    })?;
    steps.finish();
    let program = workspace.target.join("release/sip-fw-bench");
    let mut command = private::among_all_processes(program);
    command.env("PEERS_ROOT", peers::root(workspace));
    let names = options.what.iter().filter_map(ValueEnum::to_possible_value);
    command.args(names.map(|value| value.get_name().to_owned()));
    if options.json {
        command.arg("--json");
    }
    let status = command.stdin(Stdio::null()).status().context("cannot start sip-fw-bench")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
