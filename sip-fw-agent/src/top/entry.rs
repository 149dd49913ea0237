//! One line of the table: a source, or somebody who is held back; how lines are sorted and which of them are shown.

use std::cmp::Reverse;
use std::net::IpAddr;

use sip_fw_core::time::{Timestamp, Until};

use super::picture::Picture;
use crate::control::view::{BanView, ShunView, SourceView};

/// Which table is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// The worst sources.
    #[default]
    Sources,
    /// Bans and shuns.
    Bans,
}

/// What a table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As the agent gives them: the worst sources first, the newest bans first.
    #[default]
    Given,
    /// Wrong passwords, or strikes.
    Failed,
    /// Packets dropped.
    Dropped,
    /// The last ones first.
    Seen,
    /// Addresses.
    Address,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Given => Self::Failed,
            Self::Failed => Self::Dropped,
            Self::Dropped => Self::Seen,
            Self::Seen => Self::Address,
            Self::Address => Self::Given,
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self, table: Table) -> &'static str {
        match (self, table) {
            (Self::Given, Table::Sources) => "worst",
            (Self::Given, Table::Bans) => "newest",
            (Self::Failed, _) => "most failures",
            (Self::Dropped, _) => "most drops",
            (Self::Seen, Table::Sources) => "last seen",
            (Self::Seen, Table::Bans) => "last begun",
            (Self::Address, _) => "lowest address",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// An address or a prefix.
    pub source: String,
    /// `banned`, `shunned` or `ok`.
    pub state: String,
    /// Step of the ladder; 0 outside of it.
    pub level: u8,
    /// When it is free again.
    pub until: Option<Until>,
    /// Wrong passwords, or strikes.
    pub failed: u64,
    /// Packets dropped.
    pub dropped: u64,
    /// Last request, or begin of the ban.
    pub seen: Timestamp,
    /// User names tried.
    pub users: String,
    /// Why it is held back.
    pub reason: String,
    /// Its User-Agent.
    pub user_agent: Option<String>,
}

impl Entry {
    /// The lines of a table that contain `filter`, sorted.
    #[must_use]
    pub fn list(picture: &Picture, table: Table, sort: Sort, reversed: bool, filter: &str) -> Vec<Self> {
        let mut entries: Vec<Self> = match table {
            Table::Sources => picture.sources.sources.iter().map(|source| Self::of_source(source, picture)).collect(),
            Table::Bans => {
                let bans = picture.bans.bans.iter().map(Self::of_ban);
                bans.chain(picture.bans.shuns.iter().map(Self::of_shun)).collect()
            }
        };
        let filter = filter.to_lowercase();
        entries.retain(|entry| entry.matches(&filter));
        match sort {
            Sort::Given => {}
            Sort::Failed => entries.sort_by_key(|entry| Reverse(entry.failed)),
            Sort::Dropped => entries.sort_by_key(|entry| Reverse(entry.dropped)),
            Sort::Seen => entries.sort_by_key(|entry| Reverse(entry.seen)),
            Sort::Address => entries.sort_by_key(Self::address),
        }
        if reversed {
            entries.reverse();
        }
        entries
    }

