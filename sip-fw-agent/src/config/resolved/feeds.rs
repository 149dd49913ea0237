//! Lists that are fetched over HTTP.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::check::Check;
use super::services::is_plain_name;
use super::url::is_url;
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
