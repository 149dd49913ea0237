//! Which configuration is in force for good, which one waits for its confirmation, and which ones were never confirmed: files
//! in the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::FILE_BYTES_MAX;
use crate::files::{read_text, replace};

/// Configurations that were not confirmed are remembered up to this number; the oldest is forgotten first.
const REFUSED_MAX: usize = 16;

/// The files.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

/// What an agent that starts goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The configuration file.
    File,
    /// The text that waits for its confirmation; should it not come, the text before.
    Waiting {
        /// The text that waits.
        text: String,
        /// The text before.
        before: String,
    },
    /// The text before: that of the file was not confirmed in time.
    Before(String),
}

impl State {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the text is that is in force for good.
    pub fn applied_path(&self) -> PathBuf {
        self.folder.join("applied.toml")
    }

    /// That text.
    pub fn applied_text(&self) -> Option<String> {
        text_of(&self.applied_path())
    }

    /// What to go by, from the text of the configuration file and whether the kernel still waits.
    pub fn choose(&self, file: &str, waits: bool) -> Choice {
        let Some(before) = self.applied_text() else { return Choice::File };
        match text_of(&self.tried_path()) {
            Some(text) if waits => Choice::Waiting { text, before },
            _ if self.is_refused(file) => Choice::Before(before),
            _ => Choice::File,
        }
    }

    /// Whether a text was tried and not confirmed.
    pub fn is_refused(&self, text: &str) -> bool {
        self.refused().iter().any(|(_, path)| text_of(path).is_some_and(|refused| refused == text))
    }

    /// Remembers a text that is in force for good.
    pub fn applied(&self, text: &str) -> io::Result<()> {
        self.write(&self.applied_path(), text)?;
        for (_, path) in self.refused() {
            if text_of(&path).is_some_and(|refused| refused == text) {
                remove(&path)?;
            }
        }
        remove(&self.tried_path())
    }

    /// Remembers a text before it is in force until it is confirmed: unless it is, it must not come back by itself.
    pub fn trying(&self, text: &str, before: &str) -> io::Result<()> {
        self.applied(before)?;
        if text != before && !self.is_refused(text) {
            let refused = self.refused();
            let next = refused.last().map_or(0, |(number, _)| number + 1);
            for (_, oldest) in refused.iter().rev().skip(REFUSED_MAX - 1) {
                remove(oldest)?;
            }
            self.write(&self.refused_folder().join(format!("{next}.toml")), text)?;
        }
        self.write(&self.tried_path(), text)
    }

    /// Remembers that what was tried is in force no more.
    pub fn went_back(&self) -> io::Result<()> {
        remove(&self.tried_path())
    }

    fn tried_path(&self) -> PathBuf {
        self.folder.join("unconfirmed.toml")
    }

    fn refused_folder(&self) -> PathBuf {
        self.folder.join("refused")
    }

    /// The texts that were not confirmed, by their number, oldest first.
    fn refused(&self) -> Vec<(u64, PathBuf)> {
        let Ok(folder) = fs::read_dir(self.refused_folder()) else { return Vec::new() };
        let numbered = |path: PathBuf| Some((path.file_stem()?.to_str()?.parse().ok()?, path));
        let mut found: Vec<_> = folder.filter_map(|entry| numbered(entry.ok()?.path())).collect();
        found.sort();
        found
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        replace(path, text)
    }
}

fn text_of(path: &Path) -> Option<String> {
    read_text(path, FILE_BYTES_MAX).ok()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_confirmed_does_not_come_back() {
        let folder = std::env::temp_dir().join(format!("sip-fw-state-{}", std::process::id()));
        let state = State::new(&folder);
        let before = Choice::Before("old".to_owned());
        assert_eq!(state.choose("new", false), Choice::File, "nothing is known yet");
        state.trying("new", "old").unwrap();
        let waiting = Choice::Waiting { text: "new".to_owned(), before: "old".to_owned() };
        assert_eq!(state.choose("new", true), waiting);
        assert_eq!(state.choose("new", false), before, "killed while it waited");
        state.went_back().unwrap();
        assert_eq!(state.choose("new", true), before, "the next one waits, in a kernel that lost its text");
        assert_eq!(state.choose("newer", false), Choice::File, "somebody changed the file since");
        state.trying("newer", "old").unwrap();
        state.went_back().unwrap();
        assert_eq!(state.choose("new", false), before, "an earlier one was tried before the last one");
        assert_eq!(state.choose("newer", false), before);
        state.applied("new").unwrap();
        assert_eq!(state.choose("new", false), Choice::File);
        state.trying("new", "new").unwrap();
        state.went_back().unwrap();
        assert!(!state.is_refused("new"), "what is in force already cannot be refused");
        for number in 0..2 * REFUSED_MAX {
            state.trying(&number.to_string(), "new").unwrap();
        }
        assert_eq!(state.refused().len(), REFUSED_MAX);
        assert!(state.is_refused("31") && state.is_refused("16") && !state.is_refused("15"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
