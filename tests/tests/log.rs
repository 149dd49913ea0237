//! A log that nobody reads: the agent goes on without it.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Policy, require_agent};

/// The smallest pipe holds about twenty records.
const PIPE_BYTES: i32 = 4096;
const BANS: usize = 60;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_reader_that_never_reads_stalls_neither_requests_nor_the_end() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let mut command = Command::new(agent.binary());
    command.arg("--config").arg(agent.config()).args(["run", "--log-format", "json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).env_remove("NOTIFY_SOCKET");
    let mut daemon = Daemon(bed.pbx.namespace().within(|| command.spawn()).unwrap().unwrap());
    let mut log = daemon.0.stderr.take().unwrap();
    fcntl(&log, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES)).unwrap();
    wait_for("sip-fw to be ready", PATIENCE, || agent.is_running()).unwrap();

    for n in 1..=BANS {
        let ban = agent.call(&["ban", &format!("203.0.113.{n}"), "--reason", "because"]).unwrap();
        assert_eq!(ban.code, 0, "{n}: {}", ban.stderr);
    }
    assert!(agent.is_running());
    let events = agent.call(&["events", "--json"]).unwrap();
    assert_eq!(events.stdout.lines().filter(|line| line.contains("by operator: because")).count(), BANS);

    kill(Pid::from_raw(daemon.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let mut end = None;
    wait_for("its end", PATIENCE, || {
        end = daemon.0.try_wait().unwrap();
        end.is_some()
    })
    .unwrap();
    assert_eq!(end.and_then(|status| status.code()), Some(0));
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    let written = text.lines().filter(|line| line.contains("by operator: because")).count();
    assert!((1..BANS).contains(&written), "the pipe held {written} bans: it was never full");
    assert!(agent.has_xdp(&bed.pbx).unwrap());
}
