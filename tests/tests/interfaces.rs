//! Interfaces that appear, go away and come back: protected within a second, and told either way.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use serde_json::Value;
use sip_fw_agent::host::InterfaceChanges;
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::lock::MachineLock;
use sip_fw_e2e::netns::Namespace;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Policy, require_agent};
use tokio::time::timeout;

/// Who is banned, at the far end of the new cable.
const BANNED: &str = "203.0.113.9";
/// Who is not.
const OTHER: &str = "203.0.113.8";
/// The pbx at the near end.
const NEAR: &str = "203.0.113.1";
const NEAR_MAC: &str = "02:00:00:00:00:01";
/// What is promised.
const AT_ONCE: Duration = Duration::from_secs(1);
/// So many packets in a row that do not arrive are dropped.
const MISSED: u32 = 50;

const AUTO: &str = "interfaces = \"auto\"";

#[test]
fn a_new_interface_is_protected_within_a_second_of_its_address() {
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    agent.restart().unwrap();
    assert_eq!(attached(&agent), ["pbx0"], "neither the loopback nor what has no address");
    assert_eq!(agent.call(&["ban", BANNED, "--for", "1h"]).unwrap().code, 0);

    let cable = Cable::lay(&bed);
    assert_eq!(attached(&agent), ["pbx0"]);
    cable.assert_dropped_at_once(|| cable.address("add"));
    agent.wait_for_event("attached", "late0: ingress native").unwrap();
    assert_eq!(attached(&agent), ["late0", "pbx0"]);

    cable.address("del");
    bed.pbx.namespace().ip_batch("link set late0 down\nlink set late0 up\n").unwrap();
    cable.assert_dropped_at_once(|| cable.address("add"));
    assert_eq!(times(&agent, "attached", "late0"), 1, "it kept its programs");

    bed.pbx.namespace().ip_batch("link del late0\n").unwrap();
    agent.wait_for_event("detached", "late0 went away").unwrap();
    assert_eq!(attached(&agent), ["pbx0"]);
    // Gone and back before anybody looked.
    let cable = cable.lay_again(&bed);
    cable.assert_dropped_at_once(|| cable.address("add"));
    bed.pbx.namespace().ip_batch("link del late0\n").unwrap();
    let cable = cable.lay_again(&bed);
    cable.assert_dropped_at_once(|| cable.address("add"));
    wait_for("late0 to be told again", PATIENCE, || times(&agent, "attached", "late0") == 3).unwrap();
    assert_eq!(times(&agent, "degraded", ""), 0, "{}", agent.log());
}

#[test]
fn a_restart_keeps_what_is_attached_and_takes_what_came_meanwhile() {
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    let cable = Cable::lay(&bed);
    cable.address("add");
    agent.restart().unwrap();
    assert_eq!(attached(&agent), ["late0", "pbx0"]);
    agent.kill9();
    cable.address("del");
    let add = "link add other0 type veth peer name other1\nlink set other0 up\naddr add 198.51.100.1/24 dev other0\n";
    bed.pbx.namespace().ip_batch(add).unwrap();
    agent.restart().unwrap();
    assert_eq!(attached(&agent), ["late0", "other0", "pbx0"]);
}

#[test]
fn an_agent_that_finds_no_interface_yet_waits_for_one() {
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    bed.pbx.namespace().ip_batch("addr flush dev pbx0 scope global\n").unwrap();
    agent.restart().unwrap();
    agent.wait_for_event("degraded", "nothing is protected").unwrap();
    assert_eq!(attached(&agent), [""; 0]);
    bed.pbx.namespace().ip_batch("addr add 10.98.0.1/32 dev pbx0\n").unwrap();
    agent.wait_for_event("attached", "pbx0").unwrap();
    assert!(agent.has_xdp(&bed.pbx).unwrap());
}

