//! `cargo xtask build`: the release binary, kernel programs included.

use anyhow::Result;

use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Builds `sip-fw`.
pub fn run(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    steps.stream("cargo build --release", || process::run(&mut workspace.cargo(&["build", "--release"])))?;
    steps.say(&workspace.agent_binary().display().to_string());
    Ok(())
}
