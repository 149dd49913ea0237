//! What must outlive a reboot.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::finding::{Finding, Group, State, unknown};
use crate::store::StoreView;

/// With less room than this, writing fails soon.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// What is known of the state folder, and of what keeps history in it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The folder.
    pub folder: PathBuf,
    /// Whether it can be written to; an error number if not.
    pub writable: Result<(), Errno>,
    /// Room on its file system, in bytes.
    pub free_bytes: Option<u64>,
    /// What the agent says of its history; None where it says nothing.
    pub history: Option<StoreView>,
}

impl Facts {
    /// Looks at the folder.
    #[must_use]
    pub fn gather(folder: &Path, history: Option<StoreView>) -> Self {
        let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
        let free = statvfs(existing).ok().map(|stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
        Self {
            folder: folder.to_owned(),
            writable: access(existing, AccessFlags::W_OK | AccessFlags::X_OK),
            free_bytes: free,
            history,
        }
    }
}

/// What is to be said of it.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![folder(facts)];
    findings.extend(facts.history.as_ref().map(history));
    findings
}

fn folder(facts: &Facts) -> Finding {
    let found = |state, text: String| Finding::new(Group::Store, "state-folder", state, text);
    let folder = facts.folder.display();
    if let Err(error) = facts.writable {
        return found(State::Problem, format!("{folder} cannot be written to: {}", error.desc()))
            .advise("make it writable for the agent, or set [paths] state");
    }
    match facts.free_bytes {
        None => unknown(Group::Store, "state-folder", format!("no word on the room left at {folder}")),
        Some(bytes) if bytes < FREE_BYTES_MIN => {
            found(State::Warning, format!("{folder}: {} MiB are left", bytes >> 20)).advise("make room there")
        }
        Some(bytes) => found(State::Ok, format!("{folder} can be written to, {} MiB are left", bytes >> 20)),
    }
}

fn history(history: &StoreView) -> Finding {
    let StoreView { path, state, trouble, bytes, .. } = history;
    let found = |state, text: String| Finding::new(Group::Store, "history", state, text);
    let trouble = trouble.as_deref().map_or_else(String::new, |trouble| format!(": {trouble}"));
    match state.as_str() {
        "ok" => found(State::Ok, format!("{path}: {} KiB", bytes.div_ceil(1024))),
        state => {
            found(State::Problem, format!("{path} is {state}{trouble}: what happens now may not survive a reboot"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(writable: Result<(), Errno>, free_bytes: Option<u64>, state: &str) -> Vec<State> {
        let history = StoreView {
            path: "/var/lib/sip-fw/state.db".to_owned(),
            state: state.to_owned(),
            trouble: (state != "ok").then(|| "no space left on device".to_owned()),
            bytes: 4096,
            ..StoreView::default()
        };
        let facts = Facts { folder: "/var/lib/sip-fw".into(), writable, free_bytes, history: Some(history) };
        judge(&facts).into_iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn folders_and_history() {
        assert_eq!(states(Ok(()), Some(1 << 30), "ok"), [State::Ok, State::Ok]);
        assert_eq!(states(Ok(()), Some(1 << 20), "ok"), [State::Warning, State::Ok]);
        assert_eq!(states(Ok(()), None, "ok"), [State::Note, State::Ok]);
        assert_eq!(states(Err(Errno::EROFS), Some(1 << 30), "degraded"), [State::Problem, State::Problem]);
    }
}
