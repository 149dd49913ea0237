//! bpf-linker: built from its crate against a given LLVM, into the project's target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bpf_toolchain;
use crate::process;
use crate::steps::Steps;
use crate::toolchain;
use crate::workspace::{self, Workspace};

/// The version that this project is tested with.
const VERSION: &str = "0.13.0";

/// Installs bpf-linker for this major of LLVM into the target folder, and the LLVM before it where apt has it.
pub fn install(workspace: &Workspace, steps: &mut Steps, llvm: u32) -> Result<()> {
    let root = workspace.target.join("tools");
    if bpf_toolchain::linker_llvm(&root.join("bin/bpf-linker")) == Ok(Some(llvm)) {
        return Ok(());
    }
    let prefix = match llvm_prefix(llvm) {
        Some(prefix) => prefix,
        None => {
            toolchain::install_llvm(workspace, steps, &format!("llvm-{llvm}-dev"))?;
            llvm_prefix(llvm).context("llvm-config is not where Debian puts it")?
        }
    };
    steps.quiet(&format!("bpf-linker {VERSION} for LLVM {llvm}"), |_| {
        let mut command = process::guarded(workspace::cargo_program());
        command.args(["install", "bpf-linker", "--version", VERSION, "--locked", "--no-default-features"]);
        command.args(["--features", &format!("llvm-{llvm}"), "--force", "--root"]).arg(&root);
        // It builds in a folder of its own that it removes; flags meant for our code are not for it.
        command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").env("LLVM_PREFIX", &prefix);
        process::run_logged(&mut command, &workspace.target.join("setup/bpf-linker.log"))
    })
}

/// The words to type for [`install`].
pub fn install_words(llvm: &str, prefix: &str) -> String {
    format!(
        "LLVM_PREFIX={prefix} cargo install bpf-linker --version {VERSION} --no-default-features --features llvm-{llvm}"
    )
}

/// Where the development files of this LLVM lie on Debian and Ubuntu.
fn llvm_prefix(llvm: u32) -> Option<PathBuf> {
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    has_headers(&prefix).then_some(prefix)
}

fn has_headers(prefix: &Path) -> bool {
    prefix.join("bin/llvm-config").is_file() && prefix.join("include/llvm-c").exists()
}
