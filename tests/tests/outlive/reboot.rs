//! After a reboot everything is in force again before the agent says that it is ready.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use sip_fw_agent::clock;
use sip_fw_agent::kernel::Tables;
use sip_fw_agent::store::{BanRow, Changes, Store, StoreRules};
use sip_fw_common::abi::{BanOrigin, Evidence, Text};
use sip_fw_core::time::{Timestamp, Until};
use sip_fw_e2e::actors::{Phone, Registration};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::ACCOUNTS;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Family, Policy, over_both_families};

use super::stage::{THRESHOLD, guess_until_banned, guesser_at, long_bans, protected, reboot, shout};

const BANS: u32 = 100_000;
/// What so many bans add to a start, in time of a processor: other tests keep them busy meanwhile. The rest, about a second, is the
/// kernel's look at the programs.
const ADDED: Duration = Duration::from_secs(1);

over_both_families!(bans_peers_and_the_ladder_outlive_a_reboot);

fn bans_peers_and_the_ladder_outlive_a_reboot(family: Family) {
    let policy = Policy { ladder: vec!["1s", "1h", "1d"], ..Policy::default() };
    let Some((_registrar, mut scene)) = protected(&policy) else { return };
    let (attacker, other) = (scene.bed.attacker.address(family), scene.bed.spoofer.address(family));
    let mut phone = Phone::new(
        &scene.bed.office,
        scene.bed.office.address(family),
        scene.bed.pbx.sip(family),
        Transport::Udp,
        ACCOUNTS[1],
    )
    .unwrap();
    assert_eq!(phone.register(), Registration::Done);
    let mut guesser = guesser_at(&scene, attacker, family);
    assert_eq!(guess_until_banned(&mut guesser), THRESHOLD as u64);
    let ban = |arguments: &[&str]| assert_eq!(scene.agent.call(arguments).unwrap().code, 0);
    ban(&["ban", &source_name(other), "--permanent"]);
    ban(&["ban", "203.0.113.0/24", "--for", "1h"]);
    wait_for("the known peer", PATIENCE, || scene.agent.peers().is_ok_and(|peers| peers.len() == 1)).unwrap();
    wait_for("the first ban to be over", PATIENCE, || !scene.agent.has_banned(&source_name(attacker)).unwrap())
        .unwrap();
    let peers = scene.agent.peers().unwrap();
    let events = |scene: &sip_fw_e2e::Scene| {
        let said = scene.agent.call(&["events", "--since", "1h", "--json"]).unwrap().stdout;
        said.lines().filter(|line| line.contains("\"ban\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    let told = events(&scene);
    assert_eq!(told.len(), 3, "{told:?}");

    scene.agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
    reboot(&scene.agent, &scene.bed.pbx);
    scene.agent.restart().unwrap();

    let mut bans: Vec<_> =
        scene.agent.bans().unwrap().into_iter().map(|ban| (ban.source, ban.until.is_none())).collect();
    bans.sort();
    let mut expected = vec![("203.0.113.0/24".to_owned(), false), (source_name(other), true)];
    expected.sort();
    assert_eq!(bans, expected);
    let kinds = |rows: &[sip_fw_e2e::agent::PeerRow]| {
        rows.iter().map(|row| (row.source.clone(), row.user.clone())).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&scene.agent.peers().unwrap()), kinds(&peers));
    assert_eq!(events(&scene), told, "what was told is still there");
    // A hash of the user is under the same secret: his bad password is a device's, and bans nobody.
    let page = scene.agent.json(&["explain", &source_name(attacker), "--json"]).unwrap();
    assert!(page.to_string().contains("\"1000\""), "who was tried is still known: {page}");

    // The ladder remembers: the next ban of the attacker is the second.
    let mut guesser = guesser_at(&scene, attacker, family);
    assert_eq!(guess_until_banned(&mut guesser), THRESHOLD as u64);
    shout(&scene, &mut guesser, attacker);
    wait_for("the second ban", PATIENCE, || scene.agent.has_banned(&source_name(attacker)).unwrap()).unwrap();
    let level = scene.agent.bans().unwrap().into_iter().find(|ban| ban.source == source_name(attacker)).unwrap().level;
    assert_eq!(level, Some(2));
}

#[test]
fn a_hundred_thousand_bans_are_in_force_before_the_agent_is_ready() {
    let policy = Policy { extra: "[limits]\nbans = 131072\n".to_owned(), ..long_bans() };
    let Some((_registrar, mut scene)) = protected(&policy) else { return };
    let alone = scene.agent.processor_time().unwrap();
    scene.agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
    reboot(&scene.agent, &scene.bed.pbx);
    let attacker = scene.bed.attacker.nth(Family::V4, 9);
    fill(&scene.agent.folder().join("state"), attacker);
    assert!(scene.agent.store().exists());

    let socket = scene.agent.folder().join("notify.sock");
    let notified = UnixDatagram::bind(&socket).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    let began = Instant::now();
    scene.agent.set_environment("NOTIFY_SOCKET", socket.to_str().unwrap());
    scene.agent.begin().unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = notified.recv(&mut buffer).unwrap();
        if String::from_utf8_lossy(&buffer[..length]).contains("READY=1") {
            break;
        }
    }
    let (took, worked) = (began.elapsed(), scene.agent.processor_time().unwrap());
    let tables = Tables::open(scene.agent.pins()).unwrap();
    let now_ns = sip_fw_agent::kernel::now_ns();
    let in_force = tables.bans().unwrap().iter().filter(|(_, ban)| ban.until_ns > now_ns).count();
    assert_eq!(in_force, BANS as usize + 1);
    println!(
        "{BANS} bans in force again after {:.2} s on the clock, {:.2} s of a processor; {:.2} s without bans",
        took.as_secs_f64(),
        worked.as_secs_f64(),
        alone.as_secs_f64()
    );
    assert!(worked < alone + ADDED, "{worked:?}, without bans {alone:?}");
    scene.agent.wait_until_ready().unwrap();
    let before = scene.counted(attacker).requests;
    let mut guesser = guesser_at(&scene, attacker, Family::V4);
    assert_eq!(guess_until_banned(&mut guesser), 0);
    assert!(scene.sent_by(attacker) > 0);
    assert_eq!(scene.counted(attacker).requests, before);
}

/// A store with many bans, one of them of `attacker`.
fn fill(state: &std::path::Path, attacker: IpAddr) {
    let rules = StoreRules { keep: Duration::from_secs(86_400), bytes_max: 1 << 30 };
    let (store, _) = Store::open(state, rules).unwrap();
    let now = clock::wall();
    let row = |source: String| BanRow {
        source,
        since: now,
        until: Until::At(Timestamp { unix_ms: now.unix_ms + 3_600_000 }),
        level: 3,
        origin: BanOrigin::Failures,
        evidence: Evidence::Proven,
        service: Some("sip".to_owned()),
        strikes: 5,
        user: Text::EMPTY,
        user_agent: Text::EMPTY,
        packets: 0,
        bytes: 0,
    };
    let sources = (0..BANS).map(|n| Ipv4Addr::from_bits(0x6440_0000 + n).to_string()).chain([attacker.to_string()]);
    store.remember(Changes {
        bans: sources.map(|source| (source.clone(), Some(row(source)))).collect(),
        ..Changes::default()
    });
    wait_for("the bans to be written", PATIENCE, || store.view().waiting == 0).unwrap();
    drop(store);
}
