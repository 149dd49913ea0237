//! `cargo xtask tidy`: the project's rules that neither the compiler nor clippy checks. Every fault says what to do.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

mod code;
mod dependencies;
mod rust;
mod text;
mod unsafe_list;

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// A path, with its line where there is one, or a package.
    place: String,
    /// What is wrong there and what to do.
    what: String,
}

impl Fault {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks every rule; the error lists all faults.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut faults = dependencies::check(workspace)?;
    let mut unsafe_places = unsafe_list::Places::default();
    for path in project_files(workspace)? {
        // Packet captures and other data are no text.
        let Ok(content) = fs::read_to_string(workspace.root.join(&path)) else { continue };
        faults.extend(text::check(&path, &content));
        if path.ends_with(".rs") {
            faults.extend(rust::check(&path, &content));
            unsafe_places.add(&path, &content);
        }
    }
    let list = fs::read_to_string(workspace.root.join(unsafe_list::LIST)).context(unsafe_list::LIST)?;
    faults.extend(unsafe_places.check(&list));
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    bail!("{} found:\n{}", counted(faults.len()), lines.join("\n"))
}

/// What git has or would have, so that nothing built or downloaded is judged.
fn project_files(workspace: &Workspace) -> Result<Vec<String>> {
    let mut command = Command::new("git");
    command.current_dir(&workspace.root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = process::stdout_of(&mut command).context("tidy asks git which files are the project's")?;
    Ok(listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn counted(faults: usize) -> String {
    if faults == 1 { "1 broken rule".to_owned() } else { format!("{faults} broken rules") }
}
