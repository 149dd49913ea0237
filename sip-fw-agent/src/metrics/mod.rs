//! Figures for Prometheus, served from a thread of its own: whatever a client does there, the agent's loop does not notice.

mod connections;
#[cfg(test)]
mod documents;
mod encode;
mod page;
mod serve;
mod snapshot;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::watch;

pub use snapshot::{Census, RulesFigures, Snapshot};

use page::Page;

/// The agent's end.
#[derive(Debug)]
pub struct Metrics {
    pins: PathBuf,
    snapshot: watch::Sender<Snapshot>,
    address: watch::Sender<Option<SocketAddr>>,
    trouble: watch::Sender<Option<String>>,
    told: Option<String>,
    has_thread: bool,
}

impl Metrics {
    /// Nothing is served yet.
    #[must_use]
    pub fn new(pins: &Path) -> Self {
        Self {
            pins: pins.to_owned(),
            snapshot: watch::Sender::default(),
            address: watch::Sender::default(),
            trouble: watch::Sender::default(),
            told: None,
            has_thread: false,
        }
    }

    /// From now on these are the figures.
    pub fn show(&self, snapshot: Snapshot) {
        self.snapshot.send_replace(snapshot);
    }

    /// The figures shown last.
    #[must_use]
    pub fn shown(&self) -> watch::Ref<'_, Snapshot> {
        self.snapshot.borrow()
    }

    /// Serves at this address and at no other. What is not possible now is tried again and again, see [`Self::trouble`].
    pub fn listen(&mut self, address: Option<SocketAddr>) {
        let is_new = |now: &mut Option<SocketAddr>| std::mem::replace(now, address) != address;
        self.address.send_if_modified(is_new);
        if address.is_none() || self.has_thread {
            return;
        }
        let page = Page::new(&self.pins, self.snapshot.subscribe());
        let (address, trouble) = (self.address.subscribe(), self.trouble.clone());
        let started =
            thread::Builder::new().name("metrics".to_owned()).spawn(move || serve::run(address, page, &trouble));
        if let Err(error) = &started {
            self.trouble.send_replace(Some(format!("metrics are not served: no thread: {error}")));
        }
        self.has_thread = started.is_ok();
    }

    /// What keeps them from being served, if that was not told before.
    pub fn trouble(&mut self) -> Option<String> {
        let trouble = self.trouble.borrow().clone();
        if self.told == trouble {
            return None;
        }
        self.told.clone_from(&trouble);
        trouble
    }
}
