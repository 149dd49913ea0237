//! The demo as a user runs it: its exit code, its last line, and that Ctrl-C leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_e2e::process::Process;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{require, require_agent};

const UNDER_A_MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_main_job_is_shown_with_the_built_in_registrar() {
    show("builtin");
}

#[test]
fn the_main_job_is_shown_with_kamailio() {
    if require("kamailio") {
        show("kamailio");
    }
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let Some(mut demo) = start(&["--json"]) else { return };
    wait_for("the attack", PATIENCE, || demo.stderr().contains("attacker")).unwrap();
    demo.signal(Signal::SIGINT);
    assert!(!demo.wait(PATIENCE).unwrap().success());
    for folder in ["/run/netns", "/sys/fs/bpf"] {
        let mine = format!("sfw{}-", demo.pid());
        let left = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().starts_with(&mine));
        assert!(left.is_none(), "{left:?}");
    }
}

fn show(pbx: &str) {
    let Some(mut demo) = start(&["--json", "--pbx", pbx]) else { return };
    let status = demo.wait(UNDER_A_MINUTE).unwrap();
    assert!(status.success(), "{}", demo.stderr());
    let output = demo.stdout();
    assert_eq!(output.lines().count(), 1, "{output}");
    let said: Value = serde_json::from_str(&output).unwrap();
    let figure = |who: &str, what: &str| said[who][what].as_u64();
    assert_eq!(figure("attacker", "failures"), Some(5), "{output}");
    assert_eq!(figure("attacker", "threshold"), Some(5), "{output}");
    assert_eq!(figure("attacker", "answered_after_ban"), Some(0), "{output}");
    assert!(figure("attacker", "dropped") >= Some(200), "{output}");
    assert!(figure("office", "registrations") > Some(0), "{output}");
    assert_eq!(figure("office", "registrations_lost"), Some(0), "{output}");
    assert!(figure("spoofed", "sources") >= Some(1000), "{output}");
    assert!(figure("spoofed", "packets") >= Some(1000), "{output}");
    assert_eq!(figure("spoofed", "banned"), Some(0), "{output}");
}

fn start(arguments: &[&str]) -> Option<Process> {
    require_agent()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_sip-fw-demo"));
    command.args(arguments);
    Some(Process::spawn(command, None).unwrap())
}
