//! Lists that are fetched over HTTP.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::check::Check;
use super::host_name::is_host_name;
use super::services::is_plain_name;
use crate::config::raw::{RawFeed, Spot};
use crate::config::{FeedFormat, FeedRules};

/// Each one keeps a timer and a copy on disk.
const FEEDS_MAX: usize = 64;
/// Publishers of lists block those who fetch more often than they publish.
const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
const MAX_SIZE: RangeInclusive<i64> = 1024..=64 * 1024 * 1024;
const MAX_SIZE_DEFAULT: i64 = 16 * 1024 * 1024;

impl Check<'_> {
    pub(super) fn feeds(&mut self, raw: &[Spot<RawFeed>]) -> Vec<FeedRules> {
        if let Some(feed) = raw.get(FEEDS_MAX) {
            self.fault(feed.line, "feed", format!("{} feeds", raw.len()), format!("at most {FEEDS_MAX}"));
        }
        let formats = [
            ("auto", FeedFormat::Auto),
            ("lines", FeedFormat::Lines),
            ("csv", FeedFormat::Csv),
            ("json", FeedFormat::Json),
        ];
        let mut feeds: Vec<FeedRules> = Vec::new();
        for Spot { line, value } in raw.iter().take(FEEDS_MAX) {
            let hour = Duration::from_secs(3600);
            let feed = FeedRules {
                name: self.feed_name(*line, value, &feeds),
                url: self.feed_url(*line, value),
                interval: self.length_in("feed.interval", value.interval.as_ref(), &INTERVAL, hour),
                format: self.choice("feed.format", value.format.as_ref(), &formats),
                max_bytes: self.number("feed.max_size", value.max_size.as_ref(), &MAX_SIZE, MAX_SIZE_DEFAULT) as u64,
            };
            feeds.push(feed);
        }
        feeds
    }

    fn feed_name(&mut self, line: usize, raw: &RawFeed, feeds: &[FeedRules]) -> String {
        let allowed = "a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other feed";
        let Some(name) = &raw.name else {
            self.missing(line, "feed.name", allowed);
            return String::new();
        };
        if !is_plain_name(&name.value) || feeds.iter().any(|feed| feed.name == name.value) {
            self.fault(name.line, "feed.name", format!("{:?}", name.value), allowed);
        }
        name.value.clone()
    }

    fn feed_url(&mut self, line: usize, raw: &RawFeed) -> String {
        let allowed = "http:// or https:// and a host, such as https://lists.example/addresses.txt";
        let Some(url) = &raw.url else {
            self.missing(line, "feed.url", allowed);
            return String::new();
        };
        if !is_url(&url.value) {
            self.fault(url.line, "feed.url", format!("{:?}", url.value), allowed);
        }
        url.value.clone()
    }
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|_| text.bytes().all(|b| b.is_ascii_graphic())) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, port)) => {
            host.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }
        None => {
            let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
            (is_host_name(host) || host.parse::<Ipv4Addr>().is_ok()) && port.is_none_or(is_port)
        }
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for url in [
            "http://lists.example",
            "https://lists.example/a?b=c#d",
            "https://user:secret@lists.example:8443/a",
            "http://192.0.2.1:8080",
            "http://[2001:db8::1]",
            "http://[2001:db8::1]:8080/a",
        ] {
            assert!(is_url(url), "{url}");
        }
        for wrong in [
            "",
            "lists.example",
            "ftp://lists.example",
            "HTTP://lists.example",
            "https://",
            "https:///a",
            "https://:443/",
            "https://user@/",
            "https://lists.example:/",
            "https://lists.example:0/",
            "https://lists.example:65536/",
            "https://192.0.2.300/",
            "https://[2001:db8::1/",
            "https://[2001:db8::1]8080/",
            "https://lists.example/a b",
            "https://lists.example/é",
            "https://lists_example/",
        ] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }
}
