//! The values as they stand in the file, each with its line. Wrong types and unknown keys are found here.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;

/// A value and its line.
#[derive(Clone, Debug)]
pub struct Spot<T> {
    pub line: usize,
    pub value: T,
}

type Maybe<T> = Option<Spot<T>>;
type List = Maybe<Vec<Spot<String>>>;

/// The whole file.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub interfaces: List,
    pub mode: Maybe<String>,
    pub ipv6_prefix: Maybe<i64>,
    pub on_exit: Maybe<String>,
    pub country_db: Maybe<String>,
    pub dns_servers: List,
    pub paths: RawPaths,
    pub services: Vec<Spot<RawService>>,
    pub access: Vec<Spot<RawAccess>>,
    pub feeds: Vec<Spot<RawFeed>>,
    pub ban: RawBan,
    pub scanners: RawScanners,
    pub limits: RawLimits,
    pub store: RawStore,
    pub syslog: Option<RawSyslog>,
    pub webhooks: Vec<Spot<RawWebhook>>,
    pub hooks: Vec<Spot<RawExec>>,
    pub metrics: RawMetrics,
    pub control: RawControl,
}

/// `[metrics]`.
#[derive(Clone, Debug, Default)]
pub struct RawMetrics {
    pub listen: Maybe<String>,
}

/// `[control]`.
#[derive(Clone, Debug, Default)]
pub struct RawControl {
    pub group: Maybe<String>,
    pub group_may_change: Maybe<bool>,
}

/// `[paths]`.
#[derive(Clone, Debug, Default)]
pub struct RawPaths {
    pub pins: Maybe<String>,
    pub state: Maybe<String>,
    pub socket: Maybe<String>,
}

/// One `[[service]]`.
#[derive(Clone, Debug, Default)]
pub struct RawService {
    pub name: Maybe<String>,
    pub kind: Maybe<String>,
    pub listen: List,
    pub refusal: Maybe<String>,
    pub default: Maybe<String>,
    pub rate: Maybe<i64>,
    pub burst: Maybe<i64>,
    pub peer_rate: Maybe<i64>,
    pub peer_burst: Maybe<i64>,
}

/// One `[[access]]`.
#[derive(Clone, Debug, Default)]
pub struct RawAccess {
    pub name: Maybe<String>,
    pub from: List,
    pub to: List,
    pub action: Maybe<String>,
}

/// One `[[feed]]`.
#[derive(Clone, Debug, Default)]
pub struct RawFeed {
    pub name: Maybe<String>,
    pub url: Maybe<String>,
    pub interval: Maybe<String>,
    pub format: Maybe<String>,
    pub max_size: Maybe<i64>,
}

/// `[ban]`.
#[derive(Clone, Debug, Default)]
pub struct RawBan {
    pub threshold: Maybe<i64>,
    pub window: Maybe<String>,
    pub ladder: List,
    pub decay: Maybe<String>,
    pub known_peer: Maybe<String>,
    pub scope: Maybe<String>,
}

/// `[scanners]`.
#[derive(Clone, Debug, Default)]
pub struct RawScanners {
    pub list: Maybe<String>,
    pub user_agents: List,
    pub user_agents_exact: List,
    pub from: List,
}

/// `[store]`.
#[derive(Clone, Debug, Default)]
pub struct RawStore {
    pub keep: Maybe<String>,
    pub max_size: Maybe<i64>,
}

/// `[limits]`.
#[derive(Clone, Debug, Default)]
pub struct RawLimits {
    pub bans: Maybe<i64>,
    pub ban_prefixes: Maybe<i64>,
    pub sources: Maybe<i64>,
    pub strikes: Maybe<i64>,
    pub transactions: Maybe<i64>,
    pub nonces: Maybe<i64>,
    pub peers: Maybe<i64>,
    pub prefixes: Maybe<i64>,
}

/// `[syslog]`.
#[derive(Clone, Debug, Default)]
pub struct RawSyslog {
    pub to: Maybe<String>,
    pub facility: Maybe<String>,
    pub selection: RawSelection,
}

/// One `[[webhook]]`.
#[derive(Clone, Debug, Default)]
pub struct RawWebhook {
    pub name: Maybe<String>,
    pub url: Maybe<String>,
    pub template: Maybe<String>,
    pub headers: List,
    pub selection: RawSelection,
    pub timeout: Maybe<String>,
}

/// One `[[exec]]`.
#[derive(Clone, Debug, Default)]
pub struct RawExec {
    pub name: Maybe<String>,
    pub command: List,
    pub selection: RawSelection,
    pub timeout: Maybe<String>,
}

