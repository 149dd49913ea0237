//! `cargo xtask demo`: sets up, builds and starts the demo program of sip-fw-e2e; its exit code is ours.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::build;
use crate::private;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What `demo` understands.
#[derive(Args)]
pub struct Options {
    /// Print the outcome as one JSON object, the last line on stdout
    #[arg(long)]
    json: bool,
    /// Draw `sip-fw top` during attacks as an SVG into this file, instead of the demo
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    picture: Option<PathBuf>,
    /// The registrar to protect
    #[arg(long, value_enum, default_value_t = Pbx::Builtin)]
    pbx: Pbx,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pbx {
    /// A registrar that the demo brings along
    Builtin,
    /// Kamailio, from its Debian package
    Kamailio,
}

/// Everything up to the demo talks on stderr, so that stdout is the demo's alone.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    setup::require_root("cargo xtask demo  (it makes network namespaces and attaches kernel programs)")?;
    let mut steps = Steps::new("demo");
    let needs = if options.pbx == Pbx::Kamailio { Needs::DEMO_KAMAILIO } else { Needs::DEMO };
    setup::run(workspace, &mut steps, needs)?;
    build::run(workspace, &mut steps)?;
    steps.stream("cargo build --release --package sip-fw-e2e", || {
        process::run(&mut workspace.cargo(&["build", "--release", "--package", "sip-fw-e2e", "--bins"]))
    })?;
    steps.finish();

    let mut command = private::command(workspace.target.join("release/sip-fw-demo"));
    if options.json {
        command.arg("--json");
    }
    if options.pbx == Pbx::Kamailio {
        command.args(["--pbx", "kamailio"]);
    }
    if let Some(file) = &options.picture {
        command.arg("--picture").arg(file);
    }
    command.env("SIP_FW_BIN", workspace.agent_binary()).stdin(Stdio::null());
    let status = command.status().context("cannot start sip-fw-demo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
