//! cargo-deb: built from its crate into the project's target folder, and run on the metadata of sip-fw-agent.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::steps::Steps;
use crate::workspace::{self, Workspace};

/// The version that this project is tested with.
const VERSION: &str = "3.8.0";

/// Installs cargo-deb into the target folder, unless it is there.
pub fn ensure(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let program = program(workspace);
    if process::stdout_of(Command::new(&program).arg("--version"))
        .is_ok_and(|said| said.trim() == format!("cargo-deb {VERSION}"))
    {
        return Ok(());
    }
    steps.quiet(&format!("cargo-deb {VERSION}"), |_| {
        let mut command = process::guarded(workspace::cargo_program());
        command.args(["install", "cargo-deb", "--version", VERSION, "--locked", "--force"]);
        // Without optimisation it builds in half the time. Compression is the system's xz.
        command.args(["--debug", "--no-default-features", "--root"]).arg(root(workspace));
        // It builds in a folder of its own that it removes; flags meant for our code are not for it.
        command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
        process::run_logged(&mut command, &workspace.target.join("setup/cargo-deb.log"))
    })
}

/// Makes the package of what is built, and returns its path.
pub fn run(workspace: &Workspace, folder: &Path, epoch: &str) -> Result<PathBuf> {
    let mut command = process::guarded(program(workspace));
    command.args(["--no-build", "--locked", "--compress-system", "--package", "sip-fw-agent", "--output"]).arg(folder);
    command.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &workspace.target).env("SOURCE_DATE_EPOCH", epoch);
    let said = process::stdout_of(&mut command)?;
    let path = said.lines().last().map(|line| PathBuf::from(line.trim())).filter(|path| path.is_file());
    path.with_context(|| format!("cargo-deb names no package as its last word:\n{said}"))
}

fn root(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}

fn program(workspace: &Workspace) -> PathBuf {
    root(workspace).join("bin/cargo-deb")
}
