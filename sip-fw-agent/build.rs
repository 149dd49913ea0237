//! Builds the kernel programs (package sip-fw-ebpf) and leaves the object at `$OUT_DIR/sip-fw-ebpf.o`.
//!
//! They need another compiler than the agent does, so a second cargo builds them, in a target folder of its own.
//! `SIP_FW_SKIP_BPF=1` writes an empty object instead, for `cargo doc` and clippy on a host without that compiler.

#[path = "../xtask/src/bpf_toolchain.rs"]
mod bpf_toolchain;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use bpf_toolchain::{LINKER_ENV, RUSTC_ENV, TOOLCHAIN_FILE, Toolchain};

const SKIP_ENV: &str = "SIP_FW_SKIP_BPF";
const PACKAGE: &str = "sip-fw-ebpf";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    for name in [RUSTC_ENV, LINKER_ENV, SKIP_ENV] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let out = variable("OUT_DIR")?;
    let root = variable("CARGO_MANIFEST_DIR")?.join("..");
    let object = out.join("sip-fw-ebpf.o");
    if env::var_os(SKIP_ENV).is_some_and(|value| value == "1") {
        println!(
            "cargo::warning={SKIP_ENV}=1: built without the kernel programs, this sip-fw cannot attach to anything"
        );
        return fs::write(&object, []).map_err(|error| format!("cannot write {}: {error}", object.display()));
    }
    watch_sources(&root);
    let target_folders = target_folders(&out, &root);
    let toolchain = bpf_toolchain::find(&target_folders).map_err(|missing| {
        format!(
            "the kernel programs cannot be built:\n{missing}\nrun `cargo xtask setup`, which installs what is missing"
        )
    })?;
    watch(&toolchain.linker);
    watch(&toolchain.compiler.rustc);
    for folder in target_folders {
        let file = folder.join(TOOLCHAIN_FILE);
        if file.exists() {
            watch(&file);
        }
    }
    let built = run_cargo(&toolchain, &root, &out.join("bpf"))?;
    fs::copy(&built, &object)
        .map(|_| ())
        .map_err(|error| format!("cannot copy {} to {}: {error}", built.display(), object.display()))
}

/// Builds the package and returns the path of the object.
fn run_cargo(toolchain: &Toolchain, root: &Path, target_folder: &Path) -> Result<PathBuf, String> {
    let big_endian = env::var("CARGO_CFG_TARGET_ENDIAN").is_ok_and(|endian| endian == "big");
    let target = if big_endian { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };
    let mut command = toolchain.command(&toolchain.cargo(variable("CARGO")?), "build", target);
    command.current_dir(root).args(["--bin", PACKAGE]).arg("--target-dir").arg(target_folder);
    // Whatever it prints on stdout would be taken for instructions of this build script.
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !status.success() {
        return Err(format!(
            "the kernel programs do not build ({status}): the compiler's words are under `--- stderr`"
        ));
    }
    Ok(target_folder.join(target).join("release").join(PACKAGE))
}

/// Where the toolchain file and the tools may lie: the folder this very build writes to, and the workspace's own.
fn target_folders(out: &Path, root: &Path) -> Vec<PathBuf> {
    // OUT_DIR is <target>[/<triple>]/<profile>/build/<package>/out.
    let mut folders: Vec<PathBuf> = out
        .ancestors()
        .skip(4)
        .take(2)
        .map(Path::to_owned)
        .chain(env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .collect();
    folders.push(root.join("target"));
    folders
}

fn watch_sources(root: &Path) {
    for path in ["Cargo.toml", "Cargo.lock", "xtask/src/bpf_toolchain.rs", "sip-fw-agent/build.rs"] {
        watch(&root.join(path));
    }
    for package in ["sip-fw-ebpf", "sip-fw-common"] {
        watch(&root.join(package).join("Cargo.toml"));
        watch(&root.join(package).join("src"));
    }
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn variable(name: &str) -> Result<PathBuf, String> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("cargo did not set {name}"))
}
