//! The database against real files: what goes in comes back, and what breaks is told and healed.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::time::Instant;

use rusqlite::Connection;
use sip_fw_common::abi::{Ban, BanOrigin, Method, Peer, PeerKey, Strike, Strikes, Text, UNTIL_LIFTED_NS};
use sip_fw_core::record::EventName;
use sip_fw_core::text::pack;
use sip_fw_core::time::{Time, Timestamp, Until};

use super::*;

const RULES: StoreRules = StoreRules { keep: Duration::from_secs(90 * 86_400), bytes_max: 256 << 20 };
const PATIENCE: Duration = Duration::from_secs(20);

/// A state folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sip-fw-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn open(&self) -> (Store, Recalled) {
        Store::open(&self.0, RULES).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn services() -> Vec<String> {
    vec!["sip".to_owned(), "web".to_owned()]
}

fn now() -> Time {
    Time { kernel_ns: 10_000_000_000_000, wall: clock::wall() }
}

fn ban(until_ns: u64) -> Ban {
    Ban {
        packets: 7,
        bytes: 700,
        strikes: 5,
        level: 2,
        service: 1,
        user: pack("1000"),
        user_agent: Text { bytes: [0xff; sip_fw_common::limits::TEXT_BYTES] },
        ..Ban::new(BanOrigin::Failures, now().kernel_ns, until_ns)
    }
}

fn bans(count: u32, until_ns: u64) -> Changes {
    let row = |n: u32| {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string();
        (source.clone(), Some(BanRow::new(source, &ban(until_ns), &services(), now())))
    };
    Changes { bans: (0..count).map(row).collect(), ..Changes::default() }
}

fn record(n: i64) -> Arc<Record> {
    let time = Timestamp { unix_ms: clock::wall().unix_ms - 100_000 + n };
    let mut record = Record::new(time, EventName::Ban).because(format!("reason {n}"));
    record.source = Some("203.0.113.9".to_owned());
    record.strikes = Some(5);
    record.until = Some(Until::Lifted);
    Arc::new(record)
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn stored_events(folder: &Folder) -> Vec<Record> {
    let mut found = Vec::new();
    read_events(&Store::path_in(&folder.0), Page::everything(), |record| {
        found.push(record);
        true
    })
    .unwrap();
    found
}

#[test]
fn what_goes_in_comes_back() {
    let folder = Folder::new("round");
    let (store, recalled) = folder.open();
    assert!(recalled.bans.is_empty() && recalled.hash_seed.is_none());
    let until_ns = now().kernel_ns + 60_000_000_000;
    let key = PeerKey { source: sip_fw_common::abi::Source::v4(1), user: u64::MAX };
    let peer = Peer {
        first_ns: now().kernel_ns - 5_000_000_000,
        last_ns: now().kernel_ns - 1_000_000_000,
        tcp: 1,
        service: 1,
        method: Method::Invite as u8,
        _pad: [0; 5],
        user: pack("\"; DROP TABLE bans; --"),
    };
    let mut strikes = Strikes::NONE;
    strikes.ring[3] = Strike { time_ns: now().kernel_ns - 2_000_000_000, user: 9 };
    strikes.ring[4] = Strike { time_ns: now().kernel_ns - 900_000_000_000, user: 9 };
    let mut changes = bans(2, until_ns);
    changes.hash_seed = Some(u64::MAX - 1);
    let net = "198.51.100.0/24".to_owned();
    changes.bans.insert(net.clone(), Some(BanRow::new(net, &ban(UNTIL_LIFTED_NS), &services(), now())));
    changes.peers.insert(
        ("0.0.0.1".to_owned(), key.user),
        Some(PeerRow::new("0.0.0.1".to_owned(), key, &peer, &services(), now())),
    );
    changes.strikes.insert("0.0.0.1".to_owned(), StrikeRow::of("0.0.0.1", &strikes, 600_000_000_000, now()));
    store.remember(changes);
    store.remember(Changes { bans: HashMap::from([("10.0.0.0".to_owned(), None)]), ..Changes::default() });
    (1..=2000).for_each(|n| store.tell(n, &record(n)));
    drop(store);

    let (store, recalled) = folder.open();
    assert_eq!(store.news(), [""; 0]);
    assert_eq!((recalled.hash_seed, recalled.last_event), (Some(u64::MAX - 1), 2000));
    assert_eq!(recalled.bans.len(), 2, "one of three was removed");
    let row = recalled.bans.iter().find(|row| row.source == "10.0.0.1").unwrap();
    let back = row.ban(&services(), now());
    assert!(back.until_ns.abs_diff(until_ns) < 5_000_000_000, "{back:?}");
    assert_eq!(Ban { until_ns, since_ns: now().kernel_ns, ..back }, ban(until_ns));
    let row = recalled.bans.iter().find(|row| row.source == "198.51.100.0/24").unwrap();
    assert_eq!((row.until, row.ban(&[], now()).until_ns), (Until::Lifted, UNTIL_LIFTED_NS));
    let back = recalled.peers[0].peer(&services(), now());
    assert_eq!(recalled.peers[0].user_hash, key.user);
    assert_eq!(Peer { first_ns: peer.first_ns, last_ns: peer.last_ns, ..back }, peer);
    assert_eq!(recalled.strikes.len(), 1, "the other one is outside of the window");
    assert_eq!(recalled.recent.len(), 1000);
    let (number, last) = recalled.recent.last().unwrap();
    assert_eq!((*number, last), (2000, &Record { time: last.time, ..Record::clone(&record(2000)) }));
    assert_eq!(stored_events(&folder).len(), 2000);
}

#[test]
fn no_ban_lasts_longer_than_it_was_to_last() {
    let long_ago = Timestamp { unix_ms: 1_000_000 };
    let row = BanRow::new("10.0.0.1".to_owned(), &ban(now().kernel_ns + 60_000_000_000), &services(), now());
    // A host without a battery for its clock believes that it is 1970.
    let boot = Time { kernel_ns: 5_000_000_000, wall: long_ago };
    assert_eq!(row.ban(&services(), boot).until_ns, 65_000_000_000);
    let late = Time { kernel_ns: 5_000_000_000, wall: Timestamp { unix_ms: now().wall.unix_ms + 3_600_000 } };
    assert!(row.ban(&services(), late).until_ns <= late.kernel_ns);
}

#[test]
fn old_and_too_many_events_go() {
    let folder = Folder::new("bounds");
    let rules = StoreRules { keep: Duration::from_secs(50), bytes_max: 4 << 20 };
    let (store, _) = Store::open(&folder.0, rules).unwrap();
    let old = Arc::new(Record::new(Timestamp { unix_ms: clock::wall().unix_ms - 60_000 }, EventName::Ban));
    store.tell(1, &old);
    let now = Arc::new(Record::new(clock::wall(), EventName::Ban).because("x".repeat(400)));
    for n in 0..60_000 {
        store.tell(n + 2, &now);
        if n % 4000 == 3999 {
            wait("events to be written", || store.mailbox.has_no_events());
        }
    }
    drop(store);
    let found = stored_events(&folder);
    assert!(found.iter().all(|record| record.time == now.time) && found.len() > 1000, "{}", found.len());
    let size = fs::metadata(Store::path_in(&folder.0)).unwrap().len();
    assert!(size < 16 << 20, "{size}");
}

#[test]
fn a_broken_file_is_kept_aside_and_what_can_be_read_of_it_is_kept() {
    let folder = Folder::new("broken");
    let path = Store::path_in(&folder.0);
    let (store, _) = folder.open();
    store.remember(bans(5000, UNTIL_LIFTED_NS));
    drop(store);
    let (store, _) = folder.open();
    (1..=2000).for_each(|n| store.tell(n, &record(n)));
    drop(store);
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(database);
    let length = fs::metadata(&path).unwrap().len();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    // Pages in the middle of the bans, which were written first.
    file.seek(SeekFrom::Start(length / 4)).unwrap();
    file.write_all(&[0x5a; 3 * 4096]).unwrap();
    drop(file);

    let (store, recalled) = folder.open();
    let news = store.news();
    assert!(news.iter().any(|said| said.contains("is kept as")), "{news:?}");
    assert!(store.wants_everything() && !store.wants_everything());
    let kept = recalled.bans.len();
    // Three pages hold some thirty rows each; one of the few that lead to others takes those with it.
    assert!((3000..5000).contains(&kept), "{kept} of 5000");
    let aside = fs::read_dir(&folder.0)
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("state.db.corrupt-"));
    assert!(aside);
    // The tables know better.
    store.remember(bans(5000, UNTIL_LIFTED_NS));
    drop(store);
    assert_eq!(folder.open().1.bans.len(), 5000);
}

