//! What a configuration asks for, what is known of it, and what became of it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use sip_fw_core::source::show_net;
use sip_fw_core::time::Timestamp;

use crate::config::{FeedRules, Origin};

/// What the configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Host names. One with a dot is a full name; one without is searched for as the system does.
    pub hosts: BTreeSet<String>,
    /// Files with one address or prefix per line.
    pub files: BTreeSet<PathBuf>,
    /// Lists that are fetched, each name once.
    pub feeds: Vec<FeedRules>,
    /// Countries, two capital letters each.
    pub countries: BTreeSet<String>,
    /// The MaxMind database with the addresses of countries.
    pub country_db: Option<PathBuf>,
    /// Name servers; those of the system if there are none here.
    pub dns_servers: Vec<SocketAddr>,
}

/// What is known of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its addresses in the fewest prefixes, sorted.
    pub nets: Vec<IpNet>,
    /// When its source last said so: the last good answer of name servers or of a feed, the last change of a file. None:
    /// never.
    pub as_of: Option<Timestamp>,
    /// Why the addresses may be out of date, or are missing; None while all is well.
    pub trouble: Option<String>,
    /// What of the source was not taken, and why.
    pub note: Option<String>,
}

/// The addresses of all origins at one moment. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(pub(super) Arc<HashMap<Origin, Arc<Entry>>>);

impl Snapshot {
    /// The addresses of an origin, in the fewest prefixes, sorted; none for one that was not asked for.
    #[must_use]
    pub fn nets(&self, origin: &Origin) -> &[IpNet] {
        self.0.get(origin).map_or(&[], |entry| &entry.nets)
    }

    /// What is known of an origin; None for one that was not asked for.
    #[must_use]
    pub fn entry(&self, origin: &Origin) -> Option<&Entry> {
        self.0.get(origin).map(Arc::as_ref)
    }

    /// Every origin that was asked for, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Origin, &Entry)> {
        self.0.iter().map(|(origin, entry)| (origin, entry.as_ref()))
    }
}

/// A list that a new configuration names and that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}: {reason}", Named(.origin))]
pub struct Fault {
    /// The list.
    pub origin: Origin,
    /// Why, where in the file, what was found there and what is allowed.
    pub reason: String,
}

/// Something that became of an origin. Displayed as one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose addresses. None: of all that are kept on disk.
    pub origin: Option<Origin>,
    /// What became of it.
    pub what: What,
}

/// What became of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It has new addresses: the snapshot is another one.
    Addresses {
        /// Prefixes before.
        before: usize,
        /// Prefixes now.
        after: usize,
        /// What of the source was not taken.
        note: Option<String>,
    },
    /// It stopped working; the last known addresses stay.
    Trouble {
        /// Why.
        reason: String,
        /// Prefixes that stay.
        nets: usize,
    },
    /// It works again.
    WorksAgain {
        /// Prefixes before; should they be others now, another change says so.
        nets: usize,
    },
    /// It cannot be kept on disk: a restart in an outage would begin without it.
    NotKept {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{}: ", Named(origin))?,
            None => f.write_str("lists: ")?,
        }
        match &self.what {
            What::Addresses { before, after, note } => {
                write!(f, "{}, {before} before", Prefixes(*after))?;
                note.as_ref().map_or(Ok(()), |note| write!(f, "; {note}"))
            }
            What::Trouble { reason, nets: 0 } => write!(f, "{reason}; no address of it is known"),
            What::Trouble { reason, nets } => write!(f, "{reason}; the {} known last stay in force", Prefixes(*nets)),
            What::WorksAgain { nets } => write!(f, "works again, {}", Prefixes(*nets)),
            What::NotKept { reason } => write!(f, "not kept on disk: {reason}; a restart in an outage would lose them"),
        }
    }
}

/// Displays an origin as the configuration writes it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a>(pub &'a Origin);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::Net(net) => f.write_str(&show_net(*net)),
            Origin::Host(name) => f.write_str(name),
            Origin::File(path) => write!(f, "file:{}", path.display()),
            Origin::Feed(name) => write!(f, "feed:{name}"),
            Origin::Country(code) => write!(f, "country:{code}"),
            Origin::Own => f.write_str("own"),
            Origin::Learned => f.write_str("learned"),
        }
    }
}

