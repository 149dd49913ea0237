//! Files that are read again when they change: lists, and the country database.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sip_fw_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::aside;
use super::ask::News;
use super::country::{self, Countries};
use super::file::{self, FileError, Signature};
use super::known::Outcome;
use super::pace::Pace;
use crate::config::Origin;

/// A file, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Where it is.
    pub path: PathBuf,
    /// What is read from it.
    pub content: Content,
    /// The state that was read last; None when it could not even be looked at.
    pub read: Option<Signature>,
    /// The state at the last look.
    pub seen: Option<Signature>,
}

/// What is read from a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// Addresses.
    List,
    /// Those of these countries.
    Countries(BTreeSet<String>),
}

/// Looks at files until nobody listens.
pub async fn keep(mut files: Vec<Watched>, pace: Pace, generation: u64, out: mpsc::Sender<News>) {
    if files.is_empty() {
        return;
    }
    loop {
        sleep(pace.look).await;
        let mut looked = files.clone();
        let Ok((back, outcomes)) = aside::run("files", move || {
            let outcomes: Vec<_> = looked.iter_mut().flat_map(Watched::look).collect();
            (looked, outcomes)
        })
        .await
        else {
            // No thread just now; the next look comes.
            continue;
        };
        files = back;
        for (origin, outcome) in outcomes {
            if out.send(News::Update { generation, origin, outcome, plan: None }).await.is_err() {
                return;
            }
        }
    }
}

impl Watched {
    /// A file that was read in this state.
    pub fn new(path: PathBuf, content: Content, read: Option<Signature>) -> Self {
        Self { path, content, read, seen: read }
    }

    /// Reads the file if it is another than the one that was read, and the same as at the last look: who is still
    /// writing it would have it read in halves.
    fn look(&mut self) -> Vec<(Origin, Outcome)> {
        let now = Signature::of(&self.path);
        let signature = now.as_ref().ok().copied();
        let is_settled = self.seen == signature;
        self.seen = signature;
        if !is_settled || self.read == signature {
            return Vec::new();
        }
        self.read = signature;
        match (now, &self.content) {
            (Ok(signature), Content::List) => vec![(self.origin(), self.list(signature.modified()))],
            (Ok(signature), Content::Countries(wanted)) => self.countries(wanted, signature.modified()),
            (Err(error), Content::List) => vec![(self.origin(), Outcome::Failed(error.to_string()))],
            (Err(error), Content::Countries(wanted)) => self.all_failed(wanted, &error.to_string()),
        }
    }

    fn origin(&self) -> Origin {
        Origin::File(self.path.clone())
    }

    fn list(&self, as_of: Timestamp) -> Outcome {
        match file::read(&self.path) {
            Ok(nets) => Outcome::Fresh { nets, as_of, note: None },
            Err(errors) => Outcome::Failed(one_line(&errors)),
        }
    }

    fn countries(&self, wanted: &BTreeSet<String>, as_of: Timestamp) -> Vec<(Origin, Outcome)> {
        let Countries { mut nets, .. } = match country::read(&self.path, wanted) {
            Ok(countries) => countries,
            Err(error) => return self.all_failed(wanted, &error.to_string()),
        };
        let outcome = |code: &String| match nets.remove(code) {
            Some(nets) => Outcome::Fresh { nets, as_of, note: None },
            None => Outcome::Failed(format!("{} has no network for it any more", self.path.display())),
        };
        let outcomes: Vec<_> = wanted.iter().map(outcome).collect();
        wanted.iter().cloned().map(Origin::Country).zip(outcomes).collect()
    }

    fn all_failed(&self, wanted: &BTreeSet<String>, reason: &str) -> Vec<(Origin, Outcome)> {
        let reason = format!("{} {reason}", self.path.display());
        wanted.iter().map(|code| (Origin::Country(code.clone()), Outcome::Failed(reason.clone()))).collect()
    }
}

/// The first error, and how many there are.
fn one_line(errors: &[FileError]) -> String {
    match errors {
        [] => String::new(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first}; and more lines like this, {} at least", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_once_it_is_settled() {
        let path = std::env::temp_dir().join(format!("sip-fw-watch-{}", std::process::id()));
        fs::write(&path, "192.0.2.1\n").unwrap();
        let mut file = Watched::new(path.clone(), Content::List, Signature::of(&path).ok());
        assert_eq!(file.look(), [], "nothing changed");
        fs::write(&path, "192.0.2.1\n192.0.2.3\n").unwrap();
        assert_eq!(file.look(), [], "somebody may still be writing");
        let outcomes = file.look();
        assert!(matches!(&outcomes[..], [(Origin::File(_), Outcome::Fresh { nets, .. })] if nets.len() == 2));
        assert_eq!(file.look(), []);
        fs::write(&path, "192.0.2.1\nx\ny\n").unwrap();
        assert_eq!(file.look(), []);
        let outcomes = file.look();
        assert!(
            matches!(&outcomes[..], [(_, Outcome::Failed(reason))] if reason.starts_with("line 2: \"x\" is neither")
                && reason.ends_with("; and more lines like this, 1 at least")),
            "{outcomes:?}"
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(file.look(), []);
        assert!(matches!(&file.look()[..], [(_, Outcome::Failed(reason))] if reason.starts_with("cannot be read")));
        assert_eq!(file.look(), []);
    }
}
