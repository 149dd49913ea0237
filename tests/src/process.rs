//! A child process that is killed by its pid and reaped when its guard goes, with its output kept in files.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

use crate::wait::wait_for;

/// How long a child may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// A running or ended child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Process {
    /// Starts `command`, in the network namespace at `netns` if one is given.
    ///
    /// `setns` and not `ip netns exec`: the latter mounts a new /sys, in which /sys/fs/bpf is empty.
    pub fn spawn(mut command: Command, netns: Option<&Path>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let stdout = NamedTempFile::new().context("temporary file")?;
        let stderr = NamedTempFile::new().context("temporary file")?;
        command.stdin(Stdio::null()).stdout(stdout.reopen()?).stderr(stderr.reopen()?);
        if let Some(path) = netns {
            let namespace = File::open(path).with_context(|| format!("open {}", path.display()))?;
            // SAFETY: between fork and exec only the system call setns is made, on a descriptor opened before.
            unsafe {
                command.pre_exec(move || setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(Into::into));
            }
        }
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { name, child, stdout, stderr })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything written to stdout so far.
    pub fn stdout(&self) -> String {
        read(self.stdout.path())
    }

    /// Everything written to stderr so far.
    pub fn stderr(&self) -> String {
        read(self.stderr.path())
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let mut status = None;
        wait_for(&format!("the end of {}", self.name), limit, || {
            status = self.ended();
            status.is_some()
        })?;
        status.context("no exit status")
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended already; then there is nobody to signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// For `unshare --pid --fork PROGRAM`: kills the first process of that namespace, and with it all others of it.
    /// `unshare` then reaps it and ends, so that no zombie is left to a PID 1 that may not reap.
    pub fn kill_inner(&mut self) {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
        }
        if self.wait(GRACE).is_err() {
            self.kill9();
        }
    }

    /// SIGKILL, and reaped.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::SIGTERM);
            if self.wait(GRACE).is_err() {
                self.kill9();
            }
        }
    }
}

/// The time that a process spent on a processor, its own and the kernel's for it.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // proc_pid_stat(5): utime and stime are fields 14 and 15, the second one may contain spaces and ends with a parenthesis.
    let (_, fields) = stat.rsplit_once(") ").context("no such stat")?;
    let ticks: Vec<u64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
