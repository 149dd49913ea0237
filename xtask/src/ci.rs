//! `cargo xtask ci`: everything a change must pass besides the tests. Each check runs even if an earlier one failed.

use std::process::ExitCode;

use anyhow::Result;

use crate::licences;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::tidy;
use crate::toolchain;
use crate::workspace::{self, Workspace};

/// The target of the kernel programs, for the lints: the byte order makes no difference to them.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// Runs all checks.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut steps = Steps::new("ci");
    let mut faults = Vec::new();
    let mut check = |result: Result<()>| faults.extend(result.err());

    check(steps.stream("rustfmt", || process::run(&mut workspace.cargo(&["fmt", "--all", "--check"]))));
    check(steps.quiet("tidy", |_| tidy::run(workspace)));
    setup::run(workspace, &mut steps, Needs::CI)?;
    check(steps.stream("clippy", || {
        let host = ["clippy", "--workspace", "--exclude", "sip-fw-ebpf", "--all-targets", "--", "-D", "warnings"];
        process::run(&mut workspace.cargo(&host))
    }));
    check(steps.stream("clippy of the kernel programs", || lint_kernel_programs(workspace)));
    check(steps.stream("docs", || {
        let arguments = ["doc", "--workspace", "--exclude", "sip-fw-ebpf", "--no-deps"];
        process::run(workspace.cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
    }));
    check(steps.quiet("licences", |_| licences::run(workspace)));
    if process::which("cargo-deny").is_some() {
        check(steps.stream("cargo-deny", || {
            process::run(&mut workspace.cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]))
        }));
    }

    for fault in &faults {
        eprintln!("error: {fault:#}");
    }
    println!("\n{}", steps.table());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Clippy from the folder of the compiler that builds them: a linter reads only the libraries of its own version.
fn lint_kernel_programs(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::find(workspace)?;
    let cargo = toolchain.cargo(workspace::cargo_program());
    let clippy = toolchain.compiler.rustc.with_file_name("cargo-clippy");
    let mut command = if clippy.is_file() {
        let mut command = toolchain.command(&clippy, "clippy", BPF_TARGET);
        // CARGO says to cargo-clippy which cargo to run; aya's macros drop the docs of the entry points.
        command.env("CARGO", &cargo).args(["--", "-D", "warnings", "-A", "missing_docs"]);
        command
    } else {
        eprintln!("no clippy beside {}: the compiler's own warnings only", toolchain.compiler.rustc.display());
        let mut command = toolchain.command(&cargo, "check", BPF_TARGET);
        command.env("RUSTFLAGS", "-Dwarnings").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command
    };
    command.current_dir(&workspace.root).env("CARGO_TARGET_DIR", workspace.target.join("bpf-lint"));
    process::run(&mut command)
}
