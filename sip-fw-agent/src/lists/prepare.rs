//! Before a configuration is put in force: everything it asks for is read, or asked for.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sip_fw_core::duration::Short;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::ask::{Asked, Plan, Told, Tools, fetch};
use super::country::{self, Countries};
use super::disk;
use super::file::{self, FileError, Signature};
use super::known::{Entry, Fault, Snapshot, Wanted};
use super::pace::READ_MAX;
use super::watch::{Content, Watched};
use super::{aside, feed};
use crate::config::Origin;

/// What is known of an origin, and when it is asked for next.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub entry: Arc<Entry>,
    /// Names and feeds have one.
    pub plan: Option<Plan>,
}

/// All that a configuration asks for, ready to be put in force by [`super::Lists::adopt`].
#[derive(Debug, Default)]
pub struct Prepared {
    pub(super) wanted: Wanted,
    pub(super) known: HashMap<Origin, Known>,
    pub(super) watched: Vec<Watched>,
    /// Why something that was fetched could not be kept on disk.
    pub(super) not_kept: Vec<(Origin, String)>,
}

/// What becomes of a list that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The configuration is faulty.
    Refused,
    /// It has no addresses until it can be read.
    Empty,
}

/// All files and countries, and what is wrong with some.
type Read = (Vec<(Origin, Known)>, Vec<Watched>, Vec<Fault>);
/// One file, with the origins that come from it.
type ReadFile = (Vec<(Origin, Known)>, Watched);

impl Prepared {
    /// What is known of everything that the configuration asks for.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        snapshot(&self.known)
    }
}

/// What is known, for the agent.
pub(super) fn snapshot(known: &HashMap<Origin, Known>) -> Snapshot {
    Snapshot(Arc::new(known.iter().map(|(origin, known)| (origin.clone(), Arc::clone(&known.entry))).collect()))
}

/// Everybody that a configuration wants asked.
pub(super) fn asked(wanted: &Wanted) -> Vec<Asked> {
    let servers: Arc<[_]> = wanted.dns_servers.clone().into();
    let hosts = wanted.hosts.iter().map(|name| Asked::Host { name: name.clone(), servers: Arc::clone(&servers) });
    hosts.chain(wanted.feeds.iter().cloned().map(Asked::Feed)).collect()
}

/// Reads and asks. `remembered` is what is known of some names and feeds already.
pub(super) async fn prepare(
    wanted: Wanted,
    remembered: HashMap<Origin, Known>,
    tools: &Tools,
    patience: Duration,
    unreadable: Unreadable,
) -> Result<Prepared, Vec<Fault>> {
    let deadline = Instant::now() + patience;
    let names_and_feeds = async {
        let mut known = remembered;
        let missing = |known: &HashMap<Origin, Known>| {
            let is_missing = |asked: &Asked| !known.contains_key(&asked.origin());
            asked(&wanted).into_iter().filter(is_missing).collect::<Vec<_>>()
        };
        known.extend(from_disk(missing(&known), tools, deadline).await);
        let (answers, not_kept) = ask_all(missing(&known), tools, patience, deadline).await;
        known.extend(answers);
        (known, not_kept)
    };
    let ((files, watched, faults), (mut known, not_kept)) = tokio::join!(read_files(&wanted), names_and_feeds);
    known.extend(files);
    match unreadable {
        Unreadable::Refused if !faults.is_empty() => return Err(faults),
        Unreadable::Refused => {}
        Unreadable::Empty => known.extend(faults.into_iter().map(without_addresses)),
    }
    Ok(Prepared { wanted, known, watched, not_kept })
}

async fn from_disk(missing: Vec<Asked>, tools: &Tools, deadline: Instant) -> Vec<(Origin, Known)> {
    if missing.is_empty() {
        return Vec::new();
    }
    let tools = tools.clone();
    let reading = aside::run("disk", move || {
        let hosts = disk::read_hosts(&tools.folder);
        let known = |asked: &Asked| match asked {
            Asked::Host { name, .. } => {
                let kept = hosts.get(name)?;
                let nets = super::net::aggregated(kept.nets.clone());
                let entry = Entry { nets, as_of: Some(kept.as_of), ..Entry::default() };
                Some((asked.origin(), Known { entry: entry.into(), plan: Some(Plan::now()) }))
            }
            Asked::Feed(rules) => {
                let (as_of, feed::List { nets, note, validators }) = fetch(rules, &tools, None).kept()?;
                let entry = Entry { nets, as_of: Some(as_of), trouble: None, note };
                let plan = Plan::of_kept(rules, as_of, validators);
                Some((asked.origin(), Known { entry: entry.into(), plan: Some(plan) }))
            }
        };
        missing.iter().filter_map(known).collect()
    });
    // Whatever cannot be had from the disk is asked for.
    timeout_at(deadline.max(Instant::now() + READ_MAX), reading).await.ok().and_then(Result::ok).unwrap_or_default()
}

