//! A lock between test processes for what exists once per machine, such as the Asterisk chroot.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

/// Held while it lives; the kernel releases it even if the process is killed.
#[derive(Debug)]
pub struct MachineLock {
    _file: Flock<File>,
}

impl MachineLock {
    /// Waits for the lock called `name`.
    pub fn take(name: &str) -> Result<Self> {
        let path = PathBuf::from(format!("/run/lock/sip-fw-e2e-{name}.lock"));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .with_context(|| format!("lock {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
