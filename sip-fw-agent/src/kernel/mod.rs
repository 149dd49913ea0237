//! The only code that knows aya: loading, attaching, pinning, and typed access to the maps.
//!
//! Everything that must outlive the agent is pinned below one directory:
//! `<pins>/v<ABI>/maps/<MAP>` and `<pins>/v<ABI>/links/<interface>/{ingress,egress}-<mode>`.

mod attach;
mod attached;
mod bench_run;
mod bench_sources;
mod bench_wire;
mod clock;
mod dry_run;
mod entries;
mod error;
mod events;
mod features;
mod fill;
mod held_back;
mod liveness;
mod load;
mod log;
mod memory;
mod migrate;
mod nonces;
mod pins;
mod rule_sets;
mod seats;
mod slots;
mod tables;
mod verify;

pub use attach::Attachment;
pub use attached::{AttachedIngress, LoadedProgram, egress_program, loaded, tcx_programs};
pub use bench_run::BenchRun;
pub use bench_wire::{DropAll, Generator};
pub use clock::now_ns;
pub use dry_run::{Action, DryRun, ProgramCost};
pub use error::KernelError;
pub use events::EventStream;
pub use features::{OLDEST_LINUX, has_tcx, kernel_release, missing_features};
pub use fill::{Fill, fills};
pub use liveness::exists;
pub use load::{Kernel, LoadOptions, TableSizes};
pub use migrate::TakenOver;
pub use nonces::{NonceCount, count_nonces};
pub use pins::{create, detach, is_pinned};
pub use rule_sets::{Loaded, Matched, possible_cpus};
pub use tables::Tables;

/// The kernel programs, built by the build script and part of this binary.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sip-fw-ebpf.o"));
