//! A Debian 12 with a real systemd as PID 1, in a container on a host of the bed. It reboots, and is gone without a trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::agent::Outcome;
use crate::netns::Host;
use crate::process::Process;
use crate::require::missing;
use crate::wait::{PATIENCE, wait_for};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/machine.sh");

/// Where version 2 of cgroups may be mounted.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The folder with Debian 12; see `require::missing` for what happens if there is none.
pub fn find_debian() -> Option<PathBuf> {
    let root = std::env::var_os("PEERS_ROOT").map_or_else(|| PathBuf::from("/var/tmp/sip-fw-peers"), PathBuf::from);
    let folder = root.join("bookworm");
    if folder.join("usr/lib/systemd/systemd").is_file() {
        return Some(folder);
    }
    missing("debian", &format!("no Debian 12 with systemd in {}; `cargo xtask setup` makes it", folder.display()));
    None
}

/// A machine that is up; its disk outlives a reboot and ends with it.
#[derive(Debug)]
pub struct Machine {
    name: String,
    debian: PathBuf,
    network: PathBuf,
    process: Process,
    leader: i32,
    folder: TempDir,
}

impl Machine {
    /// Boots on the network of `host`, with these files in /root.
    pub fn boot(name: &str, debian: PathBuf, host: &Host, files: &[&Path]) -> Result<Self> {
        let folder = TempDir::new()?;
        let home = folder.path().join("upper/root");
        fs::create_dir_all(&home)?;
        for file in files {
            fs::copy(file, home.join(file.file_name().context("a file without a name")?))?;
        }
        let network = host.namespace().path().to_owned();
        let process = start(name, &debian, folder.path(), &network)?;
        let mut machine = Self { name: name.to_owned(), debian, network, process, leader: 0, folder };
        machine.wait_until_up()?;
        Ok(machine)
    }

    /// Reboots: what is pinned goes with the kernel's memory, what is on the disk stays.
    pub fn reboot(&mut self) -> Result<()> {
        // Whether it is cut short by the end of its own machine is all the same.
        let _ = self.run("systemctl reboot");
        self.process.wait(2 * PATIENCE)?;
        self.leader = 0;
        self.process = start(&self.name, &self.debian, self.folder.path(), &self.network)?;
        self.wait_until_up()
    }

    /// Runs a line of shell inside.
    pub fn run(&self, line: &str) -> Result<Outcome> {
        let mut process = self.spawn(line)?;
        let status = process.wait(4 * PATIENCE).with_context(|| line.to_owned())?;
        Ok(Outcome { code: status.code().unwrap_or(-1), stdout: process.stdout(), stderr: process.stderr() })
    }

    /// Runs a line of shell inside that must succeed, and gives what it printed.
    pub fn must(&self, line: &str) -> Result<String> {
        let Outcome { code, stdout, stderr } = self.run(line)?;
        ensure!(code == 0, "{line}: {code}\n{stdout}{stderr}\n{}", self.journal());
        Ok(stdout.trim().to_owned())
    }

    /// Waits until a line of shell succeeds inside.
    pub fn wait_until(&self, line: &str) -> Result<()> {
        wait_for(line, 2 * PATIENCE, || self.run(line).is_ok_and(|outcome| outcome.code == 0))
            .with_context(|| self.journal())
    }

    /// The end of its journal, for messages.
    pub fn journal(&self) -> String {
        self.run("journalctl --no-pager --lines 60").map(|outcome| outcome.stdout).unwrap_or_default()
    }

    fn spawn(&self, line: &str) -> Result<Process> {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--all", "sh", "-c", line]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        Process::spawn(command, None)
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let up = wait_for("systemd to be up", 2 * PATIENCE, || {
            self.leader = leader(self.process.pid()).unwrap_or(0);
            let state = self.run("systemctl is-system-running").map(|outcome| outcome.stdout);
            self.leader != 0 && state.is_ok_and(|state| state.trim() == "running")
        });
        up.with_context(|| format!("{}\n{}\n{}", self.process.stdout(), self.process.stderr(), self.journal()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the machine's journal:\n{}", self.journal());
        }
        // All processes of a PID namespace end with its first one, and with them the mounts.
        if self.leader > 0 {
            let _ = kill(Pid::from_raw(self.leader), Signal::SIGKILL);
        }
        if self.process.wait(PATIENCE).is_err() {
            self.process.kill9();
        }
        for cgroups in CGROUPS {
            remove_cgroups(&Path::new(cgroups).join(&self.name));
        }
    }
}

fn start(name: &str, debian: &Path, folder: &Path, network: &Path) -> Result<Process> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", SCRIPT, name]).args([debian, folder, network]);
    Process::spawn(command, None)
}

/// The first process of the machine, below nspawn: the one that lives in another PID namespace than we do.
fn leader(nspawn: u32) -> Option<i32> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace("self");
    let mut below = children(&nspawn.to_string());
    while let Some(pid) = below.pop() {
        if namespace(&pid) != own {
            return pid.parse().ok();
        }
        below.extend(children(&pid));
    }
    None
}

fn children(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Only empty ones can be removed, the innermost first.
fn remove_cgroups(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_cgroups(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}
