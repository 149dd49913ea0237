//! Tests of the feeds: every form, and the exact text of every fault.

use super::*;

fn feed(name: &str, rest: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nurl = \"https://lists.example/{name}\"\n{rest}\n")
}

#[test]
fn a_name_and_a_place_are_enough() {
    let config = parse(Path::new("x.toml"), &format!("interfaces = [\"eth0\"]\n{}", feed("a", ""))).unwrap();
    let feed = &config.feeds[0];
    assert_eq!((feed.interval, feed.format, feed.max_bytes), (Duration::from_secs(3600), FeedFormat::Auto, 16_777_216));
    for (word, format) in
        [("auto", FeedFormat::Auto), ("lines", FeedFormat::Lines), ("csv", FeedFormat::Csv), ("json", FeedFormat::Json)]
    {
        let text = format!("interfaces = [\"eth0\"]\n{}", self::feed("a", &format!("format = {word:?}")));
        assert_eq!(parse(Path::new("x.toml"), &text).unwrap().feeds[0].format, format);
    }
}

#[test]
fn every_fault_of_a_feed() {
    let text = r#"interfaces = ["eth0"]
[[feed]]
[[feed]]
name = "A"
url = "ftp://lists.example"
interval = "59s"
format = "xml"
max_size = 1023
[[feed]]
name = "a"
url = "https://lists.example"
interval = "31d"
max_size = 67108865
[[feed]]
name = "a"
url = "https://lists.example"
max_size = "16M"
token = "x"
"#;
    let name = "a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other feed";
    let url = "http:// or https:// and a host, such as https://lists.example/addresses.txt";
    let length = "a whole number and a unit (30s, 10m, 1h, 1d, 1w), from 1m to 30d";
    assert_eq!(
        faults(text),
        [
            format!("x.toml:2: feed.name: found nothing; allowed: {name}"),
            format!("x.toml:2: feed.url: found nothing; allowed: {url}"),
            format!("x.toml:4: feed.name: found \"A\"; allowed: {name}"),
            format!("x.toml:5: feed.url: found \"ftp://lists.example\"; allowed: {url}"),
            format!("x.toml:6: feed.interval: found \"59s\"; allowed: {length}"),
            "x.toml:7: feed.format: found \"xml\"; allowed: \"auto\" or \"lines\" or \"csv\" or \"json\"".to_owned(),
            "x.toml:8: feed.max_size: found 1023; allowed: 1024 to 67108864".to_owned(),
            format!("x.toml:12: feed.interval: found \"31d\"; allowed: {length}"),
            "x.toml:13: feed.max_size: found 67108865; allowed: 1024 to 67108864".to_owned(),
            format!("x.toml:15: feed.name: found \"a\"; allowed: {name}"),
            "x.toml:17: feed.max_size: found \"16M\"; allowed: a whole number".to_owned(),
            "x.toml:18: feed.token: found an unknown key; allowed: name, url, interval, format, max_size".to_owned(),
        ]
    );
}

#[test]
fn feeds_have_a_bound() {
    let list: String = (0..65).map(|number| feed(&format!("f{number}"), "")).collect();
    let text = format!("interfaces = [\"eth0\"]\n{list}");
    assert_eq!(faults(&text), ["x.toml:258: feed: found 65 feeds; allowed: at most 64"]);
}
