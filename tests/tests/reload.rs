//! Rules are swapped whole: under load, no pair of packets is ever judged by a mixture of two rule sets.
//!
//! Each set lets exactly one source of a pair through, the two sets not the same one, and each by other means: one by a
//! line against a default of deny, the other by a line against a default of allow. Thousands of other lines make a swap
//! that is written entry by entry slow enough to be caught.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use sip_fw_e2e::actors::{Pairs, Report};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::lock::MachineLock;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Host, Policy, over_both_families, require_agent};

const PORT: u16 = 4000;

/// Packets a second: offered, and the least that makes the test worth anything.
const OFFERED: u32 = 100_000;
const ENOUGH: u32 = 50_000;

const SWAPS: u32 = 20;

/// Pairs between two changes: every rule set is seen at work.
const PAIRS_PER_PHASE: u32 = 5_000;

/// Prefixes in every rule set besides those of the two sources.
const CROWD: u32 = 5_000;

over_both_families!(a_reload_under_load_never_shows_a_mixture, a_change_in_two_steps_shows_a_mixture);

fn a_reload_under_load_never_shows_a_mixture(family: Family) {
    let Some(binary) = require_agent() else { return };
    let _alone = MachineLock::take("load").unwrap();
    let bed = Bed::new().unwrap();
    let sources = sources(&bed, family);
    let mut agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let sets = [0, 1].map(|which| rule_set(agent.folder(), family, sources, which));
    agent.configure(&sets[0]).unwrap();
    agent.restart().unwrap();
    let lost_before = lost(&bed);
    let pairs = start(&bed, sources, family);
    wait_for_more(&pairs);
    for swap in 1..=SWAPS {
        agent.configure(&sets[(swap % 2) as usize]).unwrap();
        let outcome = agent.apply(&[]).unwrap();
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        wait_for_more(&pairs);
    }
    let report = pairs.finish().unwrap();
    eprintln!("{family:?}: {} pairs at {} packets/s through {SWAPS} swaps", report.pairs, report.rate);
    assert_eq!(lost(&bed), lost_before, "packets that the bed lost on the way: the fates mean nothing");
    let Report { rate, verdict, .. } = report;
    assert_eq!((verdict.disordered, &verdict.both[..], &verdict.neither[..]), (0, &[][..], &[][..]), "mixtures");
    assert_eq!(verdict.swaps, SWAPS, "every apply takes effect once");
    assert!(verdict.across.len() <= SWAPS as usize, "{:?}", verdict.across);
    assert!(rate >= ENOUGH, "only {rate} packets/s reached the pbx");
}

/// The measurement itself: without sip-fw, sources are blocked by the kernel's own rules, one after the other.
fn a_change_in_two_steps_shows_a_mixture(family: Family) {
    let _alone = MachineLock::take("load").unwrap();
    let bed = Bed::new().unwrap();
    let sources = sources(&bed, family);
    let version = if family == Family::V4 { "-4" } else { "-6" };
    let ip = |arguments: &str| ip(&bed.pbx, &format!("{version} rule {arguments}"));
    // Local addresses are looked up first of all: behind our rules, please.
    ip("add pref 100 lookup local");
    ip("del pref 0");
    ip(&format!("add pref 10 from {} blackhole", sources[1]));
    let lost_before = lost(&bed);
    let pairs = start(&bed, sources, family);
    wait_for_more(&pairs);
    ip("del pref 10");
    wait_for_more(&pairs);
    ip(&format!("add pref 10 from {} blackhole", sources[0]));
    wait_for_more(&pairs);
    let report = pairs.finish().unwrap();
    eprintln!("{family:?}: {} pairs at {} packets/s", report.pairs, report.rate);
    assert_eq!(lost(&bed), lost_before, "packets that the bed lost");
    let verdict = report.verdict;
    assert_eq!((verdict.disordered, verdict.swaps, &verdict.neither[..]), (0, 1, &[][..]));
    assert!(verdict.first > PAIRS_PER_PHASE / 2 && verdict.second > PAIRS_PER_PHASE / 2, "{verdict:?}");
    assert!(verdict.both.len() > PAIRS_PER_PHASE as usize / 2, "{} pairs with two survivors", verdict.both.len());
}

