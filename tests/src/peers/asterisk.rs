//! Asterisk from a debootstrapped Debian sid, because Debian 12 has none. One per machine at a time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::kamailio::answers;
use crate::lock::MachineLock;
use crate::netns::Host;
use crate::process::Process;
use crate::require::missing;
use crate::wait::{PATIENCE, wait_for};

const PJSIP: &str = include_str!("../../data/asterisk/pjsip.conf");
const ASTERISK: &str = include_str!("../../data/asterisk/asterisk.conf");
const MODULES: &str = include_str!("../../data/asterisk/modules.conf");
const LOGGER: &str = include_str!("../../data/asterisk/logger.conf");
const EXTENSIONS: &str = include_str!("../../data/asterisk/extensions.conf");

/// Where it runs, inside the chroot.
const PLACE: &str = "/tmp/sip-fw-e2e";

/// The chroot with Asterisk in it; see `require::missing` for what happens if there is none.
pub fn find_asterisk() -> Option<PathBuf> {
    let root = std::env::var_os("PEERS_ROOT").map_or_else(|| PathBuf::from("/var/tmp/sip-fw-peers"), PathBuf::from);
    let chroot = root.join("sid");
    if chroot.join("usr/sbin/asterisk").is_file() {
        return Some(chroot);
    }
    missing("asterisk", &format!("no Debian sid with asterisk in {}; `cargo xtask setup` makes it", chroot.display()));
    None
}

/// A running Asterisk with the accounts of the bed; `full` / `fullpw` has room for one contact.
#[derive(Debug)]
pub struct Asterisk {
    process: Process,
    place: PathBuf,
    _lock: MachineLock,
}

impl Asterisk {
    /// Starts it on every address of `host` and waits until it answers.
    pub fn start(host: &Host, chroot: &Path) -> Result<Self> {
        let lock = MachineLock::take("asterisk")?;
        let place = chroot.join(PLACE.trim_start_matches('/'));
        let _ = fs::remove_dir_all(&place);
        for folder in ["etc", "run", "log", "spool", "lib"] {
            fs::create_dir_all(place.join(folder)).with_context(|| format!("in {}", place.display()))?;
        }
        // Its documentation and sounds are looked up under astvarlibdir, too.
        symlink("/var/lib/asterisk/documentation", place.join("lib/documentation")).ok();
        let files = [
            ("pjsip.conf", PJSIP),
            ("asterisk.conf", ASTERISK),
            ("modules.conf", MODULES),
            ("logger.conf", LOGGER),
            ("extensions.conf", EXTENSIONS),
        ];
        for (name, text) in files {
            fs::write(place.join("etc").join(name), text)?;
        }
        // A PID namespace and a mount namespace of its own: /proc inside goes when it goes, and so do all of its processes.
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child=KILL", "--mount", "sh", "-c"]);
        command.arg(format!(
            "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" asterisk -f -C {PLACE}/etc/asterisk.conf"
        ));
        command.arg(chroot);
        let mut asterisk = Self { process: host.spawn(command)?, place, _lock: lock };
        let mut ended = None;
        let ready = wait_for("Asterisk to answer", 2 * PATIENCE, || {
            ended = asterisk.process.ended();
            ended.is_some() || answers(host)
        });
        ensure!(ended.is_none(), "Asterisk ended with {ended:?}: {}", asterisk.log());
        ready.with_context(|| asterisk.log())?;
        Ok(asterisk)
    }

    /// The log of its security events, as logger.conf names it.
    pub fn security_log(&self) -> PathBuf {
        self.place.join("log/security")
    }

    /// Its messages, and its security events.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.place.join("log").join(name)).unwrap_or_default();
        format!("{}{}{}", read("messages"), read("security"), self.process.stderr())
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.process.kill_inner();
        let _ = fs::remove_dir_all(&self.place);
    }
}
