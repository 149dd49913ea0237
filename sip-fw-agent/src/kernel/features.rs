//! What the programs need of a kernel, and what they can do without: asked of the kernel itself, as distributions move features
//! between versions.

use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};

use super::{KernelError, tcx_programs};

/// The first version of Linux that has all of what the programs need.
pub const OLDEST_LINUX: &str = "5.18";

/// What the programs cannot do without, and the version that brought it.
const NEEDED: [(&str, &str, ProgramType, BpfHelper); 5] = [
    ("bpf_loop", "5.17", ProgramType::Xdp, BpfHelper::BPF_FUNC_loop),
    ("bpf_xdp_load_bytes", "5.18", ProgramType::Xdp, BpfHelper::BPF_FUNC_xdp_load_bytes),
    ("bpf_loop in tc", "5.17", ProgramType::SchedClassifier, BpfHelper::BPF_FUNC_loop),
    ("a coarse clock", "5.11", ProgramType::Xdp, BpfHelper::BPF_FUNC_ktime_get_coarse_ns),
    ("ring buffers", "5.8", ProgramType::Xdp, BpfHelper::BPF_FUNC_ringbuf_reserve),
];

/// The version of the kernel that runs, as `uname -r` prints it.
#[must_use]
pub fn kernel_release() -> String {
    nix::sys::utsname::uname().map(|uname| uname.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// What of it this kernel lacks, each with the version that brought it.
///
/// # Errors
/// If the kernel does not say: without the right to load programs above all.
pub fn missing_features() -> Result<Vec<String>, KernelError> {
    let mut missing = Vec::new();
    for (name, since, kind, helper) in NEEDED {
        match is_helper_supported(kind, helper) {
            Ok(true) => {}
            Ok(false) => missing.push(format!("{name} (Linux {since})")),
            Err(error) => return Err(KernelError::access(format!("cannot ask for {name}"), &error)),
        }
    }
    Ok(missing)
}

/// Whether this kernel has TCX; without it, what leaves is watched by a clsact filter.
///
/// # Errors
/// If the kernel refuses to say.
pub fn has_tcx() -> Result<bool, KernelError> {
    // Every network namespace has this interface; it need not be up.
    tcx_programs("lo", true).map(|programs| programs.is_some())
}

/// Why no kernel program of ours can run here, where that is for want of a feature: an older verifier's own words say nothing of it.
pub(super) fn lacking() -> Option<KernelError> {
    let missing = missing_features().ok().filter(|missing| !missing.is_empty())?;
    Some(KernelError::Lacking { release: kernel_release(), missing: missing.join(", ") })
}
