//! A private corner of the machine for tests, demo and benchmarks: own mounts, own network, and own processes but for benchmarks.
//!
//! Whatever they leave behind (namespaces, pinned maps, a PBX) ends with them, and a sip-fw that works on this very
//! machine is neither seen nor disturbed. Where the kernel refuses, they run without it, and we say so.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::process;

const UNSHARE: [&str; 5] = ["--mount", "--net", "--fork", "--kill-child", "--propagation=private"];
const OWN_PROCESSES: [&str; 2] = ["--pid", "--mount-proc"];

const ENTER: &str = r#"
    ip link set lo up
    mount -t bpf bpf /sys/fs/bpf
    mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
    if [ -d "${PEERS_ROOT:-}/sid/proc" ]; then mount -t proc proc "$PEERS_ROOT/sid/proc"; fi
"#;

/// Runs as the first process inside; stays there as the parent of the real one, which can so be interrupted.
const STAY: &str = r#"
    "$@"
    exit $?
"#;

/// The real one is the one that is killed with us.
const GIVE_WAY: &str = r#"
    exec "$@"
"#;

/// A command that will run in there.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    enter(&[&UNSHARE[..], &OWN_PROCESSES].concat(), STAY, program.as_ref())
}

/// A command that will run in there but sees all processes of the machine, the kernel's threads among them: what they spend is measured.
pub fn among_all_processes(program: impl AsRef<OsStr>) -> Command {
    enter(&UNSHARE, GIVE_WAY, program.as_ref())
}

fn enter(unshare: &[&str], then: &str, program: &OsStr) -> Command {
    if !is_possible(unshare) {
        eprintln!("no private namespaces on this machine: running on the host's own network and mounts");
        return process::guarded(program);
    }
    // unshare waits for its child and heeds no SIGTERM; its own death takes everything inside with it.
    let mut command = process::killed_with_us("unshare");
    command.args(unshare).args(["--", "sh", "-c", &format!("{ENTER}{then}"), "private"]).arg(program);
    command
}

fn is_possible(unshare: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(unshare).args(["--", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
