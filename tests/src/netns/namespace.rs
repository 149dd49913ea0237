//! One named network namespace: made, entered, removed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::wait::{PATIENCE, check_interrupt};

const FOLDER: &str = "/run/netns";

const POLL: Duration = Duration::from_millis(10);

/// A network namespace that exists as long as this value.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    path: PathBuf,
}

impl Namespace {
    /// Makes the namespace `name`.
    pub fn create(name: String) -> Result<Self> {
        ip(&["netns", "add", &name], "")?;
        let path = Path::new(FOLDER).join(&name);
        Ok(Self { name, path })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the lines of `batch` through `ip` inside the namespace.
    pub fn ip_batch(&self, batch: &str) -> Result<()> {
        ip(&["-n", &self.name, "-batch", "-"], batch)
    }

    /// Runs `work` on a thread inside the namespace and gives its result. Sockets opened there stay there.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(&self.path).with_context(|| format!("open {}", self.path.display()))?;
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).context("setns")?;
                Ok(work())
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Opens sockets inside the namespace, as `within` does, and waits while an address is still in use: a child that another
    /// thread forks holds every descriptor until its exec, those that are closed here meanwhile among them.
    pub fn open<T: Send>(&self, open: impl Fn() -> io::Result<T> + Sync) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.within(&open)? {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                    thread::sleep(POLL)
                }
                opened => return Ok(opened?),
            }
            check_interrupt()?;
        }
    }

    /// Sets kernel parameters (`net.…` with slashes) inside the namespace.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.within(|| {
            for (name, value) in settings {
                fs::write(format!("/proc/sys/{name}"), value).with_context(|| format!("set {name}"))?;
            }
            Ok(())
        })?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name], "") {
            eprintln!("cannot remove namespace {}: {error:#}", self.name);
        }
    }
}

/// Removes the namespaces of runs that were killed: named `sfw<pid>-…` with a pid that is gone.
pub fn sweep_stale() {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_stale(&name) {
            // Another run may be sweeping the same one; either of the two removes it.
            let _ = ip(&["netns", "del", &name], "");
        }
    }
}

/// If something is named after a bed (`sfw<pid>-…`) whose process is gone.
pub fn is_stale(name: &str) -> bool {
    let owner =
        name.strip_prefix("sfw").and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
    owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

fn ip(arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start ip")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).context("write to ip")?;
    }
    let output = child.wait_with_output().context("wait for ip")?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
