//! What happened, and what must outlive a reboot: an SQLite database that a thread of its own writes.
//!
//! The kernel's maps are the truth of what is enforced; the database follows them, and gives them back after a reboot. Nothing here
//! makes the agent's loop wait for a disk: it leaves what changed in a mailbox, whose size the tables bound.

mod aside;
mod database;
mod events;
mod gaps;
mod mailbox;
mod recall;
mod rows;
mod salvage;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip_fw_core::record::Record;
use sip_fw_core::time::Timestamp;

pub use database::StoreError;
pub use events::{Page, read_events};
pub use mailbox::Changes;
use mailbox::Mailbox;
pub use recall::Recalled;
pub use rows::{BanRow, PeerRow, StrikeRow};

use crate::clock;

/// What is not written by then is not written at the end.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Bounds of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRules {
    /// How long events are kept.
    pub keep: Duration,
    /// Bytes of the database; the oldest events go first.
    pub bytes_max: u64,
}

/// How the database is, for `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreView {
    /// Its file.
    pub path: String,
    /// `ok`, or `degraded`: then what happens is kept in memory until it can be written.
    pub state: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Bans, known peers and strikes that wait to be written.
    pub waiting: usize,
    /// Events that were not written, as too many waited.
    pub events_lost: u64,
}

/// The near end: never waits for the disk. Dropping it waits, but not for long, until everything is written.
pub struct Store {
    path: PathBuf,
    mailbox: Arc<Mailbox>,
    /// Nothing is sent here; it closes when the thread ends.
    ended: Receiver<()>,
}

impl Store {
    /// Where the database of a state folder is.
    #[must_use]
    pub fn path_in(state: &Path) -> PathBuf {
        state.join("state.db")
    }

    /// Reads what is remembered, and starts the thread that writes. A database that cannot be read is no reason not to start: what
    /// is wrong is among the [`Store::news`], and the thread goes on trying.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub fn open(state: &Path, rules: StoreRules) -> io::Result<(Self, Recalled)> {
        let path = Self::path_in(state);
        let mailbox = Arc::new(Mailbox::default());
        let recalled = recall::recall(&path, &mailbox);
        let (end, ended) = sync_channel(0);
        let (thread_path, thread_mailbox) = (path.clone(), Arc::clone(&mailbox));
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            writer::write_all(&thread_path, &thread_mailbox, rules);
            drop(end);
        })?;
        Ok((Self { path, mailbox, ended }, recalled))
    }

    /// Takes what changed in the tables.
    pub fn remember(&self, changes: Changes) {
        self.mailbox.remember(changes);
    }

    /// Takes an event, under its number.
    pub fn tell(&self, number: i64, record: &Arc<Record>) {
        self.mailbox.tell(number, record);
    }

    /// Other bounds from now on.
    pub fn set_rules(&self, rules: StoreRules) {
        self.mailbox.set_rules(rules);
    }

    /// What went wrong, or works again, since this was asked last.
    #[must_use]
    pub fn news(&self) -> Vec<String> {
        self.mailbox.take_news()
    }

    /// Whether the database lost what it had, so that everything must be remembered anew; true once.
    #[must_use]
    pub fn wants_everything(&self) -> bool {
        self.mailbox.take_wants_everything()
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is.
    #[must_use]
    pub fn view(&self) -> StoreView {
        let trouble = self.mailbox.trouble();
        StoreView {
            path: self.path.display().to_string(),
            state: if trouble.is_none() { "ok" } else { "degraded" }.to_owned(),
            trouble,
            bytes: self.mailbox.bytes(),
            waiting: self.mailbox.waiting(),
            events_lost: self.mailbox.events_lost(),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.mailbox.close();
        // Whichever comes first: the thread ended, or it had its time.
        let _ = self.ended.recv_timeout(LAST_WRITES);
    }
}

/// The time so long ago; the beginning of time if that was before it.
fn time_before(age: Duration) -> Timestamp {
    let now = clock::wall();
    let ms = i64::try_from(age.as_millis()).unwrap_or(now.unix_ms);
    Timestamp { unix_ms: now.unix_ms.saturating_sub(ms).max(0) }
}

#[cfg(test)]
mod tests;
