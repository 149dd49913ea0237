//! Makes sure that the kernel programs can be built, and writes down with what (see [`bpf_toolchain`]).

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, anyhow, bail};

use crate::apt;
use crate::bpf_toolchain::{self, CoreLibrary, LINKER_ENV, RUSTC_ENV, TOOLCHAIN_FILE, Toolchain};
use crate::linker;
use crate::setup::{self, Tool};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Clippy of the same version as Debian's compiler.
pub const LINT_PACKAGE: &str = "rust-web-clippy";

/// Debian's compiler with the library `core` for BPF, and the LLVM that it was built with in Debian 12.
const DEBIAN_COMPILER: [&str; 3] = ["rustc-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];

/// The toolchain that `cargo build` would use now.
pub fn find(workspace: &Workspace) -> Result<Toolchain> {
    bpf_toolchain::find(std::slice::from_ref(&workspace.target)).map_err(|missing| anyhow!(missing))
}

/// The Debian packages to install for building; none if a toolchain or a compiler is already there.
pub fn packages(workspace: &Workspace) -> Vec<&'static str> {
    if find(workspace).is_ok() || !bpf_toolchain::compilers().is_empty() {
        Vec::new()
    } else {
        DEBIAN_COMPILER.to_vec()
    }
}

/// False when the kernel programs are (or will be) built by a rustup nightly, which brings its own clippy.
pub fn uses_system_compiler(workspace: &Workspace) -> bool {
    let compiler = find(workspace).ok().map(|found| found.compiler);
    let compiler = compiler.or_else(|| bpf_toolchain::compilers().into_iter().next());
    compiler.is_none_or(|compiler| matches!(compiler.core, CoreLibrary::Prebuilt))
}

/// Writes the toolchain file if a toolchain is there; never installs.
pub fn ensure_found(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    steps.quiet("toolchain of the kernel programs", |note| {
        let found = find(workspace)?;
        *note = found.to_string();
        write_file(workspace, &found)
    })
}

/// Writes the toolchain file, building bpf-linker before if there is none that fits.
pub fn ensure(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    if find(workspace).is_err() {
        let mut faults = String::new();
        for compiler in bpf_toolchain::compilers() {
            match linker::install(workspace, steps, compiler.llvm) {
                Ok(()) => break,
                Err(why) => writeln!(faults, "  for {}: {why:#}", compiler.rustc.display())?,
            }
        }
        if let Err(missing) = find(workspace) {
            bail!("the kernel programs cannot be built yet: {missing}\n{faults}{}", by_hand(workspace, []));
        }
    }
    ensure_found(workspace, steps)
}

/// What to install where we cannot: the toolchain if it is missing, and these tools.
pub fn by_hand<'a>(workspace: &Workspace, tools: impl IntoIterator<Item = &'a Tool>) -> String {
    let mut text = String::from("Install by hand, then run this again (it finds them):");
    for Tool { package, program } in tools {
        let _ = write!(text, "\n  - the program `{program}` (Debian's package {package}), on PATH");
    }
    if find(workspace).is_err() {
        let linker = linker::install_words("N", "/path/to/llvm-N");
        let _ = write!(
            text,
            "\n  - a Rust compiler for the BPF target: `rustup toolchain install nightly --component rust-src`,\n    \
               or a packaged rustc with the library `core` for bpfel-unknown-none\n  \
             - the LLVM of that compiler (`rustc -vV` tells the major N) with its development files, and:\n    \
               {linker}\n    \
               or name both: {RUSTC_ENV}=/path/to/rustc {LINKER_ENV}=/path/to/bpf-linker"
        );
    }
    text
}

/// Makes an LLVM's development files available through apt.
pub fn install_llvm(workspace: &Workspace, steps: &mut Steps, package: &str) -> Result<()> {
    setup::require_root(&format!("apt-get update; {}", apt::install_words(&[package])))?;
    let logs = workspace.target.join("setup");
    apt::update(steps, &logs)?;
    if apt::available(&[package])?.is_empty() {
        bail!("the package lists offer no {package}");
    }
    apt::install(steps, &logs, &[package])
}

fn write_file(workspace: &Workspace, found: &Toolchain) -> Result<()> {
    let path = workspace.target.join(TOOLCHAIN_FILE);
    let text = format!(
        "# Written by `cargo xtask setup`, read by sip-fw-agent/build.rs. {RUSTC_ENV} and {LINKER_ENV} win over it.\n\
         rustc = \"{}\"\nlinker = \"{}\"\n",
        found.compiler.rustc.display(),
        found.linker.display()
    );
    // Unchanged, so that its new time does not make cargo build the kernel programs again.
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::create_dir_all(&workspace.target)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