/// The attacker's own address, and one out in the world that is his, too: two sources of one sender.
fn sources(bed: &Bed, family: Family) -> [IpAddr; 2] {
    let other = family.world(0);
    let length = if other.is_ipv4() { 32 } else { 128 };
    bed.attacker.namespace().ip_batch(&format!("route add local {other}/{length} dev lo\n")).unwrap();
    [bed.attacker.address(family), other]
}

fn start(bed: &Bed, sources: [IpAddr; 2], family: Family) -> Pairs {
    let target = SocketAddr::new(bed.pbx.address(family), PORT);
    Pairs::start(&bed.attacker, sources, &bed.pbx, target, OFFERED).unwrap()
}

fn wait_for_more(pairs: &Pairs) {
    let goal = pairs.sent() + PAIRS_PER_PHASE;
    wait_for("more pairs to be sent", PATIENCE, || pairs.sent() >= goal).unwrap();
}

/// Rules under which only the source number `which` passes.
fn rule_set(folder: &Path, family: Family, sources: [IpAddr; 2], which: usize) -> Policy {
    let crowd = folder.join(format!("crowd{which}.txt"));
    let mut list = String::new();
    for n in (0..2 * CROWD).filter(|n| n % 2 == which as u32 || n % 3 == 0) {
        match family {
            Family::V4 => writeln!(list, "198.{}.{}.{}", 18 + n / 65_536, n / 256 % 256, n % 256),
            Family::V6 => writeln!(list, "2001:db8:{n:x}::/64"),
        }
        .unwrap();
    }
    fs::write(&crowd, list).unwrap();
    let [first, second] = sources;
    let (default, lines) = match which {
        0 => ("deny", access("in", first, "allow")),
        // The second source only by the default.
        _ => ("allow", access("out", first, "deny") + &access("idle", second, "off")),
    };
    let extra = format!(
        "[[service]]\nname = \"load\"\nkind = \"opaque\"\nlisten = [\"udp/{PORT}\"]\ndefault = \"{default}\"\n\n\
         [[access]]\nname = \"crowd\"\nfrom = \"file:{}\"\naction = \"deny\"\n\n{lines}",
        crowd.display()
    );
    Policy { extra, ..Policy::default() }
}

fn access(name: &str, from: IpAddr, action: &str) -> String {
    format!("[[access]]\nname = \"{name}\"\nfrom = \"{from}\"\nto = [\"load\"]\naction = \"{action}\"\n\n")
}

/// Packets that found no room on the cables from the attacker and to the pbx, and in sockets of the pbx.
fn lost(bed: &Bed) -> [u64; 3] {
    let (switch, attacker) = (bed.switch(), bed.attacker.namespace());
    let read = |path: &'static str| move || fs::read_to_string(format!("/proc/thread-self/net/{path}"));
    // Of the twelfth column on: what the device could not send.
    let unsent = |text: String, device: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{device}:")).map(str::to_owned));
        line.unwrap().split_whitespace().nth(11).unwrap().parse::<u64>().unwrap()
    };
    let to_switch = unsent(attacker.within(read("dev")).unwrap().unwrap(), bed.attacker.interface());
    let to_pbx = unsent(switch.within(read("dev")).unwrap().unwrap(), &bed.port_of(&bed.pbx));
    let sockets = ["udp", "udp6"].map(|table| {
        let text = bed.pbx.namespace().within(read(table)).unwrap().unwrap();
        text.lines().skip(1).filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum::<u64>()
    });
    [to_switch, to_pbx, sockets.iter().sum()]
}

fn ip(host: &Host, arguments: &str) {
    let mut command = std::process::Command::new("ip");
    command.args(arguments.split(' '));
    let mut process = host.spawn(command).unwrap();
    assert!(process.wait(Duration::from_secs(5)).unwrap().success(), "ip {arguments}: {}", process.stderr());
}
