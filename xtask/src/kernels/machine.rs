//! A virtual machine without disk and network: boots a kernel with a disk in memory until it powers off.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// The packages of the machine's folder.
pub const PACKAGES: [&str; 2] = ["qemu-system-x86", "busybox-static"];

/// How instructions of the guest are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceleration {
    /// By the processor.
    Kvm,
    /// By emulation, some thirty times as slow.
    Tcg,
}

impl Acceleration {
    /// QEMU's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The simplest processor is the fastest one to emulate.
    const fn processor(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "qemu64",
        }
    }
}

/// QEMU, in a folder of its own with all the libraries that it needs.
pub struct Machine {
    /// That folder.
    pub root: PathBuf,
    /// The folder with the kernels and disks, which the machine sees as [`SHARED`].
    pub shared: PathBuf,
}

const SHARED: &str = "/mnt";

/// A first process that only shows that the machine came so far.
pub const PROBE: &str = "#!/bin/busybox sh\necho\necho 'the machine runs'\n/bin/busybox poweroff -f\n";
const PROBED: &str = "the machine runs";

/// In a mount namespace of its own: no mount stays behind in the target folder.
const ENTER: &str = r#"
    mkdir -p "$1/dev" "$1/mnt"
    mount --rbind /dev "$1/dev"
    mount --bind "$2" "$1/mnt"
    root=$1
    shift 2
    exec chroot "$root" qemu-system-x86_64 "$@"
"#;

impl Machine {
    /// The fastest way that works here: some machines have KVM and fail at the first instruction.
    pub fn fastest(&self, kernel: &Path, disk: &Path) -> Acceleration {
        const PROBE_SECONDS: u32 = 10;
        if !Path::new("/dev/kvm").exists() {
            return Acceleration::Tcg;
        }
        let probe = self.command(Acceleration::Kvm, kernel, disk, "rdinit=/probe", PROBE_SECONDS);
        let said = probe.and_then(|mut command| Ok(command.output()?.stdout)).unwrap_or_default();
        if String::from_utf8_lossy(&said).contains(PROBED) { Acceleration::Kvm } else { Acceleration::Tcg }
    }

    /// Boots; what it writes goes into the log and, line by line, to `look`. Its end comes after `seconds` at the latest.
    pub fn boot(
        &self,
        acceleration: Acceleration,
        kernel: &Path,
        disk: &Path,
        seconds: u32,
        log: &Path,
        look: impl FnMut(&str),
    ) -> Result<()> {
        let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = self.command(acceleration, kernel, disk, "", seconds)?;
        command.stderr(file.try_clone()?);
        let ended = process::run_watched(&mut command, &mut file, look)?;
        file.flush()?;
        if !ended {
            bail!("the machine did not power off within {seconds} s; its console: {}", log.display());
        }
        Ok(())
    }

    fn command(
        &self,
        acceleration: Acceleration,
        kernel: &Path,
        disk: &Path,
        words: &str,
        seconds: u32,
    ) -> Result<Command> {
        // timeout passes SIGTERM on, and should it be killed itself, the machine dies with it.
        let mut command = process::guarded("timeout");
        command.args(["--kill-after=5", &seconds.to_string(), "setpriv", "--pdeathsig", "KILL"]);
        command.args(["unshare", "--mount", "--", "sh", "-euc", ENTER, "sh"]).args([&self.root, &self.shared]);
        command.args(["-accel", acceleration.name(), "-cpu", acceleration.processor(), "-smp", "2", "-m", "2048"]);
        command.args(["-nographic", "-no-reboot", "-nic", "none"]);
        command.args(["-append", &format!("console=ttyS0 panic=-1 quiet mitigations=off {words}")]);
        command.arg("-kernel").arg(self.seen(kernel)?).arg("-initrd").arg(self.seen(disk)?);
        Ok(command)
    }

    fn seen(&self, path: &Path) -> Result<PathBuf> {
        Ok(Path::new(SHARED).join(path.strip_prefix(&self.shared)?))
    }
}

/// The kernel in the folder of its package.
pub fn kernel_in(package: &Path) -> Result<PathBuf> {
    let boot = fs::read_dir(package.join("boot")).with_context(|| format!("no kernel in {}", package.display()))?;
    let is_kernel =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"));
    let found = boot.flatten().map(|entry| entry.path()).find(is_kernel);
    found.with_context(|| format!("no kernel in {}", package.display()))
}
