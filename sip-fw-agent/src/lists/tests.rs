//! Everything together: against servers of their own, on files that change, over restarts.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;

use super::pace::Pace;
use super::test_dns::{self, Say};
use super::*;
use crate::config::{FeedFormat, FeedRules, Origin};
use crate::http::Roots;
use crate::http::test_server::{self as test_http, answer};

const HURRY: Pace = Pace {
    look: Duration::from_millis(15),
    ttl_min: Duration::from_millis(30),
    ttl_max: Duration::from_secs(3600),
    host_retry_min: Duration::from_millis(30),
    host_retry_max: Duration::from_millis(60),
    lookup_max: Duration::from_millis(400),
    feed_retry_min: Duration::from_millis(30),
    connect_max: Duration::from_millis(500),
    fetch_max: Duration::from_millis(500),
};
/// Longer than any test takes, so that a test that waits for what never comes ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of its own for a test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sip-fw-lists-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn lists(&self) -> Lists {
        Lists::with(&self.0, HURRY, Roots::System)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A thread may be writing into it just now.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn feed(name: &str, url: String, interval_ms: u64) -> FeedRules {
    let interval = Duration::from_millis(interval_ms);
    FeedRules { name: name.to_owned(), url, interval, format: FeedFormat::Auto, max_bytes: 10_000 }
}

fn feeds(feeds: &[FeedRules]) -> Wanted {
    Wanted { feeds: feeds.to_vec(), ..Wanted::default() }
}

fn host(name: &str, server: SocketAddr) -> Wanted {
    Wanted { hosts: [name.to_owned()].into(), dns_servers: vec![server], ..Wanted::default() }
}

fn shown(snapshot: &Snapshot, origin: &Origin) -> String {
    snapshot.nets(origin).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

async fn start(folder: &Folder, wanted: Wanted) -> Lists {
    let mut lists = folder.lists();
    let prepared = lists.memory().prepare(wanted, PATIENCE).await.unwrap();
    lists.adopt(prepared);
    lists
}

/// Waits for a change whose line contains a text.
async fn told(lists: &mut Lists, text: &str) -> String {
    let mut lines = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Ok(changes) = tokio::time::timeout_at(deadline, lists.changed()).await {
        lines.extend(changes.iter().map(ToString::to_string));
        if let Some(line) = lines.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
    }
    panic!("{text:?} was not told, but: {lines:#?}");
}

/// Turns the lists until a condition holds.
async fn until(lists: &mut Lists, what: &str, mut holds: impl FnMut(&Lists) -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds(lists) {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come true");
        let _ = tokio::time::timeout(Duration::from_millis(10), lists.changed()).await;
    }
}

#[tokio::test]
async fn a_feed_over_its_life() {
    let folder = Folder::new();
    let server = test_http::Server::http(|head| {
        let is_known = head.contains("\r\nif-none-match: \"1\"\r\nif-modified-since: sun, 01 nov 2026");
        if is_known {
            answer("304 Not Modified", "", "")
        } else {
            let headers = "ETag: \"1\"\r\nLast-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n";
            answer("200 OK", headers, "203.0.113.9\n198.51.100.0/25 # x\n198.51.100.128/25\n0.0.0.0/0\nx\n")
        }
    });
    let origin = Origin::Feed("f".to_owned());
    let mut lists = start(&folder, feeds(&[feed("f", server.url("/list"), 50)])).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "198.51.100.0/24 203.0.113.9/32");
    let note = lists.snapshot().entry(&origin).unwrap().note.clone().unwrap();
    assert!(note.contains("skipped 1 of 5") && note.contains("the first is 0.0.0.0/0"), "{note}");
    assert!(server.requests()[0].starts_with("get /list http/1.1\r\n"));
    assert!(server.requests()[0].contains(concat!("\r\nuser-agent: sip-fw/", env!("CARGO_PKG_VERSION"), "\r\n")));
    assert!(!server.requests()[0].contains("accept-encoding"), "{}", server.requests()[0]);

    let first = lists.snapshot().entry(&origin).unwrap().as_of;
    until(&mut lists, "an answer of 304", |lists| lists.snapshot().entry(&origin).unwrap().as_of > first).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "198.51.100.0/24 203.0.113.9/32");

    server.now_says(|_| answer("500 Internal Server Error", "", "203.0.113.1\n"));
    let line = told(&mut lists, "the server answers 500 Internal Server Error").await;
    assert!(line.ends_with("; the 2 prefixes known last stay in force"), "{line}");
    server.now_says(|_| answer("200 OK", "", "<html>\n<p>Sorry\n</html>\n"));
    until(&mut lists, "the page is refused", |lists| {
        lists.snapshot().entry(&origin).unwrap().trouble.as_ref().is_some_and(|why| why.contains("is no list"))
    })
    .await;
    assert_eq!(shown(&lists.snapshot(), &origin), "198.51.100.0/24 203.0.113.9/32");
    server.now_says(|_| answer("200 OK", "", "{\"ipaddress\":[\"203.0.113.7\"],\"ID\":\"1\"}"));
    assert_eq!(told(&mut lists, "before").await, "feed:f: 1 prefix, 2 before");
    assert_eq!(shown(&lists.snapshot(), &origin), "203.0.113.7/32");
    assert_eq!(lists.snapshot().entry(&origin).unwrap().trouble, None);
}

