//! Tests of the configuration: every key, and the exact text of every fault.

mod access;
mod alerts;
mod feeds;

use std::path::Path;
use std::time::Duration;

use sip_fw_common::abi::ServiceKind;

use super::*;

const EVERY_KEY: &str = r#"
interfaces = ["eth0", "eth1"]
mode = "observe"
ipv6_prefix = 56
on_exit = "detach"
country_db = "/srv/countries.mmdb"
dns_servers = ["192.0.2.53", "[2001:db8::53]:5353", "192.0.2.54:5354"]
[paths]
pins = "/sys/fs/bpf/other"
state = "/srv/sip-fw"
socket = "/run/other.sock"
[[service]]
name = "sip"
kind = "sip"
listen = ["udp/5060", "tcp/5060", "udp/10000-10002"]
refusal = "challenge"
default = "deny"
[[service]]
name = "web"
kind = "opaque"
listen = ["tcp/443"]
default = "allow"
[[access]]
name = "office"
from = ["203.0.113.0/24", "own"]
to = ["web", "sip"]
action = "trust"
[[access]]
name = "blocklist"
from = "feed:block"
action = "deny"
[[feed]]
name = "block"
url = "https://lists.example/block.txt"
interval = "2h"
format = "lines"
max_size = 1024
[ban]
threshold = 3
window = "5m"
ladder = ["30s", "1h"]
decay = "1w"
known_peer = "2d"
scope = "host"
[limits]
bans = 2048
ban_prefixes = 16
sources = 4096
strikes = 8192
transactions = 16384
nonces = 32768
peers = 4096
prefixes = 1024
[metrics]
listen = "[::1]:9469"
[control]
group = "voice"
group_may_change = true
"#;

