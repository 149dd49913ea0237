//! What memory a process has, as the kernel tells it in /proc.

use std::fs;

use anyhow::{Context, Result};

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