#[tokio::test]
async fn an_outage_keeps_the_feed_over_a_restart() {
    let folder = Folder::new();
    let server = test_http::Server::http(|_| answer("200 OK", "ETag: \"a\"\r\n", "203.0.113.9\n"));
    let wanted = feeds(&[feed("f", server.url("/"), 3_600_000)]);
    let origin = Origin::Feed("f".to_owned());
    drop(start(&folder, wanted.clone()).await);

    let lists = start(&folder, wanted.clone()).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "203.0.113.9/32");
    assert_eq!(server.requests().len(), 1, "its interval is not over");
    drop(lists);

    let kept: Vec<_> = fs::read_dir(folder.0.join("lists")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let old = std::time::SystemTime::now() - Duration::from_secs(9_000);
    fs::File::options().append(true).open(&kept[0]).unwrap().set_modified(old).unwrap();
    server.now_says(|_| answer("503 Service Unavailable", "", ""));
    let mut lists = start(&folder, wanted.clone()).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "203.0.113.9/32");
    told(&mut lists, "503 Service Unavailable; the 1 prefix known last stay").await;
    assert!(server.requests()[1].contains("\r\nif-none-match: \"a\"\r\n"));
    drop(server);
    let lists = start(&folder, wanted.clone()).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "203.0.113.9/32");

    let mut elsewhere = wanted;
    elsewhere.feeds[0].url = "http://127.0.0.1:1/".to_owned();
    let prepared = lists.memory().prepare(elsewhere, PATIENCE).await.unwrap();
    assert_eq!(shown(&prepared.snapshot(), &origin), "", "another address is another list");
    assert_eq!(shown(&lists.snapshot(), &origin), "203.0.113.9/32", "nothing in force was touched");
}

#[tokio::test]
async fn patience_is_for_all_together() {
    let folder = Folder::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let slow = test_http::Server::http(|_| test_http::Say::Drip("HTTP/1.1 200 OK\r\n\r\n".to_owned()));
    let good = test_http::Server::http(|_| answer("200 OK", "", "203.0.113.9\n"));
    let mut wanted = host("a.example", silent.local_addr().unwrap());
    wanted.hosts.insert("b.example".to_owned());
    wanted.feeds = vec![feed("slow", slow.url("/"), 3_600_000), feed("good", good.url("/"), 3_600_000)];
    let mut lists = folder.lists();
    let began = Instant::now();
    let patience = Duration::from_millis(250);
    let prepared = lists.memory().prepare(wanted.clone(), patience).await.unwrap();
    assert!((patience..patience * 8).contains(&began.elapsed()), "{:?}", began.elapsed());
    let snapshot = prepared.snapshot();
    assert_eq!(snapshot.iter().count(), 4);
    assert_eq!(shown(&snapshot, &Origin::Feed("good".to_owned())), "203.0.113.9/32");
    for late in [Origin::Host("a.example".to_owned()), Origin::Feed("slow".to_owned())] {
        let entry = snapshot.entry(&late).unwrap();
        assert!(entry.nets.is_empty() && entry.as_of.is_none());
        assert!(entry.trouble.as_ref().is_some_and(|why| why.starts_with("no answer yet")), "{entry:?}");
    }
    lists.adopt(prepared);
    slow.now_says(|_| answer("200 OK", "", "198.51.100.1\n"));
    told(&mut lists, "feed:slow: 1 prefix, 0 before").await;
    let asked = good.requests().len();
    lists.memory().prepare(wanted, Duration::ZERO).await.unwrap();
    assert_eq!(good.requests().len(), asked, "what is known is not asked for again");
}

