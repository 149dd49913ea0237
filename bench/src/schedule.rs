//! Who runs where and before whom, so that the machine's other work does not get between the attack and the host that is attacked.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};

/// The CPU of the attack and of the good caller.
pub const OUTSIDE: usize = 0;
/// The CPU of the host that is attacked.
pub const INSIDE: usize = 1;

/// Real-time priorities (sched(7)): whoever has to go on while the attack has the CPU comes first.
#[derive(Clone, Copy)]
pub enum Turn {
    /// Measures.
    First = 2,
    /// Is measured, or attacks.
    Second = 1,
}

/// Gives this thread its place. What it starts later has none.
pub fn take(cpu: usize, turn: Turn) -> Result<()> {
    give(gettid(), cpu, turn)
}

/// Gives a thread its place.
pub fn give(thread: Pid, cpu: usize, turn: Turn) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(thread, &cpus).with_context(|| format!("thread {thread} on CPU {cpu}"))?;
    let mut command = Command::new("chrt");
    command.args(["--reset-on-fork", "--fifo", "--pid"]).args([(turn as u8).to_string(), thread.to_string()]);
    let output = command.output().context("start chrt")?;
    ensure!(output.status.success(), "chrt of thread {thread}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