/// What one who is told is told of.
#[derive(Clone, Debug, Default)]
pub struct RawSelection {
    pub events: List,
    pub per_minute: Maybe<i64>,
}

/// Reads a whole file. What is faulty is missing from the values, and listed.
pub fn read(text: &str) -> (Raw, Vec<Fault>) {
    let lines = Lines::of(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors.iter().map(|error| syntax_fault(error, &lines)).collect();
    if !faults.is_empty() {
        return (Raw::default(), faults);
    }
    let mut root = Table { name: "", table: document.get_ref(), lines: &lines, known: Vec::new(), faults: &mut faults };
    let mut raw = Raw {
        interfaces: root.one_or_more("interfaces"),
        mode: root.string("mode"),
        ipv6_prefix: root.integer("ipv6_prefix"),
        on_exit: root.string("on_exit"),
        country_db: root.string("country_db"),
        dns_servers: root.strings("dns_servers"),
        ..Raw::default()
    };
    root.table("paths", |paths| {
        raw.paths =
            RawPaths { pins: paths.string("pins"), state: paths.string("state"), socket: paths.string("socket") };
    });
    root.tables("service", |line, service| {
        let value = RawService {
            name: service.string("name"),
            kind: service.string("kind"),
            listen: service.strings("listen"),
            refusal: service.string("refusal"),
            default: service.string("default"),
            rate: service.integer("rate"),
            burst: service.integer("burst"),
            peer_rate: service.integer("peer_rate"),
            peer_burst: service.integer("peer_burst"),
        };
        raw.services.push(Spot { line, value });
    });
    root.tables("access", |line, access| {
        let value = RawAccess {
            name: access.string("name"),
            from: access.one_or_more("from"),
            to: access.one_or_more("to"),
            action: access.string("action"),
        };
        raw.access.push(Spot { line, value });
    });
    root.tables("feed", |line, feed| {
        let value = RawFeed {
            name: feed.string("name"),
            url: feed.string("url"),
            interval: feed.string("interval"),
            format: feed.string("format"),
            max_size: feed.integer("max_size"),
        };
        raw.feeds.push(Spot { line, value });
    });
    root.table("ban", |ban| {
        raw.ban = RawBan {
            threshold: ban.integer("threshold"),
            window: ban.string("window"),
            ladder: ban.strings("ladder"),
            decay: ban.string("decay"),
            known_peer: ban.string("known_peer"),
            scope: ban.string("scope"),
        };
    });
    root.table("scanners", |scanners| {
        raw.scanners = RawScanners {
            list: scanners.string("list"),
            user_agents: scanners.strings("user_agents"),
            user_agents_exact: scanners.strings("user_agents_exact"),
            from: scanners.strings("from"),
        };
    });
    root.table("limits", |limits| {
        raw.limits = RawLimits {
            bans: limits.integer("bans"),
            ban_prefixes: limits.integer("ban_prefixes"),
            sources: limits.integer("sources"),
            strikes: limits.integer("strikes"),
            transactions: limits.integer("transactions"),
            nonces: limits.integer("nonces"),
            peers: limits.integer("peers"),
            prefixes: limits.integer("prefixes"),
        };
    });
    root.table("store", |store| {
        raw.store = RawStore { keep: store.string("keep"), max_size: store.integer("max_size") };
    });
    read_alerts(&mut root, &mut raw);
    root.table("metrics", |metrics| raw.metrics = RawMetrics { listen: metrics.string("listen") });
    root.table("control", |control| {
        raw.control =
            RawControl { group: control.string("group"), group_may_change: control.boolean("group_may_change") };
    });
    root.finish();
    (raw, faults)
}

fn read_alerts(root: &mut Table<'_, '_>, raw: &mut Raw) {
    root.table("syslog", |syslog| {
        let value =
            RawSyslog { to: syslog.string("to"), facility: syslog.string("facility"), selection: syslog.selection() };
        raw.syslog = Some(value);
    });
    root.tables("webhook", |line, webhook| {
        let value = RawWebhook {
            name: webhook.string("name"),
            url: webhook.string("url"),
            template: webhook.string("template"),
            headers: webhook.strings("headers"),
            selection: webhook.selection(),
            timeout: webhook.string("timeout"),
        };
        raw.webhooks.push(Spot { line, value });
    });
    root.tables("exec", |line, exec| {
        let value = RawExec {
            name: exec.string("name"),
            command: exec.strings("command"),
            selection: exec.selection(),
            timeout: exec.string("timeout"),
        };
        raw.hooks.push(Spot { line, value });
    });
}

fn syntax_fault(error: &toml::de::Error, lines: &Lines) -> Fault {
    Fault {
        line: error.span().map(|span| lines.at(span.start)),
        key: "syntax".to_owned(),
        found: error.message().replace('\n', ", "),
        allowed: "TOML (https://toml.io)".to_owned(),
    }
}

/// One table that is being read.
struct Table<'a, 'i> {
    name: &'static str,
    table: &'a DeTable<'i>,
    lines: &'a Lines,
    known: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a, 'i> Table<'a, 'i> {
    fn string(&mut self, key: &'static str) -> Maybe<String> {
        let (line, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spot { line, value: text.to_string() }),
            other => self.wrong(line, key, other, "a string"),
        }
    }

    fn integer(&mut self, key: &'static str) -> Maybe<i64> {
        let (line, value) = self.take(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(value) => Some(Spot { line, value }),
            None => self.wrong(line, key, value.get_ref(), "a whole number"),
        }
    }

    fn boolean(&mut self, key: &'static str) -> Maybe<bool> {
        let (line, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(value) => Some(Spot { line, value: *value }),
            other => self.wrong(line, key, other, "true or false"),
        }
    }

    fn strings(&mut self, key: &'static str) -> List {
        let (line, value) = self.take(key)?;
        self.list(line, key, value.get_ref(), "a list of strings")
    }

    /// A list of strings, or one string without the brackets.
    fn one_or_more(&mut self, key: &'static str) -> List {
        let (line, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spot { line, value: vec![Spot { line, value: text.to_string() }] }),
            other => self.list(line, key, other, "a string or a list of strings"),
        }
    }

    fn selection(&mut self) -> RawSelection {
        RawSelection { events: self.one_or_more("events"), per_minute: self.integer("per_minute") }
    }

    fn list(&mut self, line: usize, key: &str, value: &DeValue<'_>, allowed: &str) -> List {
        let DeValue::Array(array) = value else {
            return self.wrong(line, key, value, allowed);
        };
        let mut strings = Vec::new();
        for item in array.iter() {
            let line = self.lines.at(item.span().start);
            match item.get_ref() {
                DeValue::String(text) => strings.push(Spot { line, value: text.to_string() }),
                other => {
                    self.wrong::<()>(line, key, other, allowed);
                }
            }
        }
        Some(Spot { line, value: strings })
    }

    fn table(&mut self, key: &'static str, read: impl FnOnce(&mut Table<'_, '_>)) {
        let Some((line, value)) = self.take(key) else { return };
        match value.get_ref() {
            DeValue::Table(table) => self.inner(key, table, read),
            other => {
                self.wrong::<()>(line, key, other, &format!("a table, [{key}]"));
            }
        }
    }

    fn tables(&mut self, key: &'static str, mut read: impl FnMut(usize, &mut Table<'_, '_>)) {
        let Some((line, value)) = self.take(key) else { return };
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong::<()>(line, key, value.get_ref(), &format!("a list of tables, [[{key}]]"));
            return;
        };
        for item in array.iter() {
            let line = self.lines.at(item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => self.inner(key, table, |table| read(line, table)),
                other => {
                    self.wrong::<()>(line, key, other, &format!("a list of tables, [[{key}]]"));
                }
            }
        }
    }

    fn inner(&mut self, name: &'static str, table: &DeTable<'_>, read: impl FnOnce(&mut Table<'_, '_>)) {
        let mut inner = Table { name, table, lines: self.lines, known: Vec::new(), faults: &mut *self.faults };
        read(&mut inner);
        inner.finish();
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, &'a Spanned<DeValue<'i>>)> {
        self.known.push(key);
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((self.lines.at(name.span().start), value))
    }

    fn wrong<T>(&mut self, line: usize, key: &str, found: &DeValue<'_>, allowed: &str) -> Maybe<T> {
        let key = self.path(key);
        self.faults.push(Fault { line: Some(line), key, found: shown(found), allowed: allowed.to_owned() });
        None
    }

    fn finish(&mut self) {
        for (name, _) in self.table {
            if self.known.iter().all(|known| name.get_ref() != known) {
                self.faults.push(Fault {
                    line: Some(self.lines.at(name.span().start)),
                    key: self.path(&sip_fw_core::text::cut(name.get_ref(), 80)),
                    found: "an unknown key".to_owned(),
                    allowed: self.known.join(", "),
                });
            }
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(value) => value.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Where each line ends.
struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        Self { ends: text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect() }
    }

    fn at(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }
}
