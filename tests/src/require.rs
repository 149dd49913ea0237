//! What a test needs from the machine: present, or the test fails; skipped only where that was allowed, and then out loud.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::agent;

/// True if the program `tool` can be run. See [`missing`] for what happens otherwise.
pub fn require(tool: &str) -> bool {
    if find_program(tool).is_some() {
        return true;
    }
    missing(tool, "the program is not on PATH; `cargo xtask setup` installs it");
    false
}

/// The built `sip-fw` binary. See [`missing`] for what happens otherwise.
pub fn require_agent() -> Option<PathBuf> {
    let found = agent::find_binary();
    if found.is_none() {
        missing("sip-fw", "the binary is not built; run `cargo build`, or name it in SIP_FW_BIN");
    }
    found
}

/// Panics because `name` is missing; with SIP_FW_ALLOW_SKIP=1 notes the skip (also in the file SIP_FW_SKIP_LOG) and returns.
pub fn missing(name: &str, why: &str) {
    let allowed = std::env::var_os("SIP_FW_ALLOW_SKIP").is_some_and(|value| value == "1");
    assert!(allowed, "{name} is missing: {why} (SIP_FW_ALLOW_SKIP=1 skips such tests)");
    let line = format!("skipped: {name}: {why}");
    eprintln!("{line}");
    if let Some(log) = std::env::var_os("SIP_FW_SKIP_LOG") {
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            panic!("cannot note the skip in {}: {error}", Path::new(&log).display());
        }
    }
}

/// The path of a program, as a shell would find it; sbin folders are searched too.
pub fn find_program(tool: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/bin"])
        .map(|folder| Path::new(folder).join(tool))
        .find(|candidate| candidate.is_file())
}
