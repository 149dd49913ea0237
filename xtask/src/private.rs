//! A private corner of the machine for tests and demo: own mounts, own network, own processes.
//!
//! Whatever they leave behind (namespaces, pinned maps, a PBX) ends with them, and a sip-fw that works on this very
//! machine is neither seen nor disturbed. Where the kernel refuses, they run without it, and we say so.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::process;

const UNSHARE: [&str; 7] =
    ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation=private"];

/// Runs as the first process inside; stays there as the parent of the real one, which can so be interrupted.
const ENTER: &str = r#"
    ip link set lo up
    mount -t bpf bpf /sys/fs/bpf
    mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
    if [ -d "${PEERS_ROOT:-}/sid/proc" ]; then mount -t proc proc "$PEERS_ROOT/sid/proc"; fi
    "$@"
    exit $?
"#;

/// A command that will run in there.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    if !is_possible() {
        eprintln!("no private namespaces on this machine: running on the host's own network and mounts");
        return process::guarded(program);
    }
    // unshare waits for its child and heeds no SIGTERM; its own death takes everything inside with it.
    let mut command = process::killed_with_us("unshare");
    command.args(UNSHARE).args(["--", "sh", "-c", ENTER, "private"]).arg(program);
    command
}

fn is_possible() -> bool {
    let mut command = Command::new("unshare");
    command.args(UNSHARE).args(["--", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
