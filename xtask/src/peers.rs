//! Folders with other Debians, by debootstrap from this machine's own mirror: sid with Asterisk, which Debian 12 does not
//! package, and a Debian 12 whose systemd can be booted.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::host::{self, Release};
use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// The folder of the chroots: the user's, or one in the target folder.
pub fn root(workspace: &Workspace) -> PathBuf {
    env::var_os("PEERS_ROOT").map_or_else(|| workspace.target.join("peers"), PathBuf::from)
}

/// Makes the chroot with Asterisk if it is not there. Failing is no error here: the tests that want it skip and say so.
pub fn ensure_asterisk(workspace: &Workspace, steps: &mut Steps, release: &Release) {
    let folder = root(workspace).join("sid");
    if folder.join("usr/sbin/asterisk").is_file() && folder.join("usr/bin/sipp").is_file() {
        return;
    }
    attempt(steps, "Asterisk in a chroot of Debian sid", "Asterisk", &folder, || {
        bootstrap(workspace, &folder, release, "sid", "ca-certificates,iproute2,procps")?;
        copy_settings(&folder);
        let mut command = process::guarded("unshare");
        command.args(["--mount", "--", "sh", "-euc", INSTALL, "sh"]).arg(&folder);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        process::run_logged(&mut command, &workspace.target.join("setup/asterisk.log"))
    });
}

/// Makes the folder with a Debian 12 to boot if it is not there; the same if it fails.
pub fn ensure_debian(workspace: &Workspace, steps: &mut Steps, release: &Release) {
    let folder = root(workspace).join("bookworm");
    if folder.join(BOOTSTRAPPED).exists() {
        return;
    }
    attempt(steps, "Debian 12 with systemd", "the package", &folder, || {
        bootstrap(workspace, &folder, release, "bookworm", "systemd-sysv")
    });
}

fn attempt(steps: &mut Steps, name: &str, tested: &str, folder: &Path, make: impl FnOnce() -> Result<()>) {
    let outcome = steps.quiet(name, |note| {
        *note = folder.display().to_string();
        make()
    });
    if let Err(why) = outcome {
        steps.say(&format!("the tests on {tested} will be skipped: {why:#}"));
    }
}

/// A file in a folder that debootstrap is done with.
const BOOTSTRAPPED: &str = ".sip-fw-bootstrapped";

fn bootstrap(workspace: &Workspace, folder: &Path, release: &Release, suite: &str, include: &str) -> Result<()> {
    if release.id != "debian" {
        bail!(
            "the mirrors of {} hold no Debian {suite}; point PEERS_ROOT to a folder with such a chroot",
            release.pretty_name
        );
    }
    if !host::is_root() {
        bail!("making a chroot needs root");
    }
    let mirror = apt::mirror().context("no Debian mirror in the package sources of this machine")?;
    if folder.join(BOOTSTRAPPED).exists() {
        return Ok(());
    }
    // A run that was cut short leaves a chroot that debootstrap cannot go on with.
    if folder.exists() {
        if !folder.starts_with(&workspace.target) {
            bail!(
                "{} is there, but {BOOTSTRAPPED} in it is not: make it if all is there, or remove all",
                folder.display()
            );
        }
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    let mut command = process::guarded("unshare");
    command.args(["--mount", "--", "debootstrap", "--variant=minbase"]).arg(format!("--include={include}"));
    command.arg(suite).arg(folder).arg(&mirror);
    process::run_logged(&mut command, &workspace.target.join(format!("setup/debootstrap-{suite}.log")))?;
    Ok(fs::write(folder.join(BOOTSTRAPPED), "")?)
}

/// Runs in a mount namespace of its own: no mount stays behind in the target folder, which must stay removable.
const INSTALL: &str = r#"
    mount -t proc proc "$1/proc"
    chroot "$1" apt-get update -qq
    chroot "$1" apt-get install -y --no-install-recommends asterisk asterisk-modules asterisk-config sip-tester
    chroot "$1" apt-get clean
"#;

/// The machine's name resolution and apt settings; and no service starts in a chroot.
fn copy_settings(folder: &Path) {
    for file in ["resolv.conf", "hosts"] {
        let _ = fs::copy(Path::new("/etc").join(file), folder.join("etc").join(file));
    }
    for entry in fs::read_dir("/etc/apt/apt.conf.d").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("99") {
            let _ = fs::copy(entry.path(), folder.join("etc/apt/apt.conf.d").join(entry.file_name()));
        }
    }
    let policy = folder.join("usr/sbin/policy-rc.d");
    let _ = fs::write(&policy, "#!/bin/sh\nexit 101\n");
    let _ = Command::new("chmod").arg("+x").arg(&policy).status();
}