#[tokio::test]
async fn a_name_over_its_life() {
    let folder = Folder::new();
    let server = test_dns::Server::start();
    let origin = Origin::Host("pbx.example".to_owned());
    let says = |say| server.now_says("pbx.example", say);
    says(Say::Addresses(vec!["192.0.2.2", "192.0.2.3", "2001:db8::1"], 0));
    let mut lists = start(&folder, host("pbx.example", server.address)).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "192.0.2.2/31 2001:db8::1/128");

    says(Say::Alias("real.example", vec!["192.0.2.9"]));
    assert_eq!(told(&mut lists, "before").await, "pbx.example: 1 prefix, 2 before");
    // That of the alias is 1 s.
    says(Say::Code(ResponseCode::NXDomain));
    let line = told(&mut lists, "NXDOMAIN").await;
    assert!(line.ends_with("the 1 prefix known last stay in force"), "{line}");
    says(Say::Code(ResponseCode::ServFail));
    until(&mut lists, "another reason", |lists| {
        lists.snapshot().entry(&origin).unwrap().trouble.as_ref().is_some_and(|why| why.contains("cannot say"))
    })
    .await;
    assert_eq!(shown(&lists.snapshot(), &origin), "192.0.2.9/32");
    says(Say::Addresses(vec!["192.0.2.9"], 0));
    assert_eq!(told(&mut lists, "again").await, "pbx.example: works again, 1 prefix");
    says(Say::Addresses(vec!["2001:db8::7"], 0));
    told(&mut lists, "1 prefix, 1 before").await;
    assert_eq!(shown(&lists.snapshot(), &origin), "2001:db8::7/128");

    let file = folder.0.join("lists/hosts.json");
    until(&mut lists, "the file", |_| fs::read_to_string(&file).is_ok_and(|text| text.contains("2001:db8::7"))).await;
    drop((lists, server));
    let mut lists = start(&folder, host("pbx.example", "127.0.0.1:1".parse().unwrap())).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "2001:db8::7/128");
    told(&mut lists, "known last stay in force").await;
    lists.adopt(Prepared::default());
    until(&mut lists, "the empty file", |_| fs::read_to_string(&file).is_ok_and(|text| !text.contains("pbx"))).await;
    assert_eq!(lists.snapshot(), Snapshot::default());
}

#[tokio::test]
async fn silent_name_servers_are_a_failure() {
    let folder = Folder::new();
    let server = test_dns::Server::start();
    server.now_says("pbx.example", Say::Silence);
    let lists = start(&folder, host("pbx.example", server.address)).await;
    let snapshot = lists.snapshot();
    let entry = snapshot.entry(&Origin::Host("pbx.example".to_owned())).unwrap();
    assert!(entry.trouble.as_ref().is_some_and(|why| why.starts_with("no answer from the name servers")), "{entry:?}");
}

#[tokio::test]
async fn files_change() {
    let folder = Folder::new();
    let path = folder.write("list", "192.0.2.0/25\n");
    let origin = Origin::File(path.clone());
    let mut lists = start(&folder, Wanted { files: [path].into(), ..Wanted::default() }).await;
    assert_eq!(shown(&lists.snapshot(), &origin), "192.0.2.0/25");
    assert!(lists.snapshot().entry(&origin).unwrap().as_of.is_some());
    folder.write("list", "192.0.2.0/25\n192.0.2.128/25\n203.0.113.9\n");
    assert!(told(&mut lists, "before").await.ends_with("2 prefixes, 1 before"));
    folder.write("list", "192.0.2.0/25\nnone\n");
    let line = told(&mut lists, "line 2: \"none\" is neither").await;
    assert!(line.ends_with("; the 2 prefixes known last stay in force"), "{line}");
    assert_eq!(shown(&lists.snapshot(), &origin), "192.0.2.0/24 203.0.113.9/32");
    let new = folder.write("new", "203.0.113.9\n192.0.2.0/24\n");
    fs::rename(new, folder.0.join("list")).unwrap();
    assert!(told(&mut lists, "again").await.ends_with("works again, 2 prefixes"));
    assert_eq!(lists.snapshot().entry(&origin).unwrap().trouble, None);
}

