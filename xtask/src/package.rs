//! `cargo xtask package`: the Debian package, an archive with a static binary for other hosts, and their checksums.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::build;
use crate::cargo_deb;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

/// What lies in the archive beside the binary, the man pages and the completions.
const FILES: [&str; 9] = [
    "packaging/INSTALL",
    "packaging/sip-fw.service",
    "packaging/sip-fw.sysusers",
    "packaging/sip-fw.toml",
    "packaging/scanners.toml",
    "docs/systemd.md",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];

/// Makes all of it in target/package.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::new("package");
    setup::run(workspace, &mut steps, Needs::PACKAGE)?;
    build::run(workspace, &mut steps)?;
    let files = [deb(workspace, &mut steps)?, archive(workspace, &mut steps)?];
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
    let folder = folder(workspace);
    steps.quiet("SHA256SUMS", |_| {
        let sums = process::stdout_of(Command::new("sha256sum").args(&names).current_dir(&folder))?;
        Ok(fs::write(folder.join("SHA256SUMS"), sums)?)
    })?;
    for file in &files {
        steps.say(&format!("{} {}", file.display(), size(file)?));
    }
    steps.finish();
    Ok(())
}

/// Makes the Debian package of the release build, and returns its path.
pub fn deb(workspace: &Workspace, steps: &mut Steps) -> Result<PathBuf> {
    steps.stream("man pages and completions", || pages(workspace))?;
    steps.quiet("Debian package", |note| {
        let folder = folder(workspace);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let package = cargo_deb::run(workspace, &folder, &epoch(workspace))?;
        *note = size(&package)?;
        Ok(package)
    })
}

/// Where cargo-deb, which takes this path for the target folder's, finds them.
fn pages_folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("release/pages")
}

fn pages(workspace: &Workspace) -> Result<()> {
    let folder = pages_folder(workspace);
    if folder.exists() {
        // A verb that is gone leaves no page.
        fs::remove_dir_all(&folder)?;
    }
    process::run(&mut workspace.cargo(&["build", "--release", "--package", "sip-fw-pages"]))?;
    // Not known to cargo: it would build the libraries in C anew.
    let mut command = Command::new(workspace.target.join("release/sip-fw-pages"));
    process::run(command.arg(&folder).env("SOURCE_DATE_EPOCH", epoch(workspace)))?;
    // cargo-deb compresses only those that it does not find in the target folder.
    let sections = ["man1", "man5"].map(|section| folder.join(section));
    process::run(Command::new("gzip").args(["--best", "--no-name", "--recursive"]).args(sections))
}

fn archive(workspace: &Workspace, steps: &mut Steps) -> Result<PathBuf> {
    let binary = steps.stream("static binary", || static_binary(workspace))?;
    let name = format!("sip-fw-{}-{}", env!("CARGO_PKG_VERSION"), env::consts::ARCH);
    steps.quiet("archive with the static binary", |note| {
        let root = folder(workspace).join(&name);
        fs::create_dir(&root)?;
        for file in FILES.map(|file| workspace.root.join(file)) {
            fs::copy(&file, root.join(file.file_name().context("a file without a name")?))
                .with_context(|| file.display().to_string())?;
        }
        process::stdout_of(Command::new("strip").arg("-o").args([&root.join("sip-fw"), &binary]))?;
        process::stdout_of(Command::new("cp").arg("-r").arg(pages_folder(workspace)).arg(root.join("pages")))?;
        let archive = folder(workspace).join(format!("{name}.tar.xz"));
        // The same files give the same bytes: sorted, of nobody, of the time of the last commit.
        let mut command = Command::new("tar");
        command.args(["--create", "--xz", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
        command.args(["--mode=u+rw,go=rX", "--format=gnu"]).arg(format!("--mtime=@{}", epoch(workspace)));
        command.arg("--directory").arg(folder(workspace)).arg("--file").arg(&archive).arg(&name);
        process::stdout_of(&mut command)?;
        fs::remove_dir_all(&root)?;
        *note = size(&archive)?;
        Ok(archive)
    })
}

/// `sip-fw` with the C library in it, tried.
fn static_binary(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target.join("static");
    let triple = host_triple()?;
    let mut command = workspace.cargo(&["build", "--release", "--package", "sip-fw-agent", "--bin", "sip-fw"]);
    // With a target named, the flags are for it alone: procedural macros are libraries, which cannot be static.
    command.args(["--target", &triple, "--target-dir"]).arg(&target);
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    process::run(&mut command)?;
    let binary = target.join(&triple).join("release/sip-fw");
    let version = process::stdout_of(Command::new(&binary).arg("--version"))?;
    ensure!(version.trim() == concat!("sip-fw ", env!("CARGO_PKG_VERSION")), "it says of itself: {version}");
    let linked = Command::new("ldd").arg(&binary).output().context("cannot run ldd")?;
    let said = [linked.stdout, linked.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned()).concat();
    if !["statically linked", "not a dynamic executable"].iter().any(|words| said.contains(words)) {
        bail!("{} needs libraries:\n{said}", binary.display());
    }
    Ok(binary)
}

fn host_triple() -> Result<String> {
    let said = process::stdout_of(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).with_context(|| format!("rustc names no host:\n{said}"))
}

/// The time that all packaged files get, in seconds since 1970: as asked for, or that of the last commit.
fn epoch(workspace: &Workspace) -> String {
    env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| {
        let mut git = Command::new("git");
        git.args(["log", "-1", "--format=%ct"]).current_dir(&workspace.root);
        // An unpacked source archive knows no commits.
        process::stdout_of(&mut git).map_or_else(|_| "0".to_owned(), |seconds| seconds.trim().to_owned())
    })
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("package")
}

fn size(file: &Path) -> Result<String> {
    let bytes = fs::metadata(file).with_context(|| file.display().to_string())?.len();
    Ok(format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20))
}