#[test]
fn no_database_at_all_is_kept_aside_too() {
    let folder = Folder::new("nonsense");
    fs::write(Store::path_in(&folder.0), "precious nonsense, longer than the header of a database".repeat(9)).unwrap();
    let (store, recalled) = folder.open();
    assert!(recalled.bans.is_empty());
    assert!(store.news().iter().any(|said| said.contains("is kept as")));
    store.remember(bans(1, UNTIL_LIFTED_NS));
    drop(store);
    assert_eq!(folder.open().1.bans.len(), 1);
}

#[test]
fn a_later_schema_is_left_alone_and_said() {
    let folder = Folder::new("newer");
    let path = Store::path_in(&folder.0);
    drop(folder.open());
    wait("the schema", || path.exists());
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let (store, _) = folder.open();
    wait("trouble", || store.view().trouble.is_some());
    let view = store.view();
    assert!(view.state == "degraded" && view.trouble.unwrap().contains("version 99"));
    store.remember(bans(3, UNTIL_LIFTED_NS));
    drop(store);
    let database = Connection::open(&path).unwrap();
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn what_cannot_be_written_waits() {
    let folder = Folder::new("waits");
    let state = folder.0.join("state");
    // A file where the folder should be.
    fs::write(&state, "").unwrap();
    let (store, _) = Store::open(&state, RULES).unwrap();
    store.remember(bans(10, UNTIL_LIFTED_NS));
    (1..=10_000).for_each(|n| store.tell(n, &record(n)));
    wait("trouble", || store.view().trouble.is_some());
    assert_eq!(store.news().len(), 1, "said once");
    assert!(store.view().events_lost > 0);
    fs::remove_file(&state).unwrap();
    wait("recovery", || store.view().trouble.is_none());
    wait("news", || store.news().iter().any(|said| said.contains("works again")));
    drop(store);
    let (_store, recalled) = Store::open(&state, RULES).unwrap();
    assert_eq!((recalled.bans.len(), recalled.last_event), (10, 10_000));
}
