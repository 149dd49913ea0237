//! The control socket for others than root: the members of its group ask, and change only what they may; nobody locks root out.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Group, User};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::process::Process;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Policy, require, require_agent};

const GROUP: &str = "[control]\ngroup = \"nogroup\"\n";
const OTHER_GROUP: &str = "daemon";
/// How soon root is answered, whatever others do.
const SOON: Duration = Duration::from_secs(1);
/// More than may be connected at once.
const CROWD: usize = 40;

#[test]
fn members_ask_and_change_only_what_they_may() {
    let Some((_bed, agent)) = started(GROUP) else { return };
    let as_member = |words: &[&str]| ended(as_user(&agent, "nogroup", words));
    wait_for("the group to be let in", PATIENCE, || as_member(&["status"]).0 == 0).unwrap();
    for verb in ["status", "bans", "sources", "peers", "rules", "events"] {
        assert_eq!(as_member(&[verb]).0, 0, "{verb}");
    }
    for words in [&["ban", "192.0.2.77"][..], &["unban", "--all"], &["apply"], &["confirm"], &["detach"]] {
        let (code, said) = as_member(words);
        assert_eq!(code, 1, "{words:?}: {said}");
        assert!(said.contains("only root may change anything; [control] group_may_change = true"), "{said}");
    }
    assert!(agent.bans().unwrap().is_empty());

    agent.reconfigure("group = \"nogroup\"", "group = \"nogroup\"\ngroup_may_change = true").unwrap();
    agent.signal(Signal::SIGHUP);
    wait_for("the group to be let change", PATIENCE, || as_member(&["ban", "192.0.2.77"]).0 == 0).unwrap();
    assert!(agent.has_banned("192.0.2.77").unwrap());
    assert_eq!(as_member(&["unban", "192.0.2.77"]).0, 0);
    let (code, said) = as_member(&["apply", "/etc/shadow"]);
    assert!(code == 1 && said.contains("only root may apply another file"), "{code}: {said}");
}

#[test]
fn others_are_told_which_group_lets_them_in() {
    let Some((_bed, agent)) = started(GROUP) else { return };
    wait_for("the group to be let in", PATIENCE, || ended(as_user(&agent, "nogroup", &["status"])).0 == 0).unwrap();
    let (code, said) = ended(as_user(&agent, OTHER_GROUP, &["status"]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("you are not in the group nogroup"), "{said}");
    assert!(said.contains("usermod --append --groups nogroup nobody"), "{said}");
    assert_eq!(agent.call(&["status"]).unwrap().code, 0);
}

#[test]
fn a_group_that_is_missing_leaves_the_socket_to_root() {
    let Some((_bed, agent)) = started("[control]\ngroup = \"no-such-group\"\n") else { return };
    agent.wait_for_event("degraded", "[control] group: there is no group \"no-such-group\"").unwrap();
    let (code, said) = ended(as_user(&agent, "nogroup", &["status"]));
    assert!(code == 1 && said.contains("run this as root"), "{code}: {said}");
}

#[test]
fn members_who_occupy_every_place_do_not_lock_root_out() {
    let Some((_bed, agent)) = started(GROUP) else { return };
    wait_for("the group to be let in", PATIENCE, || ended(as_user(&agent, "nogroup", &["status"])).0 == 0).unwrap();
    let mut crowd: Vec<_> = (0..CROWD).map(|_| as_user(&agent, "nogroup", &["events", "--follow"])).collect();
    let mut refused = 0;
    wait_for("some of the crowd to be refused", PATIENCE, || {
        refused = crowd.iter_mut().filter_map(Process::ended).count();
        refused > 0 && crowd.iter_mut().all(|member| member.ended().is_none() || member.stderr().contains("try again"))
    })
    .unwrap();
    assert!(refused < CROWD, "some have a place");
    assert_root_is_answered(&agent);
    assert_eq!(agent.call(&["ban", "192.0.2.77"]).unwrap().code, 0);
}

#[test]
fn clients_that_send_half_a_request_or_read_nothing_delay_nobody() {
    let Some((_bed, agent)) = started("") else { return };
    let socket = agent.folder().join("control.sock");
    let connect = |request: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // A line that is too long is refused before its end.
        let _ = stream.write_all(request);
        stream
    };
    // Larger than what a socket holds for a reader that does not read.
    for n in 0..3000 {
        let ban =
            format!("{{\"verb\":\"ban\",\"target\":\"2001:db8:{n:x}::7\",\"length\":\"permanent\",\"reason\":null}}\n");
        let mut answer = [0; 16];
        assert!(connect(ban.as_bytes()).read(&mut answer).unwrap() > 0 && answer.starts_with(b"{\"ok\""), "{answer:?}");
    }
    let hostile: Vec<_> = [&b"{\"verb\":\"sta"[..], b"", &[b'x'; 100_000], b"{\"verb\":\"bans\",\"ended\":true}\n"]
        .into_iter()
        .chain([&b"{\"verb\":\"events\",\"since_seconds\":3600,\"follow\":true}\n"[..]; 2])
        .flat_map(|request| [connect(request), connect(request)])
        .collect();
    assert_root_is_answered(&agent);
    for _ in 0..5 {
        assert_eq!(agent.call(&["ban", "192.0.2.77"]).unwrap().code, 0);
        assert_root_is_answered(&agent);
    }
    drop(hostile);
}

#[track_caller]
fn assert_root_is_answered(agent: &Agent) {
    let began = Instant::now();
    let outcome = agent.call(&["status"]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(began.elapsed() < SOON, "status took {:?}", began.elapsed());
}

/// Runs a command of the CLI as nobody, in a group of its own.
fn as_user(agent: &Agent, group: &str, words: &[&str]) -> Process {
    let uid = User::from_name("nobody").unwrap().expect("a user nobody").uid;
    let gid = Group::from_name(group).unwrap().unwrap_or_else(|| panic!("a group {group}")).gid;
    agent.spawn_as(uid.as_raw(), gid.as_raw(), words).unwrap()
}

fn ended(mut process: Process) -> (i32, String) {
    let code = process.wait(PATIENCE).unwrap().code().unwrap();
    (code, process.stderr())
}

/// An agent whose folder and program others can reach.
fn started(extra: &str) -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    if !require("setpriv") {
        return None;
    }
    let bed = Bed::new().unwrap();
    let mut agent = Agent::prepare(binary, &bed, &Policy { extra: extra.to_owned(), ..Policy::default() }).unwrap();
    fs::set_permissions(agent.folder(), Permissions::from_mode(0o755)).unwrap();
    agent.move_binary_to_folder().unwrap();
    agent.restart().unwrap();
    Some((bed, agent))
}
