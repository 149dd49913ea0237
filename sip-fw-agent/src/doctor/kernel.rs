//! What the programs need of the kernel.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::finding::{Finding, Group, State, unknown};
use crate::kernel::missing_features;

const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// What is known of the kernel.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its version.
    pub release: String,
    /// What it lacks of what the programs need, or why it does not say.
    pub missing: Result<Vec<String>, String>,
    /// The setting of its BPF compiler.
    pub jit: Option<String>,
    /// Where things are pinned, and whether that is a BPF file system.
    pub pins: (PathBuf, Option<bool>),
}

impl Facts {
    /// Asks the kernel.
    #[must_use]
    pub fn gather(pins: &Path) -> Self {
        let release = nix::sys::utsname::uname().map(|uname| uname.release().to_string_lossy().into_owned());
        // Before the first start only what the folder will be made in is there.
        let existing = pins.ancestors().find(|folder| folder.exists()).unwrap_or(pins);
        let is_bpffs = statfs(existing).ok().map(|stat| stat.filesystem_type() == BPF_FS_MAGIC);
        Self {
            release: release.unwrap_or_default(),
            missing: missing_features().map_err(|error| error.to_string()),
            jit: fs::read_to_string(JIT).ok().map(|setting| setting.trim().to_owned()),
            pins: (pins.to_owned(), is_bpffs),
        }
    }
}

/// What is to be said of them.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    vec![features(facts), jit(facts.jit.as_deref()), bpffs(&facts.pins.0, facts.pins.1)]
}

fn features(facts: &Facts) -> Finding {
    let Facts { release, missing, .. } = facts;
    match missing {
        Ok(missing) if missing.is_empty() => {
            Finding::ok(Group::Kernel, "features", format!("Linux {release} has what the programs need"))
        }
        Ok(missing) => {
            let text = format!("Linux {release} lacks {}", missing.join(", "));
            Finding::new(Group::Kernel, "features", State::Problem, text).advise("boot Linux 5.18 or newer")
        }
        Err(error) => unknown(Group::Kernel, "features", format!("Linux {release}: {error}")),
    }
}

fn jit(setting: Option<&str>) -> Finding {
    match setting {
        Some("0") => {
            let text = "the kernel interprets BPF programs, which makes each packet several times as expensive";
            Finding::new(Group::Kernel, "jit", State::Warning, text)
                .advise("sysctl net.core.bpf_jit_enable=1, for good in /etc/sysctl.d")
        }
        Some(_) => Finding::ok(Group::Kernel, "jit", "BPF programs are compiled"),
        None => unknown(Group::Kernel, "jit", format!("{JIT} cannot be read here")),
    }
}

fn bpffs(pins: &Path, is_bpffs: Option<bool>) -> Finding {
    let pins = pins.display();
    match is_bpffs {
        Some(true) => Finding::ok(Group::Kernel, "bpffs", format!("{pins} is on a BPF file system")),
        Some(false) => Finding::new(Group::Kernel, "bpffs", State::Problem, format!("{pins} is on no BPF file system"))
            .advise("mount -t bpf bpf /sys/fs/bpf"),
        None => unknown(Group::Kernel, "bpffs", format!("{pins} cannot be looked at")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        missing: Result<Vec<String>, String>,
        jit: Option<&str>,
        bpffs: Option<bool>,
    ) -> Vec<(&'static str, State)> {
        let facts = Facts {
            release: "6.1.0".to_owned(),
            missing,
            jit: jit.map(str::to_owned),
            pins: ("/sys/fs/bpf/sip-fw".into(), bpffs),
        };
        judge(&facts).into_iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn states() {
        let each = |state| [("features", state), ("jit", state), ("bpffs", state)];
        assert_eq!(said(Ok(Vec::new()), Some("1"), Some(true)), each(State::Ok));
        assert_eq!(said(Ok(Vec::new()), Some("2"), Some(true)), each(State::Ok));
        assert_eq!(said(Err("EPERM".to_owned()), None, None), each(State::Note));
        let bad = said(Ok(vec!["bpf_loop (Linux 5.17)".to_owned()]), Some("0"), Some(false));
        assert_eq!(bad, [("features", State::Problem), ("jit", State::Warning), ("bpffs", State::Problem)]);
    }
}
