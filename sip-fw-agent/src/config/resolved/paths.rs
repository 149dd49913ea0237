//! Where things are on this host.

use std::path::PathBuf;

use super::check::Check;
use crate::config::raw::RawPaths;

/// `sun_path` has 108 bytes, the last one is 0.
const SOCKET_BYTES_MAX: usize = 107;

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Pinned maps and links.
    pub pins: PathBuf,
    /// What must outlive a reboot.
    pub state: PathBuf,
    /// Control socket.
    pub socket: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            pins: "/sys/fs/bpf/sip-fw".into(),
            state: "/var/lib/sip-fw".into(),
            socket: "/run/sip-fw/control.sock".into(),
        }
    }
}

impl Check<'_> {
    pub(super) fn paths(&mut self, raw: &RawPaths) -> Paths {
        let default = Paths::default();
        Paths {
            pins: self.path("paths.pins", raw.pins.as_ref(), default.pins, usize::MAX),
            state: self.path("paths.state", raw.state.as_ref(), default.state, usize::MAX),
            socket: self.path("paths.socket", raw.socket.as_ref(), default.socket, SOCKET_BYTES_MAX),
        }
    }
}
