//! `cargo xtask judge`: sets up, builds and starts the judge; its exit code is ours.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What `judge` understands.
#[derive(Args)]
pub struct Options {
    /// Print the totals as one JSON object, the last line on stdout
    #[arg(long)]
    json: bool,
    /// Only scenarios whose name contains this
    filter: Option<String>,
}

/// Everything up to the judge talks on stderr, so that stdout is the judge's alone.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::require_root("cargo xtask judge  (it loads kernel programs)")?;
    let mut steps = Steps::new("judge");
    setup::run(workspace, &mut steps, Needs::BUILD)?;
    steps.stream("cargo build --release --package sip-fw-e2e --bin sip-fw-judge", || {
        let arguments = ["build", "--release", "--package", "sip-fw-e2e", "--bin", "sip-fw-judge"];
        process::run(&mut workspace.cargo(&arguments))
    })?;
    steps.finish();
    let mut command = Command::new(workspace.target.join("release/sip-fw-judge"));
    if options.json {
        command.arg("--json");
    }
    command.args(&options.filter);
    let status = command.stdin(Stdio::null()).status().context("cannot start sip-fw-judge")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
