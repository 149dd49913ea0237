//! `cargo xtask kernels`: the programs on other kernels. Each is booted in a virtual machine without a network, replays captures,
//! and must decide as this host does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::apt;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

const TOOLS: [&str; 2] = ["qemu-system-x86", "busybox-static"];
/// The package that depends on the newest kernel of this Debian.
const NEWEST: &str = "linux-image-cloud-amd64";
const CAPTURES: [&str; 3] = ["ast22-udp6.pcap", "ast22-tcp4.pcap", "baresip-bad.pcap"];
const LOCAL: [&str; 4] = ["10.98.1.1", "10.98.2.1", "fd98:1::1", "fd98:2::1"];
/// Seconds until a machine is given up, emulated as it may be.
const MACHINE_SECONDS: &str = "600";

/// What `kernels` understands.
#[derive(Args)]
pub struct Options {
    /// Debian packages of kernels, such as linux-image-6.1.0-56-cloud-amd64; the newest of this Debian without any
    packages: Vec<String>,
}

/// Boots each kernel.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::require_root("cargo xtask kernels  (it loads kernel programs here, too)")?;
    let mut steps = Steps::new("kernels");
    setup::run(workspace, &mut steps, Needs::BUILD)?;
    crate::build::run(workspace, &mut steps)?;
    let folder = workspace.target.join("kernels");
    fs::create_dir_all(&folder)?;
    if !apt::missing(&TOOLS)?.is_empty() {
        apt::install(&mut steps, &folder, &TOOLS)?;
    }
    let binary = workspace.agent_binary();
    let expected = steps.quiet("the captures on this kernel", |_| here(workspace, &binary))?;
    let packages = if options.packages.is_empty() { vec![newest()?] } else { options.packages.clone() };
    for package in packages {
        let kernel = steps.quiet(&format!("{package}: kernel"), |_| unpack(&folder, &package))?;
        let disk = steps.quiet(&format!("{package}: root file system"), |_| disk(workspace, &folder, &binary))?;
        steps.quiet(&format!("{package}: the same decisions"), |note| {
            let console = boot(&kernel, &disk)?;
            let found = summaries(&console);
            ensure!(found == expected, "expected {expected:#?}\nfound {found:#?}\nthe console:\n{console}");
            let named = console.lines().find_map(|line| Some(line.split_once("KERNEL ")?.1.trim()));
            named.unwrap_or("unknown").clone_into(note);
            Ok(())
        })?;
    }
    steps.finish();
    Ok(())
}

/// The summaries of the captures as this host decides.
fn here(workspace: &Workspace, binary: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for capture in CAPTURES {
        let path = workspace.root.join("tests/data/captures").join(capture);
        let said = process::stdout_of(Command::new(binary).arg("replay").arg(path).args(arguments()))?;
        all.extend(summaries(&said));
    }
    Ok(all)
}

fn arguments() -> impl Iterator<Item = &'static str> {
    std::iter::once("--json").chain(LOCAL.into_iter().flat_map(|address| ["--local", address]))
}

fn summaries(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with("{\"summary\"")).map(str::to_owned).collect()
}

/// The kernel package that this Debian's newest image depends on.
fn newest() -> Result<String> {
    let text = process::stdout_of(Command::new("apt-cache").args(["depends", NEWEST]))?;
    let named = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    named.map(str::to_owned).with_context(|| format!("{NEWEST} depends on no kernel:\n{text}"))
}

/// The kernel of a package, unpacked and not installed.
fn unpack(folder: &Path, package: &str) -> Result<PathBuf> {
    let root = folder.join(package);
    if !root.is_dir() {
        process::run_logged(
            Command::new("apt-get").args(["download", package]).current_dir(folder),
            &folder.join("apt-get-download.log"),
        )?;
        let deb = files(folder)?.into_iter().find(|file| is_package(file, package));
        let deb = deb.with_context(|| format!("apt-get left no {package}_*.deb in {}", folder.display()))?;
        process::run_logged(Command::new("dpkg").arg("-x").args([&deb, &root]), &folder.join("dpkg.log"))?;
        fs::remove_file(deb)?;
    }
    let boot = files(&root.join("boot"))?;
    let name = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"));
    boot.into_iter().find(name).with_context(|| format!("no kernel in {package}"))
}

fn is_package(file: &Path, package: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    Ok(entries.collect::<std::io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path()).collect())
}

/// An initial RAM disk with busybox, sip-fw, the libraries it needs, and the captures.
fn disk(workspace: &Workspace, folder: &Path, binary: &Path) -> Result<PathBuf> {
    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for name in ["bin", "proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    fs::copy(binary, root.join("bin/sip-fw"))?;
    let libraries = process::stdout_of(Command::new("ldd").arg(binary))?;
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap_or(&root))?;
        fs::copy(library, to)?;
    }
    let mut script = "#!/bin/busybox sh\nb=/bin/busybox\n$b mount -t proc proc /proc\n$b mount -t sysfs sys /sys\n\
                      $b mount -t devtmpfs dev /dev\n$b mount -t bpf bpf /sys/fs/bpf\necho KERNEL $($b uname -r)\n"
        .to_owned();
    let words: Vec<_> = arguments().collect();
    for capture in CAPTURES {
        fs::copy(workspace.root.join("tests/data/captures").join(capture), root.join(capture))?;
        // Into a pipe: on a console it would draw a progress bar.
        script.push_str(&format!("/bin/sip-fw replay /{capture} {} 2>&1 | $b cat\n", words.join(" ")));
    }
    script.push_str("$b poweroff -f\n");
    fs::write(root.join("init"), script)?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    let disk = folder.join("root.cpio");
    let pack = format!("find . | busybox cpio -o -H newc > '{}'", disk.display());
    process::run_logged(Command::new("sh").args(["-c", &pack]).current_dir(&root), &folder.join("cpio.log"))?;
    Ok(disk)
}

/// What a machine with this kernel and this disk writes to its console until it powers off.
fn boot(kernel: &Path, disk: &Path) -> Result<String> {
    let mut machine = process::killed_with_us("timeout");
    machine.args([MACHINE_SECONDS, "qemu-system-x86_64", "-accel", "tcg", "-m", "1500", "-nographic", "-no-reboot"]);
    machine.args(["-nic", "none", "-append", "console=ttyS0 panic=-1 quiet"]);
    machine.arg("-kernel").arg(kernel).arg("-initrd").arg(disk);
    let console = process::stdout_of(&mut machine)?;
    if !console.contains("KERNEL ") {
        bail!("the kernel came to no user space:\n{console}");
    }
    Ok(console)
}