async fn ask_all(
    missing: Vec<Asked>,
    tools: &Tools,
    patience: Duration,
    deadline: Instant,
) -> (HashMap<Origin, Known>, Vec<(Origin, String)>) {
    let late = Entry { trouble: Some(format!("no answer yet, after {}", Short(patience))), ..Entry::default() };
    let mut known: HashMap<Origin, Known> = missing
        .iter()
        .map(|asked| (asked.origin(), Known { entry: late.clone().into(), plan: Some(Plan::now()) }))
        .collect();
    let mut not_kept = Vec::new();
    let mut asking = JoinSet::new();
    for asked in missing {
        let tools = tools.clone();
        asking.spawn(async move {
            let mut plan = Plan::now();
            let told = asked.ask(&tools, &[], &mut plan).await;
            (asked.origin(), told, plan)
        });
    }
    while let Ok(Some(answer)) = timeout_at(deadline, asking.join_next()).await {
        // One that panicked is as late as one without an answer.
        let Ok((origin, Told { outcome, not_kept: disk }, plan)) = answer else { continue };
        let (entry, _) = Entry::default().after(&origin, outcome);
        not_kept.extend(disk.flatten().map(|reason| (origin.clone(), reason)));
        known.insert(origin, Known { entry: entry.into(), plan: Some(plan) });
    }
    (known, not_kept)
}

/// What is known of a list that cannot be read.
fn without_addresses(fault: Fault) -> (Origin, Known) {
    let entry = Entry { trouble: Some(fault.reason), ..Entry::default() };
    (fault.origin, Known { entry: entry.into(), plan: None })
}

async fn read_files(wanted: &Wanted) -> Read {
    // Each on a thread of its own: one that hangs must not hide the faults of the others.
    let mut reading = JoinSet::new();
    for path in wanted.files.iter().cloned() {
        reading.spawn(read_aside(Origin::File(path.clone()), move || read_list(path)));
    }
    if let Some(first) = wanted.countries.first() {
        let (db, countries) = (wanted.country_db.clone(), wanted.countries.clone());
        reading.spawn(read_aside(Origin::Country(first.clone()), move || read_countries(db, countries)));
    }
    let (mut known, mut watched, mut faults): Read = (Vec::new(), Vec::new(), Vec::new());
    while let Some(read) = reading.join_next().await {
        match read {
            Ok(Ok((origins, file))) => {
                known.extend(origins);
                watched.push(file);
            }
            Ok(Err(more)) => faults.extend(more),
            // `read_aside` neither panics nor is aborted.
            Err(_) => {}
        }
    }
    // By origin; those of one file stay in the order of its lines.
    faults.sort_by(|a: &Fault, b| a.origin.cmp(&b.origin));
    let is_read = |path: &PathBuf, watched: &[Watched]| watched.iter().any(|file| file.path == *path);
    for path in wanted.files.iter().filter(|path| !is_read(path, &watched)).cloned().collect::<Vec<_>>() {
        watched.push(Watched::new(path, Content::List, None));
    }
    let db = wanted.country_db.as_ref().filter(|path| !wanted.countries.is_empty() && !is_read(path, &watched));
    if let Some(path) = db {
        watched.push(Watched::new(path.clone(), Content::Countries(wanted.countries.clone()), None));
    }
    (known, watched, faults)
}

async fn read_aside(
    origin: Origin,
    read: impl FnOnce() -> Result<ReadFile, Vec<Fault>> + Send + 'static,
) -> Result<ReadFile, Vec<Fault>> {
    let reason = match timeout(READ_MAX, aside::run("file", read)).await {
        Ok(Ok(read)) => return read,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("cannot be read within {}", Short(READ_MAX)),
    };
    Err(vec![Fault { origin, reason }])
}

fn read_list(path: PathBuf) -> Result<ReadFile, Vec<Fault>> {
    let origin = Origin::File(path.clone());
    let fault = |error: FileError| Fault { origin: origin.clone(), reason: error.to_string() };
    let signature = Signature::of(&path).map_err(|error| vec![fault(error.into())])?;
    let nets = file::read(&path).map_err(|errors| errors.into_iter().map(fault).collect::<Vec<_>>())?;
    let known = of_file(nets, signature);
    Ok((vec![(origin, known)], Watched::new(path, Content::List, Some(signature))))
}

fn read_countries(db: Option<PathBuf>, wanted: BTreeSet<String>) -> Result<ReadFile, Vec<Fault>> {
    let fault = |code: &String, reason: String| Fault { origin: Origin::Country(code.clone()), reason };
    // One for all of them: they share the database.
    let faults = |reason: String| wanted.first().map(|code| fault(code, reason)).into_iter().collect::<Vec<_>>();
    let Some(path) = db else {
        return Err(faults("no database: set country_db to the path of one like GeoLite2-Country.mmdb".to_owned()));
    };
    let wrong = |error: &dyn std::fmt::Display| faults(format!("{} {error}", path.display()));
    let signature = Signature::of(&path).map_err(|error| wrong(&error))?;
    let Countries { mut nets, known: allowed } = country::read(&path, &wanted).map_err(|error| wrong(&error))?;
    let allowed = || allowed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut known = Vec::new();
    let mut faults = Vec::new();
    for code in &wanted {
        match nets.remove(code) {
            Some(nets) => known.push((Origin::Country(code.clone()), of_file(nets, signature))),
            None => faults.push(fault(code, format!("{} has no network for it; it has {}", path.display(), allowed()))),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok((known, Watched::new(path, Content::Countries(wanted), Some(signature))))
}

fn of_file(nets: Vec<IpNet>, signature: Signature) -> Known {
    let entry = Entry { nets, as_of: Some(signature.modified()), ..Entry::default() };
    Known { entry: entry.into(), plan: None }
}
