//! What must hold for every input of every reader of hostile bytes: a function for each fuzz target, which panics where it
//! does not.
//!
//! libFuzzer calls them with what it makes up (`fuzz_targets/`, `cargo xtask fuzz`); on any compiler `tests/corpus.rs` does with
//! what is kept, and `tests/round` with inputs made of that. `docs/fuzzing.md` says what is compared with what.
#![expect(clippy::unwrap_used, reason = "a property that cannot be checked has failed")]

use std::fs;
use std::path::{Path, PathBuf};

pub mod config;
pub mod control;
pub mod head;
pub mod judge;
pub mod lists;
pub mod packet;
pub mod pcap;
pub mod plain;
pub mod rules;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module, its program and its folder in `corpus/`.
    pub name: &'static str,
    /// What must hold; panics where it does not.
    pub check: fn(&[u8]),
}

impl Target {
    /// The files of its corpus, in the order of their names.
    #[must_use]
    pub fn corpus(&self) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name);
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "head", check: head::check },
    Target { name: "packet", check: packet::check },
    Target { name: "judge", check: judge::check },
    Target { name: "rules", check: rules::check },
    Target { name: "config", check: config::check },
    Target { name: "control", check: control::check },
    Target { name: "lists", check: lists::check },
    Target { name: "pcap", check: pcap::check },
];