#[test]
fn a_named_interface_that_is_not_there_yet_is_protected_within_a_second() {
    let Some((bed, mut agent)) = prepared("interfaces = [\"pbx0\", \"late0\"]") else { return };
    agent.restart().unwrap();
    agent.wait_for_event("degraded", "late0 does not exist yet").unwrap();
    assert_eq!(agent.call(&["ban", BANNED, "--for", "1h"]).unwrap().code, 0);
    let cable = Cable::lay(&bed);
    cable.assert_dropped_at_once(|| cable.address("add"));
    agent.wait_for_event("attached", "late0").unwrap();

    bed.pbx.namespace().ip_batch("link del late0\n").unwrap();
    agent.wait_for_event("degraded", "late0 went away").unwrap();
    let cable = cable.lay_again(&bed);
    cable.assert_dropped_at_once(|| cable.address("add"));
    wait_for("late0 to be told again", PATIENCE, || times(&agent, "attached", "late0") == 2).unwrap();
}

#[test]
fn more_interfaces_than_may_be_are_named() {
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    let mut batch = String::new();
    for n in 0..18 {
        batch.push_str(&format!("link add m{n} type veth peer name n{n}\naddr add 198.51.100.{n}/32 dev m{n}\n"));
    }
    bed.pbx.namespace().ip_batch(&batch).unwrap();
    agent.restart().unwrap();
    agent.wait_for_event("degraded", "m15, m16, m17 are not protected").unwrap();
    assert_eq!(attached(&agent).len(), 16);
    bed.pbx.namespace().ip_batch("link del m0\nlink del m1\nlink del m2\n").unwrap();
    wait_for("the others to be attached", PATIENCE, || times(&agent, "attached", "m17") == 1).unwrap();
    assert_eq!(attached(&agent).len(), 16);
}

/// A look at large tables takes so long that it comes seldom: interfaces do not wait for it.
#[test]
fn large_tables_delay_nothing() {
    let _alone = MachineLock::take("load").unwrap();
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    agent.reconfigure("[ban]", "[limits]\nbans = 262144\n\n[ban]").unwrap();
    agent.restart().unwrap();
    let list: String =
        (0..100_000).map(|n| format!("100.{}.{}.{}\n", 64 + n / 65_536, n / 256 % 256, n % 256)).collect();
    let file = agent.folder().join("list");
    std::fs::write(&file, list + BANNED).unwrap();
    let mut import = agent.spawn(&["import", &file.display().to_string(), "--for", "1h"]).unwrap();
    assert!(import.wait(2 * PATIENCE).unwrap().success(), "{}", import.stderr());
    let mut cable = Cable::lay(&bed);
    for times in 0..5 {
        cable.assert_dropped_at_once(|| cable.address("add"));
        wait_for("late0 to be told", PATIENCE, || self::times(&agent, "attached", "late0") == times + 1).unwrap();
        bed.pbx.namespace().ip_batch("link del late0\n").unwrap();
        cable = cable.lay_again(&bed);
    }
}

#[test]
fn a_storm_of_changes_keeps_nobody_waiting() {
    let Some((bed, mut agent)) = prepared(AUTO) else { return };
    agent.restart().unwrap();
    let mut storm = String::new();
    for n in 0..20_000 {
        let verb = if n % 2 == 0 { "add" } else { "del" };
        storm.push_str(&format!("addr {verb} 198.51.100.1/32 dev lo\n"));
    }
    std::thread::scope(|scope| {
        let blowing = scope.spawn(|| bed.pbx.namespace().ip_batch(&storm).unwrap());
        let mut slowest = Duration::ZERO;
        let mut asked = 0;
        while !blowing.is_finished() || asked == 0 {
            let before = Instant::now();
            assert!(agent.is_running());
            slowest = slowest.max(before.elapsed());
            asked += 1;
        }
        assert!(slowest < AT_ONCE, "an answer took {slowest:?}");
    });
    assert_eq!(agent.call(&["ban", BANNED, "--for", "1h"]).unwrap().code, 0);
    let cable = Cable::lay(&bed);
    cable.assert_dropped_at_once(|| cable.address("add"));
}

#[test]
fn a_storm_is_told_once_and_the_next_change_again() {
    let bed = Bed::new().unwrap();
    let flip =
        |times: usize| bed.office.namespace().ip_batch(&"link set lo down\nlink set lo up\n".repeat(times)).unwrap();
    bed.office
        .namespace()
        .within(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let quiet = Duration::from_millis(300);
                let mut changes = InterfaceChanges::listen().unwrap();
                // Whatever still settles in the bed.
                while timeout(quiet, changes.next()).await.is_ok() {}
                flip(100);
                timeout(PATIENCE, changes.next()).await.unwrap();
                assert!(timeout(quiet, changes.next()).await.is_err(), "all of it was told at once");
                flip(1);
                changes.pause(quiet);
                let before = Instant::now();
                timeout(PATIENCE, changes.next()).await.unwrap();
                assert!(before.elapsed() >= quiet, "told within the pause");
            });
        })
        .unwrap();
}

