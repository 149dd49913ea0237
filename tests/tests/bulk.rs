//! Bans in bulk: a hundred thousand at once, from host to host, and from other tools.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sip_fw_e2e::actors::Spoofer;
use sip_fw_e2e::agent::{Agent, Outcome};
use sip_fw_e2e::lock::MachineLock;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Policy, Tap, require_agent};

const MANY: u32 = 100_000;
/// Generous; a build without optimisation on a machine that is busy with another takes longer still.
const SECONDS: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 10 });
/// Nobody waits longer for an answer of the agent meanwhile.
const AT_ONCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });
/// Between two questions of somebody who watches closely.
const MONITORING: Duration = Duration::from_millis(200);
/// Clocks of two hosts and two readings of them.
const ABOUT_MS: u64 = 1000;

#[test]
fn a_hundred_thousand_addresses_are_banned_within_seconds() {
    let policy = Policy { extra: "[limits]\nbans = 262144\n".to_owned(), ..Policy::default() };
    let _alone = MachineLock::take("load").unwrap();
    let Some((bed, agent)) = started(&policy) else { return };
    let address = |n: u32| Ipv4Addr::from_bits(Ipv4Addr::new(100, 64, 0, 0).to_bits() + n);
    let mut list = String::from("# a list\n");
    for n in 0..MANY {
        writeln!(list, "{}", address(n)).unwrap();
    }
    let file = write(&agent, "list.txt", &list);
    let before = Instant::now();
    let mut import = agent.spawn(&["import", &file, "--for", "1h", "--reason", "spring", "--json"]).unwrap();
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    while import.ended().is_none() {
        std::thread::sleep(MONITORING);
        let asking = Instant::now();
        agent.json(&["status", "--json"]).unwrap();
        slowest = slowest.max(asking.elapsed());
        asked += 1;
        assert!(before.elapsed() < 2 * SECONDS, "the import takes too long");
    }
    let took = before.elapsed();
    assert!(import.wait(PATIENCE).unwrap().success(), "{}", import.stderr());
    let view: Value = serde_json::from_str(&import.stdout()).unwrap();
    assert_eq!((&view["imported"], &view["refused"]), (&json!(MANY), &json!(0)), "{view}");
    eprintln!("{MANY} bans in {took:?}; of {asked} answers to status meanwhile the slowest took {slowest:?}");
    assert!(took < SECONDS, "the import took {took:?}");
    assert!(slowest < AT_ONCE, "an answer took {slowest:?}");
    assert_eq!(agent.json(&["status", "--json"]).unwrap()["bans_active"], MANY);

    let inside = Tap::inside(&bed.pbx).unwrap();
    let cable = Tap::cable(&bed, &bed.pbx).unwrap();
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    let random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros() % MANY;
    let (banned, other) = (address(random), address(MANY + random));
    for source in [banned, other] {
        spoofer.junk_credentials(SocketAddr::new(source.into(), 5060), "1000").unwrap();
    }
    cable.wait("both packets on the cable", |seen| seen.len() == 2).unwrap();
    inside.wait("the other packet", |seen| !seen.is_empty()).unwrap();
    let seen = inside.seen().unwrap();
    assert!(seen.iter().all(|message| message.source.ip() == other), "{seen:?}");

    let told = || -> Vec<String> {
        let events = agent.events();
        let bans = events.iter().filter(|event| event["event"] == "ban");
        bans.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    };
    let count = |reason: &String| reason.split(' ').nth(2).unwrap().parse::<u32>().unwrap();
    wait_for("all to be told", PATIENCE, || told().iter().map(count).sum::<u32>() == MANY).unwrap();
    assert!(told().len() <= 20 && told().iter().all(|reason| reason.ends_with("list.txt: spring")), "{:?}", told());
}

