//! What a process needs, as the kernel tells it in /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks of the CPU clock in a second: what Linux tells user space, whatever its own are (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;
/// Fields of /proc/PID/stat behind the name that are skipped until the ticks in user mode (proc(5): field 14).
const FIELDS_BEFORE_UTIME: usize = 11;

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// In RAM now, the program's own pages included.
    pub resident: u64,
    /// The part of it that is no file's.
    pub anonymous: u64,
    /// The most that ever was in RAM.
    pub peak: u64,
}

/// Its memory now.
pub fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let of = |key: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number =
            line.and_then(|line| line.trim().strip_suffix(" kB")).with_context(|| format!("no {key} in {path}"))?;
        Ok(number.parse()?)
    };
    Ok(Memory { resident: of("VmRSS")?, anonymous: of("RssAnon")?, peak: of("VmHWM")? })
}

/// The time that it had a CPU.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The name may have anything in it, but no more parenthesis comes behind it.
    let (_, fields) = stat.rsplit_once(") ").with_context(|| format!("no name in {path}"))?;
    let ticks = fields.split(' ').skip(FIELDS_BEFORE_UTIME).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}
