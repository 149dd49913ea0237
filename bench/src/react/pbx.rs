//! The PBX that is attacked: one for every defence.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sip_fw_e2e::Bed;
use sip_fw_e2e::peers::Asterisk;

use super::registrar::Registrar;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The real one.
    Asterisk,
    /// One that keeps up with more attempts than Asterisk does, and writes the same lines.
    Registrar,
}

/// A running one.
pub enum Pbx {
    /// The real one.
    Asterisk(Asterisk),
    /// Ours.
    Registrar(Registrar),
}

impl Kind {
    /// What it is called in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asterisk => "Asterisk",
            Self::Registrar => "registrar",
        }
    }

    /// Starts it on the bed's PBX. `chroot` has Asterisk in it.
    pub fn start(self, bed: &Bed, chroot: &Path) -> Result<Pbx> {
        Ok(match self {
            Self::Asterisk => Pbx::Asterisk(Asterisk::start(&bed.pbx, chroot)?),
            Self::Registrar => Pbx::Registrar(Registrar::start(bed)?),
        })
    }
}

impl Pbx {
    /// The log that fail2ban reads.
    pub fn security_log(&self) -> PathBuf {
        match self {
            Self::Asterisk(asterisk) => asterisk.security_log(),
            Self::Registrar(registrar) => registrar.security_log(),
        }
    }
}
