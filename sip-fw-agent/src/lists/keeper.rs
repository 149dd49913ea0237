//! The lists that are in force: what is known of them, and the tasks that keep them fresh.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::ask::{Asked, News, Plan, Tools};
use super::disk::{self, HostAddresses, Hosts};
use super::known::{Change, Entry, Outcome, Snapshot, Wanted, What};
use super::memory::Memory;
use super::pace::{FETCHES_AT_ONCE, LOOKUPS_AT_ONCE, Pace};
use super::prepare::{self, Known, Prepared, asked};
use super::watch::Watched;
use super::{aside, watch as files};
use crate::config::Origin;
use crate::http::Roots;

/// News that wait for the agent; who has more to tell waits, too.
const NEWS_WAITING_MAX: usize = 64;
/// How much older the time of an answer on disk may be than the last one with the same addresses.
const HOSTS_KEPT_AGE: Duration = Duration::from_secs(3600);

/// The lists that are in force, and what keeps them fresh. All of it stops when it is dropped.
#[derive(Debug)]
pub struct Lists {
    tools: Tools,
    wanted: Wanted,
    known: HashMap<Origin, Known>,
    /// As they were when the set was prepared.
    watched: Vec<Watched>,
    snapshot: Snapshot,
    /// Counts the sets of tasks.
    generation: u64,
    tasks: JoinSet<()>,
    news: mpsc::Receiver<News>,
    out: mpsc::Sender<News>,
    /// Those that cannot be kept on disk; said once.
    not_kept: BTreeSet<Option<Origin>>,
    /// To the task that keeps the addresses of names; None before the first set.
    hosts: Option<watch::Sender<Hosts>>,
}