#[tokio::test]
async fn every_fault_is_told() {
    let folder = Folder::new();
    let bad = folder.write("bad", "192.0.2.1\na\nb\n");
    let missing = folder.0.join("missing");
    let db = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb");
    let good = folder.write("good", "192.0.2.1\n");
    let faults = |wanted: Wanted| async {
        let faults = folder.lists().memory().prepare(wanted, Duration::ZERO).await.unwrap_err();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let wanted = Wanted {
        files: [bad.clone(), missing.clone(), good].into(),
        countries: ["JP", "XX", "jp"].map(str::to_owned).into(),
        country_db: Some(db.clone()),
        ..Wanted::default()
    };
    let told = faults(wanted.clone()).await;
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told[0].starts_with(&format!("file:{}: line 2: \"a\" is neither", bad.display())), "{told:#?}");
    assert!(told[1].starts_with(&format!("file:{}: line 3: \"b\" is neither", bad.display())));
    assert!(told[2].starts_with(&format!("file:{}: cannot be read: No such file", missing.display())));
    assert_eq!(told[3], format!("country:XX: {} has no network for it; it has DE, JP, US", db.display()));
    let told = faults(Wanted { files: [].into(), country_db: None, ..wanted.clone() }).await;
    assert_eq!(told, ["country:JP: no database: set country_db to the path of one like GeoLite2-Country.mmdb"]);
    let told = faults(Wanted { files: [].into(), country_db: Some(bad.clone()), ..wanted }).await;
    assert!(told[0].starts_with(&format!("country:JP: {} is no usable MaxMind database", bad.display())), "{told:?}");
}

#[tokio::test]
async fn countries_change_with_their_database() {
    let folder = Folder::new();
    let original = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb");
    let db = folder.0.join("db");
    fs::copy(&original, &db).unwrap();
    let countries = ["JP", "US"].map(str::to_owned).into();
    let mut lists = start(&folder, Wanted { countries, country_db: Some(db), ..Wanted::default() }).await;
    let [jp, us] = ["JP", "US"].map(|code| Origin::Country(code.to_owned()));
    assert_eq!(shown(&lists.snapshot(), &jp), "192.0.2.0/24 2001:db8:1::/48");
    assert_eq!(shown(&lists.snapshot(), &us), "203.0.113.0/24");
    folder.write("db", "damaged");
    assert!(told(&mut lists, "country:US").await.contains("is no usable MaxMind database"));
    assert_eq!(shown(&lists.snapshot(), &us), "203.0.113.0/24");
    // In its bytes the countries change places.
    let bytes = fs::read(&original).unwrap();
    let swapped = bytes.windows(2).position(|pair| pair == b"JP").unwrap();
    let mut bytes = bytes.clone();
    bytes[swapped..swapped + 2].copy_from_slice(b"CA");
    fs::write(folder.0.join("db"), bytes).unwrap();
    assert_eq!(told(&mut lists, "country:US: works again").await, "country:US: works again, 1 prefix");
    assert!(lists.snapshot().entry(&jp).unwrap().trouble.as_ref().is_some_and(|why| why.contains("any more")));
    assert_eq!(shown(&lists.snapshot(), &jp), "192.0.2.0/24 2001:db8:1::/48");
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_told_once() {
    let folder = Folder::new();
    folder.write("lists", "no folder");
    let server = test_http::Server::http(|_| answer("200 OK", "", "203.0.113.9\n"));
    let mut lists = start(&folder, feeds(&[feed("f", server.url("/"), 30)])).await;
    let line = told(&mut lists, "not kept on disk").await;
    assert!(line.starts_with("feed:f: not kept on disk: /") && line.contains("lists/feed-f-"), "{line}");
    let asked = server.requests().len();
    while server.requests().len() < asked + 3 {
        let next = tokio::time::timeout(Duration::from_millis(10), lists.changed()).await;
        assert!(next.is_err(), "told again: {next:?}");
    }
}

#[tokio::test]
async fn nothing_wanted_is_waited_for_without_end() {
    let folder = Folder::new();
    let mut lists = start(&folder, Wanted::default()).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), lists.changed()).await.is_err());
    assert!(!folder.0.join("lists").exists());
}
