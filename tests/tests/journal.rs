//! What sip-fw tells journald when systemd starts it: a field for every key, read back with journalctl.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::require::missing;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Bed, Policy, require, require_agent};

const JOURNALD: &str = "/lib/systemd/systemd-journald";

#[test]
fn events_have_native_fields() {
    let Some(binary) = require_agent() else { return };
    if !["systemd-cat", "journalctl", "unshare"].into_iter().all(require) {
        return;
    }
    if !Path::new(JOURNALD).exists() {
        return missing(JOURNALD, "it is not there; the Debian package systemd brings it");
    }
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", "sh"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/journald.sh"));
    command.arg(agent.binary()).arg(agent.config());
    let mut process = bed.pbx.spawn(command).unwrap();
    let status = process.wait(2 * PATIENCE).unwrap();
    assert!(status.success(), "{}{}", process.stdout(), process.stderr());

    let stdout = process.stdout();
    let (all, of_source) = stdout.split_once("\n\n").unwrap();
    let entries = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let (entries, of_source) = (entries(all), entries(of_source));
    let entry = |event: &str| entries.iter().find(|entry| entry["SIP_FW_EVENT"] == event);
    let ban = entry("ban").unwrap_or_else(|| panic!("no ban in {entries:?}"));
    for (field, value) in [
        ("_TRANSPORT", "journal"),
        ("SYSLOG_IDENTIFIER", "sip-fw"),
        ("PRIORITY", "5"),
        ("MESSAGE_ID", "77a17de733ca4a14abf7d99f94acd299"),
        ("SIP_FW_SOURCE", "203.0.113.9"),
        ("SIP_FW_REASON", "by operator: because"),
        ("SIP_FW_LEVEL", "0"),
        ("MESSAGE", "ban 203.0.113.9 for 1h: by operator: because"),
    ] {
        assert_eq!(ban[field], value, "{field} of {ban}");
    }
    assert!(ban["SIP_FW_UNTIL"].as_str().is_some_and(|until| until.ends_with('Z')), "{ban}");
    assert!(entry("agent-started").is_some() && entry("attached").is_some(), "{entries:?}");
    assert_eq!(entries.iter().filter(|entry| entry["SIP_FW_EVENT"] == "ban").count(), 2, "{entries:?}");
    assert_eq!(of_source.iter().collect::<Vec<_>>(), [ban], "journalctl SIP_FW_SOURCE=203.0.113.9");
}
