//! Lists, feeds and bans in bulk: what is taken is what stands there, no feed bans the world, and what is written can be read.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use sip_fw_agent::bulk::{self, Entry, Form, LINE_BYTES_MAX, Terms, write_ipset, write_json, write_list};
use sip_fw_agent::config::FeedFormat;
use sip_fw_agent::lists::{LIST_NETS_MAX, parse_feed, parse_file};
use sip_fw_core::time::{Time, Timestamp, Until};

const NOW: Timestamp = Timestamp { unix_ms: 1_700_000_000_000 };
const FORMATS: [FeedFormat; 4] = [FeedFormat::Auto, FeedFormat::Lines, FeedFormat::Csv, FeedFormat::Json];
const FORMS: [Form; 5] = [Form::Auto, Form::Json, Form::List, Form::Fail2ban, Form::Ipset];

/// Checks one text, as every kind of list.
pub fn check(bytes: &[u8]) {
    for format in FORMATS {
        // Why a feed is refused is for people.
        let Ok(parsed) = parse_feed(bytes, format) else { continue };
        aggregated(&parsed.nets);
        for net in &parsed.nets {
            let shortest = if net.addr().is_ipv4() { 8 } else { 16 };
            let is_special = net.addr().is_loopback() || net.addr().is_unspecified() || net.addr().is_multicast();
            assert!(net.prefix_len() >= shortest && !is_special, "{net} from a feed");
        }
    }
    match parse_file(bytes) {
        Ok(nets) => {
            aggregated(&nets);
            same(&nets, &written(bytes));
        }
        Err(faults) => assert!(!faults.is_empty(), "refused without a fault"),
    }
    for form in FORMS {
        bulk(bytes, form);
    }
}

/// A ban of the tables can be made of an entry.
pub fn tabled(entry: &Entry) {
    for kernel_ns in [0, 1 << 50] {
        let now = Time { kernel_ns, wall: NOW };
        let ban = entry.ban(now);
        assert!(ban.since_ns <= kernel_ns, "{entry:?} began in the future");
    }
}

/// Sorted, none within another.
fn aggregated(nets: &[IpNet]) {
    assert!(nets.len() <= LIST_NETS_MAX);
    for pair in nets.windows(2) {
        assert!(pair[0] < pair[1] && !pair[0].contains(&pair[1]) && !pair[1].contains(&pair[0]), "{pair:?}");
    }
}

/// What stands in a file, read line by line with the standard library alone.
fn written(bytes: &[u8]) -> Vec<IpNet> {
    let text = String::from_utf8_lossy(bytes);
    let entry = |line: &str| line.split(['#', ';']).next().unwrap_or_default().trim().to_owned();
    let lines = text.trim_start_matches('\u{feff}').split('\n').map(entry).filter(|entry| !entry.is_empty());
    lines
        .filter_map(|entry| entry.parse::<IpNet>().ok().or_else(|| Some(entry.parse::<IpAddr>().ok()?.into())))
        .collect()
}

/// The same addresses: those of each prefix are in the other list.
fn same(taken: &[IpNet], written: &[IpNet]) {
    for net in written {
        // IPv4 in IPv6's clothes is taken as IPv4.
        if net.addr().to_canonical() == net.addr() {
            assert!(taken.iter().any(|taken| taken.contains(net)), "{net} was not taken");
        }
    }
    for net in taken {
        for end in [net.network(), net.broadcast()] {
            let is_there = |written: &IpNet| written.contains(&end) || written.addr().to_canonical() != written.addr();
            assert!(written.iter().any(is_there), "{end} was taken from nowhere");
        }
    }
}

fn bulk(bytes: &[u8], form: Form) {
    let terms = Terms { now: NOW, until: Some(Until::Lifted), zone: TimeZone::UTC };
    let reading = bulk::read(bytes, form, terms.clone());
    assert_eq!(reading.faults().is_empty(), reading.faulty() == 0);
    for fault in reading.faults() {
        assert!(fault.line >= 1 && !fault.found.is_empty() && !fault.to_string().contains('\n'), "{fault:?}");
    }
    let entries = reading.into_entries();
    entries.iter().for_each(tabled);
    let sources: Vec<&str> = entries.iter().map(|entry| entry.source.as_str()).collect();
    let again = |text: &str, form| {
        let reading = bulk::read(text.as_bytes(), form, terms.clone());
        assert_eq!(reading.faulty(), 0, "{:?} in {text}", reading.faults());
        reading.into_entries()
    };
    let exported = write_json(&entries).unwrap();
    // Times grow by their milliseconds; names and agents of packets are never that long.
    if exported.lines().all(|line| line.len() <= LINE_BYTES_MAX) {
        assert_eq!(again(&exported, Form::Json), entries);
    }
    let listed = again(&write_list(&entries), Form::List);
    assert_eq!(listed.iter().map(|entry| entry.source.as_str()).collect::<Vec<_>>(), sources);
    let saved = again(&write_ipset(&entries, NOW), Form::Ipset);
    assert_eq!(saved.len(), entries.len());
}