struct Prefixes(usize);

impl fmt::Display for Prefixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} prefix{}", self.0, if self.0 == 1 { "" } else { "es" })
    }
}

/// What asking or reading came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Addresses, aggregated.
    Fresh { nets: Vec<IpNet>, as_of: Timestamp, note: Option<String> },
    /// The source says that nothing changed.
    Same { as_of: Timestamp },
    /// It failed.
    Failed(String),
}

impl Entry {
    /// The entry after an outcome, and what there is to tell.
    pub(super) fn after(&self, origin: &Origin, outcome: Outcome) -> (Self, Vec<Change>) {
        let mut changes = Vec::new();
        let mut tell = |what| changes.push(Change { origin: Some(origin.clone()), what });
        let mut entry = self.clone();
        match outcome {
            Outcome::Failed(reason) => {
                // Names and feeds may fail differently at each try; a file that is still wrong was edited.
                let is_edited = matches!(origin, Origin::File(_) | Origin::Country(_));
                if entry.trouble.is_none() || is_edited && entry.trouble.as_ref() != Some(&reason) {
                    tell(What::Trouble { reason: reason.clone(), nets: entry.nets.len() });
                }
                entry.trouble = Some(reason);
                return (entry, changes);
            }
            Outcome::Same { as_of } => entry.as_of = Some(as_of),
            Outcome::Fresh { nets, as_of, note } => {
                entry = Self { nets, as_of: Some(as_of), trouble: entry.trouble, note };
            }
        }
        if entry.trouble.take().is_some() {
            tell(What::WorksAgain { nets: self.nets.len() });
        }
        if entry.nets != self.nets {
            let note = entry.note.clone();
            tell(What::Addresses { before: self.nets.len(), after: entry.nets.len(), note });
        }
        (entry, changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(entry: &mut Entry, origin: &Origin, outcome: Outcome) -> Vec<String> {
        let (after, changes) = entry.after(origin, outcome);
        *entry = after;
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_are_told_once() {
        let fresh = |texts: &[&str], note: Option<&str>| Outcome::Fresh {
            nets: texts.iter().map(|text| text.parse().unwrap()).collect(),
            as_of: Timestamp { unix_ms: 1 },
            note: note.map(str::to_owned),
        };
        let failed = |reason: &str| Outcome::Failed(reason.to_owned());
        let mut entry = Entry::default();
        let feed = Origin::Feed("f".to_owned());
        let list = ["192.0.2.0/24", "203.0.113.0/24"];
        assert_eq!(told(&mut entry, &feed, failed("down")), ["feed:f: down; no address of it is known"]);
        assert_eq!(told(&mut entry, &feed, failed("still down")), [""; 0]);
        assert_eq!(entry.trouble.as_deref(), Some("still down"));
        assert_eq!(
            told(&mut entry, &feed, fresh(&list, Some("1 skipped"))),
            ["feed:f: works again, 0 prefixes", "feed:f: 2 prefixes, 0 before; 1 skipped"]
        );
        assert_eq!(told(&mut entry, &feed, fresh(&list, None)), [""; 0]);
        assert_eq!(told(&mut entry, &feed, failed("down")), ["feed:f: down; the 2 prefixes known last stay in force"]);
        assert_eq!(
            told(&mut entry, &feed, Outcome::Same { as_of: Timestamp { unix_ms: 9 } }),
            ["feed:f: works again, 2 prefixes"]
        );
        assert_eq!((entry.as_of, entry.nets.len()), (Some(Timestamp { unix_ms: 9 }), 2));
        let file = Origin::File("/x".into());
        assert_eq!(told(&mut entry, &file, failed("line 1")).len(), 1);
        assert_eq!(told(&mut entry, &file, failed("line 1")).len(), 0);
        assert_eq!(
            told(&mut entry, &file, failed("line 2")),
            ["file:/x: line 2; the 2 prefixes known last stay in force"]
        );
    }
}
