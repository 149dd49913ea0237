//! Tests of the access list: every form of an origin, and the exact text of every fault.

use super::*;

const HEAD: &str = "interfaces = [\"eth0\"]\ncountry_db = \"/c.mmdb\"\n";
const FEED: &str = "[[feed]]\nname = \"block\"\nurl = \"https://lists.example\"\n";
const ORIGINS: &str = "an address, a prefix, a host name, own, learned, file:/PATH, feed:NAME or country:XX";

fn rule(name: &str, from: &str, action: &str) -> String {
    format!("[[access]]\nname = \"{name}\"\nfrom = {from}\naction = \"{action}\"\n")
}

/// Faults of one line with this origin and action; the origin is in line 8.
fn origin_faults(from: &str, action: &str) -> Vec<String> {
    faults(&format!("{HEAD}{FEED}{}", rule("a", &format!("{from:?}"), action)))
}

#[test]
fn origins() {
    let origin = |from: &str| {
        let text = format!("{HEAD}{FEED}{}", rule("a", &format!("{from:?}"), "allow"));
        let config = parse(Path::new("x.toml"), &text).unwrap_or_else(|faults| panic!("{from}: {faults}"));
        config.access[0].from[0].clone()
    };
    for (from, net) in [
        ("203.0.113.9", "203.0.113.9/32"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
    ] {
        assert_eq!(origin(from), Origin::Net(net.parse().unwrap()), "{from}");
    }
    for (from, expected) in [
        ("own", Origin::Own),
        ("learned", Origin::Learned),
        ("file:/etc/sip-fw/a list", Origin::File("/etc/sip-fw/a list".into())),
        ("feed:block", Origin::Feed("block".to_owned())),
        ("country:jp", Origin::Country("JP".to_owned())),
        ("SIP.carrier.Example", Origin::Host("sip.carrier.example".to_owned())),
        ("pbx2", Origin::Host("pbx2".to_owned())),
        ("dead.beef", Origin::Host("dead.beef".to_owned())),
    ] {
        assert_eq!(origin(from), expected, "{from}");
    }
}

#[test]
fn services_of_a_line() {
    let services = ["sip", "web", "tls"].map(|name| {
        let port = 5000 + name.len() + usize::from(name.as_bytes()[0]);
        format!("[[service]]\nname = \"{name}\"\nkind = \"opaque\"\nlisten = [\"tcp/{port}\"]\n")
    });
    let to = |to: &str| {
        let text =
            format!("{HEAD}{}[[access]]\nname = \"a\"\nfrom = [\"own\"]\n{to}\naction = \"off\"", services.concat());
        parse(Path::new("x.toml"), &text).unwrap().access[0].to.clone()
    };
    assert_eq!(to(""), None);
    assert_eq!(to("to = \"web\""), Some(vec![1]));
    assert_eq!(to("to = [\"tls\", \"sip\", \"tls\"]"), Some(vec![0, 2]));
}

#[test]
fn what_is_no_origin() {
    let numeric = "which is neither an address nor a prefix; allowed: 203.0.113.9, 203.0.113.0/24, 2001:db8::1, 2001:db8::/48 and the like";
    for from in
        ["203.0.113.300", "10.0.0.0/33", "10.0.0/8", "1.2.3", "5060", "2001:db8::/129", "2001:db8", "192.0.2.1:5060"]
    {
        assert_eq!(origin_faults(from, "allow"), [format!("x.toml:8: access.from: found {from:?}, {numeric}")]);
    }
    for from in [
        "",
        " own",
        "*",
        "a..b",
        "trunk_1",
        "http://a.example",
        "example.com/24",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "File:/a",
    ] {
        assert_eq!(
            origin_faults(from, "allow"),
            [format!("x.toml:8: access.from: found {from:?}; allowed: {ORIGINS}")]
        );
    }
    for (from, allowed) in [
        ("any", "\"0.0.0.0/0\" and \"::/0\" for everybody"),
        ("all", "\"0.0.0.0/0\" and \"::/0\" for everybody"),
        ("file:list.txt", "file: and an absolute path"),
        ("file:", "file: and an absolute path"),
        ("feed:other", "feed: and the name of a [[feed]]: \"block\""),
        ("country:JPN", "country: and two letters (ISO 3166-1)"),
        ("country:4X", "country: and two letters (ISO 3166-1)"),
    ] {
        for action in ["allow", "off"] {
            let expected = format!("x.toml:8: access.from: found {from:?}; allowed: {allowed}");
            assert_eq!(origin_faults(from, action), [expected]);
        }
    }
    let found = faults(&format!("interfaces = [\"eth0\"]\n{}", rule("a", "[\"feed:x\", \"country:JP\"]", "allow")));
    assert_eq!(
        found,
        [
            "x.toml:4: access.from: found \"feed:x\"; allowed: feed: and the name of a [[feed]]; there is none",
            "x.toml:4: access.from: found \"country:JP\" without country_db; allowed: countries only with country_db = \"/PATH.mmdb\" at the top of the file",
        ]
    );
}

#[test]
fn what_no_line_may_do() {
    let loopback =
        "with action \"deny\", in which this host talks to itself; allowed: prefixes without 127.0.0.0/8 and ::1";
    let multicast = "which is multicast: nothing is ever sent from there; allowed: addresses that packets come from";
    let closes = "with action \"deny\", which closes the service for everybody; allowed: narrower prefixes; default = \"deny\" of the [[service]] denies all whom no line matches";
    let unjudged = "with action \"trust\", so that nobody would be judged; allowed: narrower prefixes; action \"allow\" lets everybody pass, and judges them";
    for (from, action, expected) in [
        ("0.0.0.0/0", "deny", format!("\"0.0.0.0/0\" {closes}")),
        ("10.0.0.0/0", "deny", format!("\"10.0.0.0/0\" {closes}")),
        ("::/0", "deny", format!("\"::/0\" {closes}")),
        ("0.0.0.0/0", "trust", format!("\"0.0.0.0/0\" {unjudged}")),
        ("::/0", "trust", format!("\"::/0\" {unjudged}")),
        ("own", "deny", "\"own\" with action \"deny\", which would cut this host off from itself; allowed: addresses of others".to_owned()),
        (
            "learned",
            "trust",
            "\"learned\" with action \"trust\", so that nobody who guesses beside a known peer would be judged; allowed: \"learned\" with action \"allow\": known peers pass the gate, and are judged".to_owned(),
        ),
        ("127.0.0.1", "deny", format!("\"127.0.0.1\" {loopback}")),
        ("0.0.0.0/1", "deny", format!("\"0.0.0.0/1\" {loopback}")),
        ("::1", "deny", format!("\"::1\" {loopback}")),
        ("::/1", "deny", format!("\"::/1\" {loopback}")),
        ("::ffff:127.0.0.1", "deny", format!("\"::ffff:127.0.0.1\" {loopback}")),
        ("224.0.0.1", "allow", format!("\"224.0.0.1\", {multicast}")),
        ("ff00::/8", "off", format!("\"ff00::/8\", {multicast}")),
    ] {
        assert_eq!(origin_faults(from, action), [format!("x.toml:8: access.from: found {expected}")], "{from} {action}");
    }
    for (from, action) in [
        ("0.0.0.0/0", "allow"),
        ("::/0", "off"),
        ("own", "trust"),
        ("learned", "deny"),
        ("127.0.0.0/8", "trust"),
        ("128.0.0.0/1", "deny"),
        ("::2", "deny"),
    ] {
        assert_eq!(origin_faults(from, action), [""; 0], "{from} {action}");
    }
}

#[test]
fn every_fault_of_a_line() {
    let text = r#"interfaces = ["eth0"]
country_db = "c.mmdb"
dns_servers = ["ns.example", "192.0.2.53:0", "0.0.0.0", 1]
[limits]
prefixes = 1023
[[service]]
name = "sip"
kind = "sip"
listen = ["udp/5060"]
default = "trust"
[[service]]
name = "web"
kind = "opaque"
listen = ["tcp/443"]
[[access]]
[[access]]
name = ""
from = []
to = []
action = "drop"
[[access]]
name = " a"
from = 5
to = ["sip", "ssh", 5]
action = "off"
[[access]]
name = "it's"
from = ["own", true]
to = "tls"
action = "allow"
ports = 1
[[access]]
name = "b"
from = "own"
action = "allow"
[[access]]
name = "b"
from = "own"
action = "allow"
[[access]]
name = "\t"
from = "country:JP"
action = "allow"
[[access]]
name = "\u202e"
from = "own"
action = "allow"
"#;
    let name =
        "a name of 1 to 64 bytes without quotes, control characters or spaces at its ends, used by no other line";
    let action = "\"trust\" or \"allow\" or \"deny\" or \"off\"";
    let servers =
        "a list of addresses with or without a port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353";
    let services = "names of services (\"sip\", \"web\"); without the key the line is for all of them";
    let strings = "a string or a list of strings";
    assert_eq!(
        faults(text),
        [
            "x.toml:2: country_db: found \"c.mmdb\"; allowed: an absolute path".to_owned(),
            "x.toml:3: dns_servers: found 1; allowed: a list of strings".to_owned(),
            format!("x.toml:3: dns_servers: found \"ns.example\"; allowed: {servers}"),
            format!("x.toml:3: dns_servers: found \"192.0.2.53:0\"; allowed: {servers}"),
            format!("x.toml:3: dns_servers: found \"0.0.0.0\"; allowed: {servers}"),
            "x.toml:5: limits.prefixes: found 1023; allowed: 1024 to 4194304".to_owned(),
            "x.toml:10: service.default: found \"trust\"; allowed: \"allow\" or \"deny\"".to_owned(),
            format!("x.toml:15: access.name: found nothing; allowed: {name}"),
            format!("x.toml:15: access.action: found nothing; allowed: {action}"),
            format!("x.toml:15: access.from: found nothing; allowed: {ORIGINS}"),
            format!("x.toml:17: access.name: found \"\"; allowed: {name}"),
            format!("x.toml:18: access.from: found an empty list; allowed: {ORIGINS}"),
            format!("x.toml:19: access.to: found an empty list; allowed: {services}"),
            format!("x.toml:20: access.action: found \"drop\"; allowed: {action}"),
            format!("x.toml:21: access.from: found nothing; allowed: {ORIGINS}"),
            format!("x.toml:22: access.name: found \" a\"; allowed: {name}"),
            format!("x.toml:23: access.from: found 5; allowed: {strings}"),
            format!("x.toml:24: access.to: found 5; allowed: {strings}"),
            format!("x.toml:24: access.to: found \"ssh\"; allowed: {services}"),
            format!("x.toml:27: access.name: found \"it's\"; allowed: {name}"),
            format!("x.toml:28: access.from: found true; allowed: {strings}"),
            format!("x.toml:29: access.to: found \"tls\"; allowed: {services}"),
            "x.toml:31: access.ports: found an unknown key; allowed: name, from, to, action".to_owned(),
            format!("x.toml:37: access.name: found \"b\"; allowed: {name}"),
            format!("x.toml:41: access.name: found \"\\t\"; allowed: {name}"),
            format!("x.toml:45: access.name: found \"\\u{{202e}}\"; allowed: {name}"),
        ]
    );
}

#[test]
fn long_names() {
    assert_eq!(faults(&format!("{HEAD}{}", rule(&"é".repeat(32), "\"own\"", "allow"))), [""; 0]);
    assert_eq!(faults(&format!("{HEAD}{}", rule(&"a".repeat(65), "\"own\"", "allow"))).len(), 1);
}

#[test]
fn trusted_sources_come_first() {
    let lines = [
        rule("bad", "[\"198.51.100.0/24\", \"203.0.113.0/24\"]", "deny"),
        rule("half", "\"203.0.113.0/25\"", "allow"),
        rule("office", "[\"192.0.2.1\", \"203.0.113.9\"]", "trust"),
    ];
    assert_eq!(
        faults(&format!("{HEAD}{}", lines.concat())),
        [
            "x.toml:3: access: found \"bad\", which denies 203.0.113.9 before \"office\" in line 11 trusts it; allowed: trusted sources first: move \"office\" above it"
        ]
    );
    let [bad, half, office] = &lines;
    assert_eq!(faults(&format!("{HEAD}{office}{bad}{half}")), [""; 0]);
}

#[test]
fn as_many_lines_as_allowed() {
    let mut text = HEAD.to_owned();
    for number in 0..100_000_u32 {
        let action = if number % 2 == 0 { "deny" } else { "trust" };
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number * 16);
        text.push_str(&rule(
            &number.to_string(),
            &format!("[\"{address}/28\", \"2001:db8:{:x}::/48\"]", number % 9),
            action,
        ));
    }
    let found = faults(&text);
    // A line that denies shares its IPv6 prefix with the line nine further on, which trusts: all but the last four do.
    assert_eq!(found.len(), 49_996);
    text.push_str(&rule("one more", "\"own\"", "allow"));
    let last = faults(&text).pop();
    let expected = "x.toml:400003: access: found 100001 lines; allowed: at most 100000; longer lists come from file:/PATH or feed:NAME";
    assert_eq!(last.as_deref(), Some(expected));
}