fn faults(text: &str) -> Vec<String> {
    match parse(Path::new("x.toml"), text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn every_key() {
    let config = parse(Path::new("x.toml"), EVERY_KEY).unwrap();
    assert_eq!(config.interfaces, named(&["eth0", "eth1"]));
    assert_eq!((config.mode, config.on_exit, config.ipv6.len()), (Mode::Observe, OnExit::Detach, 56));
    assert_eq!(config.paths.pins, Path::new("/sys/fs/bpf/other"));
    assert_eq!(config.paths.state, Path::new("/srv/sip-fw"));
    assert_eq!(config.paths.socket, Path::new("/run/other.sock"));
    assert_eq!(config.service_names(), ["sip", "web"]);
    assert_eq!(config.services[1].kind, ServiceKind::Opaque);
    let ports: Vec<_> = config.ports();
    assert_eq!(
        ports,
        [(false, 5060, 0), (true, 5060, 0), (false, 10_000, 0), (false, 10_001, 0), (false, 10_002, 0), (true, 443, 1),]
    );
    assert_eq!(config.ban.ladder, [Duration::from_secs(30), Duration::from_secs(3600)]);
    let settings = config.settings();
    assert_eq!(settings.window_ns, 300_000_000_000);
    assert_eq!(settings.decay_ns, 604_800_000_000_000);
    assert_eq!(settings.known_peer_ns, 172_800_000_000_000);
    assert_eq!(settings.ladder_ns[..3], [30_000_000_000, 3_600_000_000_000, 0]);
    assert_eq!(settings.ipv6_mask, 0xffff_ffff_ffff_ff00);
    assert_eq!((settings.threshold, settings.ladder_steps), (3, 2));
    assert_eq!((settings.observe, settings.scope_host), (1, 1));
    let limits = config.limits;
    assert_eq!((limits.bans, limits.ban_prefixes, limits.sources), (2048, 16, 4096));
    assert_eq!((limits.strikes, limits.transactions, limits.nonces), (8192, 16_384, 32_768));
    assert_eq!(config.prefixes_max, 1024);
    assert_eq!(config.service_defaults(), [DefaultAction::Deny, DefaultAction::Allow]);
    assert_eq!(config.country_db.as_deref(), Some(Path::new("/srv/countries.mmdb")));
    let servers = ["192.0.2.53:53", "[2001:db8::53]:5353", "192.0.2.54:5354"].map(|server| server.parse().unwrap());
    assert_eq!(config.dns_servers, servers);
    let office = AccessRule {
        line: 23,
        name: "office".to_owned(),
        from: vec![Origin::Net("203.0.113.0/24".parse().unwrap()), Origin::Own],
        to: Some(vec![0, 1]),
        action: AccessAction::Trust,
    };
    let blocklist = AccessRule {
        line: 28,
        name: "blocklist".to_owned(),
        from: vec![Origin::Feed("block".to_owned())],
        to: None,
        action: AccessAction::Deny,
    };
    assert_eq!(config.access, [office, blocklist]);
    let block = FeedRules {
        name: "block".to_owned(),
        url: "https://lists.example/block.txt".to_owned(),
        interval: Duration::from_secs(7200),
        format: FeedFormat::Lines,
        max_bytes: 1024,
    };
    assert_eq!(config.feeds, [block]);
    assert_eq!(config.metrics, Some("[::1]:9469".parse().unwrap()));
    let voice = ControlRules { group: "voice".to_owned(), is_explicit: true, group_may_change: true };
    assert_eq!(config.control, voice);
}

#[test]
fn addresses_of_metrics_and_groups() {
    let found = |table: &str| faults(&format!("interfaces = [\"eth0\"]\n{table}"));
    let address = "allowed: an address of this host with a port, such as 127.0.0.1:9469 or [::1]:9469";
    for wrong in ["9469", "127.0.0.1", "127.0.0.1:0", "localhost:9469", "::1:9469", "224.0.0.1:9469", ""] {
        let expected = format!("x.toml:3: metrics.listen: found {wrong:?}; {address}");
        assert_eq!(found(&format!("[metrics]\nlisten = {wrong:?}")), [expected]);
    }
    assert_eq!(found("[metrics]\nlisten = \"0.0.0.0:9469\""), [""; 0]);
    for wrong in ["", "a b", "-x", "a:b", &"x".repeat(33)] {
        assert!(found(&format!("[control]\ngroup = {wrong:?}"))[0].contains("control.group: found"), "{wrong}");
    }
    let no_boolean = "x.toml:3: control.group_may_change: found \"yes\"; allowed: true or false";
    assert_eq!(found("[control]\ngroup_may_change = \"yes\""), [no_boolean]);
}

#[test]
fn one_line_is_enough() {
    let config = parse(Path::new("x.toml"), "interfaces = [\"eth0\"]").unwrap();
    assert_eq!((config.mode, config.on_exit, config.ipv6.len()), (Mode::Enforce, OnExit::Keep, 64));
    assert_eq!(config.paths, Paths::default());
    assert_eq!(
        config.ports().iter().map(|(tcp, port, _)| (*tcp, *port)).collect::<Vec<_>>(),
        [(false, 5060), (true, 5060)]
    );
    assert_eq!((config.ban.threshold, config.ban.window), (5, Duration::from_secs(600)));
    assert_eq!(config.ban.ladder.len(), 5);
    assert!(!config.ban.scope_host);
    assert_eq!((config.prefixes_max, config.service_defaults()), (262_144, vec![DefaultAction::Allow]));
    assert!(config.access.is_empty() && config.feeds.is_empty() && config.dns_servers.is_empty());
    assert_eq!(config.country_db, None);
    assert_eq!(config.metrics, None);
    let control = ControlRules { group: "sip-fw".to_owned(), is_explicit: false, group_may_change: false };
    assert_eq!(config.control, control);
}

#[test]
fn every_fault_at_once() {
    let text = r#"mode = "strict"
ipv6_prefix = 65
colour = "red"
on_exit = 3
[[service]]
name = "SIP"
kind = "h323"
listen = ["udp/5060", "sctp/5060", "udp/0", "udp/9-8", "udp/5000-6000"]
[[service]]
name = "web"
kind = "opaque"
listen = []
refusal = "auto"
[ban]
threshold = 33
window = "90"
ladder = ["1m", "1m", "400d"]
scope = "galaxy"
wat = 1
[limits]
bans = 1023
ban_prefixes = 15
[paths]
socket = "control.sock"
"#;
    let length = "a whole number and a unit (30s, 10m, 1h, 1d, 1w), from 1s to 365d";
    let ports = "a list of udp/PORT, tcp/PORT or udp/FIRST-LAST, with ports from 1 to 65535";
    assert_eq!(
        faults(text),
        [
            "x.toml: interfaces: found nothing; allowed: \"auto\", or 1 to 16 names of network interfaces, each once, of 1 to 15 bytes without / or spaces".to_owned(),
            "x.toml:1: mode: found \"strict\"; allowed: \"enforce\" or \"observe\"".to_owned(),
            "x.toml:2: ipv6_prefix: found 65; allowed: 32 to 64".to_owned(),
            "x.toml:3: colour: found an unknown key; allowed: interfaces, mode, ipv6_prefix, on_exit, country_db, dns_servers, paths, service, access, feed, ban, scanners, limits, store, syslog, webhook, exec, metrics, control".to_owned(),
            "x.toml:4: on_exit: found 3; allowed: a string".to_owned(),
            "x.toml:6: service.name: found \"SIP\"; allowed: a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other service".to_owned(),
            "x.toml:7: service.kind: found \"h323\"; allowed: \"sip\" or \"opaque\"".to_owned(),
            format!("x.toml:8: service.listen: found \"sctp/5060\"; allowed: {ports}"),
            format!("x.toml:8: service.listen: found \"udp/0\"; allowed: {ports}"),
            format!("x.toml:8: service.listen: found \"udp/9-8\"; allowed: {ports}"),
            "x.toml:8: service.listen: found \"udp/5000-6000\", but udp/5060 already belongs to service \"SIP\"; allowed: each port once".to_owned(),
            format!("x.toml:12: service.listen: found an empty list; allowed: {ports}"),
            "x.toml:13: service.refusal: found \"auto\"; allowed: only with kind = \"sip\"".to_owned(),
            "x.toml:15: ban.threshold: found 33; allowed: 1 to 32".to_owned(),
            format!("x.toml:16: ban.window: found \"90\"; allowed: {length}"),
            "x.toml:17: ban.ladder: found \"1m\"; allowed: a step longer than the one before, 1m".to_owned(),
            format!("x.toml:17: ban.ladder: found \"400d\"; allowed: {length}"),
            "x.toml:18: ban.scope: found \"galaxy\"; allowed: \"services\" or \"host\"".to_owned(),
            "x.toml:19: ban.wat: found an unknown key; allowed: threshold, window, ladder, decay, known_peer, scope".to_owned(),
            "x.toml:21: limits.bans: found 1023; allowed: 1024 to 4194304".to_owned(),
            "x.toml:22: limits.ban_prefixes: found 15; allowed: 16 to 65536".to_owned(),
            "x.toml:24: paths.socket: found \"control.sock\"; allowed: an absolute path".to_owned(),
        ]
    );
}

#[test]
fn interfaces() {
    let allowed = "\"auto\", or 1 to 16 names of network interfaces, each once, of 1 to 15 bytes without / or spaces";
    for (list, found) in [
        ("[]", "0 names"),
        ("[\"a/b\"]", "\"a/b\""),
        ("[\"\"]", "\"\""),
        ("[\"abcdefghijklmnop\"]", "\"abcdefghijklmnop\""),
        ("[\"eth0\", \"eth0\"]", "\"eth0\""),
        ("[\"eth0\", \"auto\"]", "\"auto\""),
    ] {
        let text = format!("interfaces = {list}");
        assert_eq!(faults(&text), [format!("x.toml:1: interfaces: found {found}; allowed: {allowed}")]);
    }
    assert_eq!(faults("interfaces = 1"), ["x.toml:1: interfaces: found 1; allowed: a string or a list of strings"]);
    let read = |value: &str| parse(Path::new("x"), &format!("interfaces = {value}")).unwrap().interfaces;
    assert_eq!(read("\"auto\""), Interfaces::Auto);
    assert_eq!(read("\"eth0\""), named(&["eth0"]));
    assert_eq!(read("[\"eth0\", \"eth0.10\"]"), named(&["eth0", "eth0.10"]));
}

fn named(names: &[&str]) -> Interfaces {
    Interfaces::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn services_must_be_complete() {
    let found =
        faults("interfaces = [\"eth0\"]\n[[service]]\nname = \"a\"\n[[service]]\nkind = \"sip\"\nlisten = [\"udp/1\"]");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("x.toml:2: service.kind: found nothing"), "{found:?}");
    assert!(found[1].starts_with("x.toml:2: service.listen: found nothing"), "{found:?}");
    assert!(found[2].starts_with("x.toml:4: service.name: found nothing"), "{found:?}");
}

#[test]
fn syntax() {
    let found = faults("interfaces = [\"eth0\"]\nmode = \n");
    assert!(found[0].starts_with("x.toml:2: syntax: found "), "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(faults("ban = 3\ninterfaces = [\"e\"]")[0].starts_with("x.toml:1: ban: found 3; allowed: a table, [ban]"));
}

/// What the packaged file shows in comments can be copied, all of it at once.
#[test]
fn the_packaged_file() {
    let packaged = include_str!("../../../../packaging/sip-fw.toml");
    let example = |line: &str| {
        let key = |rest: &str| {
            rest.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        };
        line.strip_prefix("# ")
            .filter(|rest| (rest.starts_with('[') && rest.ends_with(']')) || key(rest))
            .unwrap_or(line)
            .to_owned()
    };
    let copied: Vec<String> = packaged.lines().map(example).collect();
    let config = parse(Path::new("x.toml"), &copied.join("\n")).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((config.access.len(), config.feeds.len(), config.services.len()), (6, 1, 2));
    assert!(config.country_db.is_some() && config.dns_servers.len() == 2);
    assert_eq!((config.alerts.webhooks.len(), config.alerts.hooks.len()), (2, 1));
    assert!(config.alerts.syslog.is_some());

    let plain = parse(Path::new("x.toml"), packaged).unwrap();
    let bare = parse(Path::new("x.toml"), "interfaces = \"auto\"\nmode = \"observe\"").unwrap();
    assert_eq!(format!("{plain:?}"), format!("{bare:?}"), "the values shown are the defaults");
}
