//! cargo-fuzz: built from its crate into the project's target folder; builds the fuzz targets for libFuzzer.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::steps::Steps;
use crate::workspace::{self, Workspace};

/// The version that this project is tested with.
const VERSION: &str = "0.13.2";

/// Installs cargo-fuzz into the target folder, unless it is there.
pub fn ensure(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    if process::stdout_of(Command::new(program(workspace)).arg("--version"))
        .is_ok_and(|said| said.trim() == format!("cargo-fuzz {VERSION}"))
    {
        return Ok(());
    }
    steps.quiet(&format!("cargo-fuzz {VERSION}"), |_| {
        let mut command = process::guarded(workspace::cargo_program());
        command.args(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--force"]);
        command.args(["--debug", "--root"]).arg(workspace.target.join("tools"));
        // It builds in a folder of its own that it removes; flags meant for our code are not for it.
        command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS");
        process::run_logged(&mut command, &workspace.target.join("setup/cargo-fuzz.log"))
    })
}

/// Builds every target, and returns the folder of their programs.
///
/// Without a sanitizer, so that a stable compiler does: the targets are safe Rust, whose panics and overflows are checked, and
/// they run twice as often. What is unsafe has a run of its own ([`crate::sanitize`]).
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("fuzz");
    let mut command = process::guarded(program(workspace));
    command.args(["build", "--sanitizer", "none", "--features", "libfuzzer", "--target-dir"]).arg(&folder);
    // No target runs the kernel programs.
    command.current_dir(&workspace.root).env_remove("CARGO_TARGET_DIR").env("SIP_FW_SKIP_BPF", "1");
    process::run(&mut command)?;
    Ok(folder.join(workspace.host()?).join("release"))
}

fn program(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/bin/cargo-fuzz")
}