#[test]
fn what_one_host_exports_another_one_imports() {
    let Some((_bed, here)) = started(&Policy::default()) else { return };
    for ban in [
        &["ban", "203.0.113.9"][..],
        &["ban", "203.0.113.9"],
        &["ban", "203.0.113.10", "--for", "1h"],
        &["ban", "203.0.113.11", "--permanent"],
        &["ban", "198.51.100.0/24", "--for", "2h"],
        &["ban", "2001:db8:1::1", "--for", "3h"],
        &["ban", "2001:db8:2::/48", "--permanent"],
    ] {
        assert_eq!(here.call(ban).unwrap().code, 0);
    }
    let exported = exported(&here);
    assert_eq!(exported.len(), 6);
    assert_eq!(exported[0]["level"], 2);
    let lines: String = exported.iter().map(|line| format!("{line}\n")).collect();

    let Some((_bed, mut there)) = started(&Policy::default()) else { return };
    assert_eq!(there.call(&["ban", "203.0.113.10", "--for", "1d"]).unwrap().code, 0);
    let file = write(&there, "bans.json", &lines);
    let outcome = there.call(&["import", &file]).unwrap();
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "5 bans imported\n1 kept: banned as long or longer already\n")
    );
    let arrived = self::exported(&there);
    assert_eq!(arrived.len(), 6);
    for (left, came) in exported.iter().zip(&arrived).filter(|(left, _)| left["source"] != "203.0.113.10") {
        for time in ["since", "until"] {
            assert!(about(&left[time], &came[time]), "{time}: {left} {came}");
        }
        let rest = |ban: &Value| ["source", "level", "origin", "evidence"].map(|key| ban[key].clone());
        assert_eq!(rest(left), rest(came));
    }
    assert_eq!(there.json(&["ban", "203.0.113.9", "--json"]).unwrap()["banned"]["level"], 3, "the ladder came along");

    // Without an agent, too: all of it is there already.
    there.kill9();
    let outcome = there.call(&["import", &file]).unwrap();
    let expected = "0 bans imported\n6 kept: banned as long or longer already\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, expected), "{}", outcome.stderr);
    assert_eq!(there.call(&["unban", "--all"]).unwrap().code, 0);
    assert_eq!(self::exported(&there).len(), 0);
    assert_eq!(there.call(&["import", &file]).unwrap().stdout, "6 bans imported\n");
    let list = there.call(&["export", "--format", "list"]).unwrap().stdout;
    let expected = "203.0.113.9\n203.0.113.10\n203.0.113.11\n2001:db8:1::/64\n198.51.100.0/24\n2001:db8:2::/48\n";
    assert_eq!(list, expected);
    let sets = there.call(&["export", "--format", "ipset"]).unwrap().stdout;
    assert!(sets.contains("add sip-fw-4 203.0.113.11 timeout 0\n"), "{sets}");
    assert_eq!(there.call(&["export", "--format", "list", "--ended"]).unwrap().code, 2);
    assert_eq!(there.call(&["unban", "--all"]).unwrap().code, 0);
    assert_eq!(there.call(&["import", &write(&there, "sets", &sets)]).unwrap().stdout, "6 bans imported\n");
}

#[test]
fn what_would_hurt_this_host_is_refused_and_the_rest_goes_in() {
    let extra = "[[access]]\nname = \"carrier\"\nfrom = \"198.51.100.0/24\"\naction = \"trust\"\n";
    let Some((bed, agent)) = started(&Policy { extra: extra.to_owned(), ..Policy::default() }) else { return };
    let own = bed.pbx.address(Family::V4);
    let list = format!("203.0.113.9\n{own}\n198.51.100.7\n0.0.0.0/0\n224.0.0.1\n2001:db8::1/128\n2001:db8::/80\n");
    let file = write(&agent, "list", &list);
    let rehearsed = agent.call(&["import", &file, "--for", "1h", "--dry-run"]).unwrap();
    assert_eq!((rehearsed.code, rehearsed.stdout.as_str()), (5, "2 bans would be imported\n5 refused\n"));
    assert_eq!(exported(&agent).len(), 0);

    let Outcome { code, stdout, stderr } = agent.call(&["import", &file, "--for", "1h"]).unwrap();
    assert_eq!((code, stdout.as_str()), (5, "2 bans imported\n5 refused\n"), "{stderr}");
    for reason in [
        &format!("refused {own}: {own} contains {own}, an address of this host"),
        "refused 198.51.100.7: 198.51.100.7 is trusted: access rule \"carrier\" says so",
        "refused 0.0.0.0/0: 0.0.0.0/0 is wider than /8",
        "refused 224.0.0.1: 224.0.0.1 contains multicast addresses",
        "refused 2001:db8::/80: 2001:db8::/80: IPv6 sources count as their /64",
    ] {
        assert!(stderr.contains(reason), "nothing about {reason}:\n{stderr}");
    }
    let banned: Vec<_> = exported(&agent).iter().map(|ban| ban["source"].as_str().unwrap().to_owned()).collect();
    assert_eq!(banned, ["203.0.113.9", "2001:db8::/64"]);

    let inside = Tap::inside(&bed.pbx).unwrap();
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    for source in ["203.0.113.9:5060", "198.51.100.7:5060"] {
        spoofer.junk_credentials(source.parse().unwrap(), "1000").unwrap();
    }
    inside.wait("the trusted source", |seen| !seen.is_empty()).unwrap();
    assert!(inside.seen().unwrap().iter().all(|message| message.source.ip().to_string() == "198.51.100.7"));
}

