//! Which configuration was confirmed last, and which one was tried and not confirmed: two files in the state folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The two files.
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
    /// The text before: the file was not confirmed in time.
    Before(String),
}

impl State {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What to go by, from the text of the configuration file and whether the kernel still waits.
    pub fn choose(&self, file: &str, waits: bool) -> Choice {
        let (Some(tried), Some(before)) = (self.read(Self::UNCONFIRMED), self.read(Self::APPLIED)) else {
            return Choice::File;
        };
        if waits {
            Choice::Waiting { text: tried, before }
        } else if tried == file {
            Choice::Before(before)
        } else {
            Choice::File
        }
    }

    /// Remembers a text that is in force for good.
    pub fn applied(&self, text: &str) -> io::Result<()> {
        self.write(Self::APPLIED, text)?;
        match fs::remove_file(self.folder.join(Self::UNCONFIRMED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Remembers a text before it is in force until it is confirmed.
    pub fn trying(&self, text: &str) -> io::Result<()> {
        self.write(Self::UNCONFIRMED, text)
    }

    const APPLIED: &'static str = "applied.toml";
    const UNCONFIRMED: &'static str = "unconfirmed.toml";

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        replace(&self.folder.join(name), text)
    }
}

/// Writes a file so that there is always the old one or the new one.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_confirmed_does_not_come_back() {
        let folder = std::env::temp_dir().join(format!("sip-fw-state-{}", std::process::id()));
        let state = State::new(&folder);
        assert_eq!(state.choose("new", false), Choice::File, "nothing is known yet");
        state.applied("old").unwrap();
        state.trying("new").unwrap();
        let waiting = Choice::Waiting { text: "new".to_owned(), before: "old".to_owned() };
        assert_eq!(state.choose("new", true), waiting);
        assert_eq!(state.choose("new", false), Choice::Before("old".to_owned()));
        assert_eq!(state.choose("newer", false), Choice::File, "somebody changed the file since");
        state.applied("new").unwrap();
        assert_eq!(state.choose("new", false), Choice::File);
        fs::remove_dir_all(&folder).unwrap();
    }
}