/// A cable late0 of the pbx, with the banned source and another one at its far end.
struct Cable<'a> {
    bed: &'a Bed,
    far: Namespace,
    banned: UdpSocket,
    other: UdpSocket,
    receiver: UdpSocket,
}

impl<'a> Cable<'a> {
    /// Without an address of the pbx.
    fn lay(bed: &'a Bed) -> Self {
        let far = Namespace::create(format!("{}-far", bed.name)).unwrap();
        Self::lay_to(bed, far)
    }

    /// Another one of the same name, once the first one is gone.
    fn lay_again(self, bed: &'a Bed) -> Self {
        drop((self.banned, self.other, self.receiver));
        Self::lay_to(bed, self.far)
    }

    fn lay_to(bed: &'a Bed, far: Namespace) -> Self {
        let far_name = far.name();
        let add =
            format!("link add late0 address {NEAR_MAC} type veth peer name far0 netns {far_name}\nlink set late0 up\n");
        bed.pbx.namespace().ip_batch(&add).unwrap();
        let addresses = format!(
            "link set far0 up\naddr add {BANNED}/24 dev far0\naddr add {OTHER}/24 dev far0\n\
             neigh replace {NEAR} lladdr {NEAR_MAC} dev far0\n"
        );
        far.ip_batch(&addresses).unwrap();
        let bind = |address: &str| far.open(|| UdpSocket::bind((address, 0))).unwrap();
        let (banned, other) = (bind(BANNED), bind(OTHER));
        let receiver = bed.pbx.namespace().open(|| UdpSocket::bind("0.0.0.0:5060")).unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        Self { bed, far, banned, other, receiver }
    }

    fn address(&self, verb: &str) {
        self.bed.pbx.namespace().ip_batch(&format!("addr {verb} {NEAR}/24 dev late0\n")).unwrap();
    }

    /// From one second after a change on, no packet of the banned source arrives, but those of the other one do.
    #[track_caller]
    fn assert_dropped_at_once(&self, change: impl FnOnce()) {
        let began = Instant::now();
        change();
        let (mut last, mut missed) = (Duration::ZERO, 0);
        while missed < MISSED {
            assert!(began.elapsed() < PATIENCE, "packets of a banned source arrive all the time");
            if self.arrives(&self.banned, BANNED) {
                (last, missed) = (began.elapsed(), 0);
            } else {
                missed += 1;
            }
        }
        assert!(last < AT_ONCE, "the last packet of a banned source arrived {last:?} after the change");
        wait_for("a packet of another source", PATIENCE, || self.arrives(&self.other, OTHER)).unwrap();
    }

    fn arrives(&self, from: &UdpSocket, address: &str) -> bool {
        // Fails while the far end learns that the cable has another end again.
        let _ = from.send_to(b"OPTIONS sip:x SIP/2.0\r\n\r\n", (NEAR, 5060));
        let mut arrived = false;
        while let Ok((_, source)) = self.receiver.recv_from(&mut [0; 64]) {
            arrived |= source.ip().to_string() == address;
        }
        arrived
    }
}

/// Names of the interfaces with both programs, in their order.
fn attached(agent: &Agent) -> Vec<String> {
    let status = agent.json(&["status", "--json"]).unwrap();
    let found = status["attachments"].as_array().unwrap().clone();
    let whole = |found: &&Value| found["ingress"] != "none" && found["egress"] != "none";
    let mut names: Vec<_> =
        found.iter().filter(whole).map(|found| found["interface"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn times(agent: &Agent, name: &str, reason: &str) -> usize {
    let said = |event: &&Value| event["event"] == name && event["reason"].as_str().unwrap().contains(reason);
    agent.events().iter().filter(said).count()
}

fn prepared(interfaces: &str) -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    agent.reconfigure("interfaces = [\"pbx0\"]", interfaces).unwrap();
    Some((bed, agent))
}