    /// Whether packets of it are dropped.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.state != "ok"
    }

    fn of_source(source: &SourceView, picture: &Picture) -> Self {
        let why = &source.why;
        let more = if why.users_cut { ", …" } else { "" };
        // Who only asks has failed with nobody's password: the events have whom he asked for last.
        let told =
            || picture.records.iter().find(|record| record.source.as_ref() == Some(&source.source))?.user.clone();
        let users = if why.users.is_empty() { told().unwrap_or_default() } else { why.users.join(", ") };
        Self {
            source: source.source.clone(),
            state: source.state.clone(),
            level: why.level.unwrap_or(0),
            until: why.until,
            failed: source.failures_proven.saturating_add(source.failures_unproven),
            dropped: source.drops,
            seen: source.last_seen,
            users: format!("{users}{more}"),
            reason: why.reason.clone().unwrap_or_default(),
            user_agent: why.user_agent.clone(),
        }
    }

    fn of_ban(ban: &BanView) -> Self {
        Self {
            source: ban.source.clone(),
            state: "banned".to_owned(),
            level: ban.level,
            until: Some(ban.until),
            failed: ban.strikes.into(),
            dropped: ban.packets,
            seen: ban.since,
            users: ban.user.clone().unwrap_or_default(),
            reason: ban.origin.as_ref().map_or_else(String::new, |origin| format!("by {origin}")),
            user_agent: ban.user_agent.clone(),
        }
    }

    fn of_shun(shun: &ShunView) -> Self {
        Self {
            source: shun.source.clone(),
            state: "shunned".to_owned(),
            level: 0,
            until: Some(Until::At(shun.until)),
            failed: 0,
            dropped: shun.packets,
            seen: shun.since,
            users: String::new(),
            reason: "on what does not prove it".to_owned(),
            user_agent: None,
        }
    }

    fn matches(&self, filter: &str) -> bool {
        let agent = self.user_agent.as_deref().unwrap_or_default();
        [&self.source, &self.state, &self.users, &self.reason, agent]
            .iter()
            .any(|text| text.to_lowercase().contains(filter))
    }

    fn address(&self) -> Option<IpAddr> {
        self.source.split('/').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::{EventName, Record};

    use super::super::picture::News;
    use super::super::samples;
    use super::*;

    fn sources(table: Table, sort: Sort, reversed: bool, filter: &str) -> Vec<String> {
        let entries = Entry::list(&samples::picture(), table, sort, reversed, filter);
        entries.into_iter().map(|entry| entry.source).collect()
    }

    #[test]
    fn sorted() {
        for (sort, expected) in [
            (Sort::Given, ["203.0.113.9", "2001:db8:7:1::/64", "198.51.100.7"]),
            (Sort::Failed, ["203.0.113.9", "198.51.100.7", "2001:db8:7:1::/64"]),
            (Sort::Dropped, ["203.0.113.9", "2001:db8:7:1::/64", "198.51.100.7"]),
            (Sort::Seen, ["198.51.100.7", "203.0.113.9", "2001:db8:7:1::/64"]),
            (Sort::Address, ["198.51.100.7", "203.0.113.9", "2001:db8:7:1::/64"]),
        ] {
            assert_eq!(sources(Table::Sources, sort, false, ""), expected, "{sort:?}");
            let mut reversed = expected;
            reversed.reverse();
            assert_eq!(sources(Table::Sources, sort, true, ""), reversed, "{sort:?}");
        }
        assert_eq!(
            sources(Table::Bans, Sort::Given, false, ""),
            ["203.0.113.0/24", "203.0.113.9", "2001:db8:7:1::/64"]
        );
    }

    #[test]
    fn whom_a_source_asked_for_is_in_its_events() {
        let mut picture = samples::picture();
        let mut record = Record::new(samples::NOW, EventName::Enumeration);
        (record.source, record.user) = (Some("2001:db8:7:1::/64".to_owned()), Some("199".to_owned()));
        picture.take(News::Record(Box::new(record)), samples::NOW);
        let users = |picture: &Picture| Entry::list(picture, Table::Sources, Sort::Given, false, "")[1].users.clone();
        assert_eq!((users(&picture).as_str(), users(&samples::picture()).as_str()), ("199", ""));
    }

    #[test]
    fn filtered_by_whatever_is_shown() {
        for (filter, expected) in [
            ("203.0", vec!["203.0.113.9"]),
            ("SHUN", vec!["2001:db8:7:1::/64"]),
            ("friendly", vec!["203.0.113.9"]),
            ("1001", vec!["203.0.113.9"]),
            ("prefixes", vec!["2001:db8:7:1::/64"]),
            ("nothing of this", vec![]),
        ] {
            assert_eq!(sources(Table::Sources, Sort::Given, false, filter), expected, "{filter}");
        }
    }
}