impl Lists {
    /// Nothing is in force yet. What is learned is kept below `<state>/lists/`, so that an outage at the next start is
    /// harmless.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self::with(state, Pace::USUAL, Roots::System)
    }

    pub(super) fn with(state: &Path, pace: Pace, roots: Roots) -> Self {
        let (out, news) = mpsc::channel(NEWS_WAITING_MAX);
        let tools = Tools {
            folder: state.join("lists"),
            pace,
            roots,
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
            fetches: Arc::new(Semaphore::new(FETCHES_AT_ONCE)),
        };
        Self {
            tools,
            wanted: Wanted::default(),
            known: HashMap::new(),
            watched: Vec::new(),
            snapshot: Snapshot::default(),
            generation: 0,
            tasks: JoinSet::new(),
            news,
            out,
            not_kept: BTreeSet::new(),
            hosts: None,
        }
    }

    /// What is known at this moment, to prepare another configuration with.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory { tools: self.tools.clone(), wanted: self.wanted.clone(), known: self.known.clone() }
    }

    /// What is in force, to be adopted again.
    #[must_use]
    pub fn current(&self) -> Prepared {
        Prepared {
            wanted: self.wanted.clone(),
            known: self.known.clone(),
            watched: self.watched.clone(),
            not_kept: Vec::new(),
        }
    }

    /// Puts a prepared set in force. What it asks for is kept fresh from now on, what only the last one asked for is not.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn adopt(&mut self, prepared: Prepared) {
        let Prepared { wanted, known, watched, not_kept } = prepared;
        self.generation += 1;
        self.tasks = JoinSet::new();
        self.wanted = wanted;
        self.watched.clone_from(&watched);
        self.known = known;
        self.snapshot = prepare::snapshot(&self.known);
        self.not_kept.retain(|origin| origin.as_ref().is_none_or(|origin| self.known.contains_key(origin)));
        for asked in asked(&self.wanted) {
            let known = self.known.get(&asked.origin()).cloned().unwrap_or_default();
            // Only names need their last addresses.
            let previous = if matches!(asked, Asked::Host { .. }) { known.entry.nets.clone() } else { Vec::new() };
            let plan = known.plan.unwrap_or_else(Plan::now);
            let (tools, out) = (self.tools.clone(), self.out.clone());
            self.tasks.spawn(asked.keep(tools, previous, plan, self.generation, out));
        }
        self.tasks.spawn(files::keep(watched, self.tools.pace, self.generation, self.out.clone()));
        for (origin, reason) in not_kept {
            // With a full queue the next try tells it.
            let _ = self.out.try_send(News::NotKept { origin: Some(origin), reason: Some(reason) });
        }
        self.keep_hosts();
    }

    /// What is in force.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Waits until something becomes of a list; [`Self::snapshot`] has it already then. May be dropped at any time without
    /// losing a change.
    pub async fn changed(&mut self) -> Vec<Change> {
        loop {
            let Some(news) = self.news.recv().await else {
                // Cannot be: `out` keeps the queue open.
                std::future::pending().await
            };
            let mut changes = self.take(news);
            while let Ok(news) = self.news.try_recv() {
                changes.extend(self.take(news));
            }
            if !changes.is_empty() {
                return changes;
            }
        }
    }

    fn take(&mut self, news: News) -> Vec<Change> {
        match news {
            News::Update { generation, origin, outcome, plan } if generation == self.generation => {
                self.update(origin, outcome, plan)
            }
            News::Update { .. } => Vec::new(),
            News::NotKept { origin, reason: None } => {
                self.not_kept.remove(&origin);
                Vec::new()
            }
            News::NotKept { origin, reason: Some(reason) } => {
                let is_new = self.not_kept.insert(origin.clone());
                is_new.then_some(Change { origin, what: What::NotKept { reason } }).into_iter().collect()
            }
        }
    }

    fn update(&mut self, origin: Origin, outcome: Outcome, plan: Option<Plan>) -> Vec<Change> {
        let known = self.known.entry(origin.clone()).or_default();
        let (entry, changes) = known.entry.after(&origin, outcome);
        known.entry = Arc::new(entry);
        known.plan = plan;
        Arc::make_mut(&mut self.snapshot.0).insert(origin.clone(), Arc::clone(&known.entry));
        if matches!(origin, Origin::Host(_)) {
            self.keep_hosts();
        }
        changes
    }

    /// Has the addresses of names written to disk if what is there is out of date.
    fn keep_hosts(&mut self) {
        let hosts = self.hosts.get_or_insert_with(|| {
            let (hosts, changes) = watch::channel(Hosts::new());
            // Not one of the tasks: it goes on over all sets, and ends with the sender.
            tokio::spawn(write_hosts(self.tools.folder.clone(), changes, self.out.clone()));
            hosts
        });
        let now: Hosts = self.known.iter().filter_map(|(origin, known)| kept(origin, &known.entry)).collect();
        hosts.send_if_modified(|last| {
            let is_old = !now.keys().eq(last.keys())
                || now.values().zip(last.values()).any(|(now, last)| {
                    let age = now.as_of.unix_ms.saturating_sub(last.as_of.unix_ms).unsigned_abs();
                    now.nets != last.nets || u128::from(age) > HOSTS_KEPT_AGE.as_millis()
                });
            if is_old {
                *last = now;
            }
            is_old
        });
    }
}

fn kept(origin: &Origin, entry: &Entry) -> Option<(String, HostAddresses)> {
    let (Origin::Host(name), Some(as_of)) = (origin, entry.as_of) else { return None };
    Some((name.clone(), HostAddresses { as_of, nets: entry.nets.clone() }))
}

/// Writes the addresses of names whenever they change.
async fn write_hosts(folder: PathBuf, mut changes: watch::Receiver<Hosts>, out: mpsc::Sender<News>) {
    while changes.changed().await.is_ok() {
        let hosts = changes.borrow_and_update().clone();
        let folder = folder.clone();
        let reason = match aside::run("disk", move || disk::write_hosts(&folder, &hosts)).await {
            Ok(written) => written.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if out.send(News::NotKept { origin: None, reason }).await.is_err() {
            return;
        }
    }
}