#[test]
fn a_faulty_file_changes_nothing_unless_its_faults_are_skipped() {
    let Some((_bed, agent)) = started(&Policy::default()) else { return };
    let file = write(&agent, "list", "203.0.113.9\nhost.example\n203.0.113.10\n");
    let faulty = agent.call(&["import", &file, "--permanent"]).unwrap();
    assert_eq!(faulty.code, 2, "{}", faulty.stderr);
    for part in ["list:2: found \"host.example\"; allowed: an address or a prefix", "--skip-faulty"] {
        assert!(faulty.stderr.contains(part), "nothing about {part}:\n{}", faulty.stderr);
    }
    let undated = agent.call(&["import", &file, "--skip-faulty"]).unwrap();
    assert_eq!(undated.code, 2);
    assert!(undated.stderr.contains("list:1: says no deadline; say how long to ban"), "{}", undated.stderr);
    assert_eq!(exported(&agent).len(), 0);
    let skipped = agent.call(&["import", &file, "--permanent", "--skip-faulty"]).unwrap();
    assert_eq!((skipped.code, skipped.stdout.as_str()), (0, "2 bans imported\n1 skipped: not understood\n"));
    assert_eq!(exported(&agent).len(), 2);
    assert_eq!(agent.call(&["import", "/nowhere"]).unwrap().code, 2);
}

#[test]
fn a_full_table_says_what_to_raise_and_leaves_room_for_new_bans() {
    let extra = "[limits]\nbans = 1024\nban_prefixes = 16\n".to_owned();
    let Some((_bed, mut agent)) = started(&Policy { extra, ..Policy::default() }) else { return };
    let addresses: String = (0..2000).map(|n| format!("100.64.{}.{}\n", n / 250, n % 250)).collect();
    let full = agent.call(&["import", &write(&agent, "list", &addresses), "--for", "1h"]).unwrap();
    assert_eq!((full.code, full.stdout.as_str()), (1, "750 bans imported\n"), "{}", full.stderr);
    let said = "the ban table holds 750 of 1024 bans, and an import leaves a quarter to new ones; 1250 bans are left: \
                set [limits] bans = 4096 and start the agent anew";
    assert!(full.stderr.contains(said), "{}", full.stderr);
    assert_eq!(agent.call(&["ban", "203.0.113.9"]).unwrap().code, 0);

    let prefixes: String = (0..20).map(|n| format!("198.18.{n}.0/24\n")).collect();
    let file = write(&agent, "prefixes", &prefixes);
    let full = agent.call(&["import", &file, "--for", "1h"]).unwrap();
    assert_eq!((full.code, full.stdout.as_str()), (1, "16 bans imported\n"), "{}", full.stderr);
    assert!(full.stderr.contains("4 bans are left: set [limits] ban_prefixes = 2048"), "{}", full.stderr);
    agent.kill9();
    let full = agent.call(&["import", &file, "--for", "2h"]).unwrap();
    assert_eq!((full.code, full.stdout.as_str()), (1, "16 bans imported\n"), "{}", full.stderr);
}

#[test]
fn dumps_of_other_tools_are_understood() {
    let Some((_bed, agent)) = started(&Policy::default()) else { return };
    let data =
        |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/bulk").join(name).display().to_string();
    for (name, arguments, said) in [
        ("fail2ban-banned.txt", &["--for", "1h"][..], "4 bans imported\n"),
        ("fail2ban-banip.txt", &[], "1 bans imported\n3 left out: over already\n"),
        ("fail2ban.sqlite3", &[], "1 bans imported\n2 left out: over already\n"),
        ("ipset.txt", &["--permanent", "--skip-faulty"], "4 bans imported\n4 skipped: not understood\n"),
    ] {
        let outcome = agent.call(&[&["import", &data(name)], arguments].concat()).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, said), "{name}: {}", outcome.stderr);
        assert_eq!(agent.call(&["unban", "--all"]).unwrap().code, 0);
    }
}

fn exported(agent: &Agent) -> Vec<Value> {
    let outcome = agent.call(&["export"]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether two times, or two nulls, are the same but for what clocks differ.
fn about(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_str(), other.as_str()) else { return one == other };
    let ms = |text: &str| text.parse::<sip_fw_core::time::Timestamp>().unwrap().unix_ms;
    ms(one).abs_diff(ms(other)) < ABOUT_MS
}

fn write(agent: &Agent, name: &str, text: &str) -> String {
    let file = agent.folder().join(name);
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn started(policy: &Policy) -> Option<(Bed, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let agent = Agent::start(binary, &bed, policy).unwrap();
    Some((bed, agent))
}
