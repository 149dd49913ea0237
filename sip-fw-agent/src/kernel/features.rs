//! What the programs need of a kernel: asked of the kernel itself, as distributions move features between versions.

use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};

/// What the programs cannot do without, and the version that brought it.
const NEEDED: [(&str, &str, ProgramType, BpfHelper); 4] = [
    ("bpf_loop", "5.17", ProgramType::Xdp, BpfHelper::BPF_FUNC_loop),
    ("bpf_xdp_load_bytes", "5.18", ProgramType::Xdp, BpfHelper::BPF_FUNC_xdp_load_bytes),
    ("bpf_loop in tc", "5.17", ProgramType::SchedClassifier, BpfHelper::BPF_FUNC_loop),
    ("ring buffers", "5.8", ProgramType::Xdp, BpfHelper::BPF_FUNC_ringbuf_reserve),
];

/// What of it this kernel lacks, each with the version that brought it.
///
/// # Errors
/// If the kernel does not say: without the right to load programs above all.
pub fn missing_features() -> Result<Vec<String>, super::KernelError> {
    let mut missing = Vec::new();
    for (name, since, kind, helper) in NEEDED {
        match is_helper_supported(kind, helper) {
            Ok(true) => {}
            Ok(false) => missing.push(format!("{name} (Linux {since})")),
            Err(error) => return Err(super::KernelError::access(format!("cannot ask for {name}"), &error)),
        }
    }
    Ok(missing)
}
