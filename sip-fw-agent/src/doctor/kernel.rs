//! What the programs need of the kernel.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::finding::{Finding, Group, State, unknown};
use crate::kernel::{OLDEST_LINUX, has_tcx, kernel_release, missing_features};

const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// What is known of the kernel.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its version.
    pub release: String,
    /// What it lacks of what the programs need, or why it does not say.
    pub missing: Result<Vec<String>, String>,
    /// Whether it has TCX, or why it does not say.
    pub tcx: Result<bool, String>,
    /// The setting of its BPF compiler.
    pub jit: Option<String>,
    /// Where things are pinned, and whether that is a BPF file system.
    pub pins: (PathBuf, Option<bool>),
}

impl Facts {
    /// Asks the kernel.
    #[must_use]
    pub fn gather(pins: &Path) -> Self {
        // Before the first start only what the folder will be made in is there.
        let existing = pins.ancestors().find(|folder| folder.exists()).unwrap_or(pins);
        let is_bpffs = statfs(existing).ok().map(|stat| stat.filesystem_type() == BPF_FS_MAGIC);
        Self {
            release: kernel_release(),
            missing: missing_features().map_err(|error| error.to_string()),
            tcx: has_tcx().map_err(|error| error.to_string()),
            jit: fs::read_to_string(JIT).ok().map(|setting| setting.trim().to_owned()),
            pins: (pins.to_owned(), is_bpffs),
        }
    }
}

/// What is to be said of them.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    vec![features(facts), tcx(&facts.tcx), jit(facts.jit.as_deref()), bpffs(&facts.pins.0, facts.pins.1)]
}

fn features(facts: &Facts) -> Finding {
    let Facts { release, missing, .. } = facts;
    match missing {
        Ok(missing) if missing.is_empty() => {
            Finding::ok(Group::Kernel, "features", format!("Linux {release} has what the programs need"))
        }
        Ok(missing) => {
            let text = format!("Linux {release} lacks {}", missing.join(", "));
            Finding::new(Group::Kernel, "features", State::Problem, text)
                .advise(format!("boot Linux {OLDEST_LINUX} or newer"))
        }
        Err(error) => unknown(Group::Kernel, "features", format!("Linux {release}: {error}")),
    }
}

fn tcx(tcx: &Result<bool, String>) -> Finding {
    match tcx {
        Ok(true) => {
            Finding::ok(Group::Kernel, "tcx", "answers are watched by TCX, and programs replaced without a gap")
        }
        Ok(false) => {
            let text = "the kernel lacks TCX (Linux 6.6): answers are watched by a clsact filter, and go unjudged for a moment \
                        whenever an agent takes over from another; drops are not affected";
            Finding::new(Group::Kernel, "tcx", State::Note, text)
        }
        Err(error) => unknown(Group::Kernel, "tcx", error),
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
        tcx: Result<bool, String>,
        jit: Option<&str>,
        bpffs: Option<bool>,
    ) -> Vec<(&'static str, State)> {
        let facts = Facts {
            release: "6.1.0".to_owned(),
            missing,
            tcx,
            jit: jit.map(str::to_owned),
            pins: ("/sys/fs/bpf/sip-fw".into(), bpffs),
        };
        judge(&facts).into_iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn states() {
        let each = |state| [("features", state), ("tcx", state), ("jit", state), ("bpffs", state)];
        assert_eq!(said(Ok(Vec::new()), Ok(true), Some("1"), Some(true)), each(State::Ok));
        assert_eq!(said(Ok(Vec::new()), Ok(true), Some("2"), Some(true)), each(State::Ok));
        assert_eq!(said(Err("EPERM".to_owned()), Err("EPERM".to_owned()), None, None), each(State::Note));
        let bad = said(Ok(vec!["bpf_loop (Linux 5.17)".to_owned()]), Ok(false), Some("0"), Some(false));
        assert_eq!(
            bad,
            [("features", State::Problem), ("tcx", State::Note), ("jit", State::Warning), ("bpffs", State::Problem)]
        );
    }
}
