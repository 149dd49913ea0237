//! Loading the programs on fresh or reused maps.

use std::path::Path;

use aya::programs::{ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use sip_fw_common::abi::{GLOBAL_SEAT_LINES, PROGRAM_EGRESS, PROGRAM_INGRESS, map, seat};

use super::error::{chain, verifier_reason};
use super::migrate::{self, TakenOver};
use super::{EventStream, KernelError, OBJECT, Tables, features, log, pins};

/// How many entries each table holds; from `[limits]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSizes {
    /// Bans, and ended ones remembered for the ladder.
    pub bans: u32,
    /// Prefix bans.
    pub ban_prefixes: u32,
    /// Sources with counters.
    pub sources: u32,
    /// Sources with proven failures.
    pub strikes: u32,
    /// Requests waiting for their answer.
    pub transactions: u32,
    /// Nonces handed out.
    pub nonces: u32,
    /// Known peers and their users.
    pub peers: u32,
}

/// What to load and where.
pub struct LoadOptions<'a> {
    /// Directory of the pins, on a bpffs.
    pub pins: &'a Path,
    /// Table sizes; a pinned table of another size is refused.
    pub sizes: TableSizes,
    /// Messages of the kernel programs: 0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub log_level: u8,
}

/// The loaded programs. Dropping it leaves everything that was attached enforced.
pub struct Kernel {
    /// The maps.
    pub tables: Tables,
    /// What came of tables that an earlier agent made in another way.
    pub taken_over: TakenOver,
    pub(super) ebpf: Ebpf,
    pub(super) pins: std::path::PathBuf,
}

impl Kernel {
    /// Loads the programs on the pinned maps, making those that are missing. Maps of other sizes or of an earlier version are
    /// replaced by new ones with what they hold. Attaches nothing.
    ///
    /// # Errors
    /// A pinned map of another kind, pins of a later version, or what the kernel refused.
    pub fn load(options: &LoadOptions<'_>) -> Result<Self, KernelError> {
        migrate::make_room(options.pins, &options.sizes)?;
        let constants = Constants::new(&options.sizes, options.log_level);
        let mut loader = loader(&options.sizes, &constants);
        for name in map::PINNED {
            loader.map_pin_path(name, pins::map(options.pins, name));
        }
        let ebpf = load(&mut loader)?;
        // Only now: a map dropped before its program is loaded can be replaced by another with the same number.
        let mut tables = Tables::open(options.pins)?;
        tables.narrow_gate()?;
        let taken_over = migrate::take_over(options.pins)?;
        // Also for who was killed between a ban and its seat.
        tables.seat_all()?;
        Ok(Self { tables, taken_over, ebpf, pins: options.pins.to_owned() })
    }

    /// Takes over what the programs of an earlier agent wrote until they were replaced, and lets go of their tables.
    ///
    /// # Errors
    /// If a map cannot be read or unpinned; the next agent tries again.
    pub fn end_migration(&mut self) -> Result<(), KernelError> {
        if !migrate::is_under_way(&self.pins) {
            return Ok(());
        }
        migrate::take_over(&self.pins)?;
        self.tables.seat_all()?;
        migrate::forget_old(&self.pins)
    }

    /// The event stream.
    ///
    /// # Errors
    /// If the pinned ring buffer cannot be opened, or outside a tokio runtime.
    pub fn take_events(&mut self) -> Result<EventStream, KernelError> {
        EventStream::open(&pins::map(&self.pins, map::EVENTS))
    }

    /// Starts a thread that hands the programs' own messages to the `log` crate's logger, rate limited.
    ///
    /// # Errors
    /// If the thread cannot be started. No messages at this level is no error.
    pub fn start_kernel_log(&mut self) -> Result<(), KernelError> {
        log::start(&mut self.ebpf)
    }
}

/// What the programs know from the start.
pub(super) struct Constants {
    log_level: u8,
    seat_lines: u32,
}

impl Constants {
    /// Of tables of these sizes; see [`LoadOptions::log_level`].
    pub const fn new(sizes: &TableSizes, log_level: u8) -> Self {
        Self { log_level, seat_lines: seat::lines(sizes.bans) }
    }
}

/// A loader with the configured sizes.
pub(super) fn loader<'a>(sizes: &TableSizes, constants: &'a Constants) -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries(map::BANS, sizes.bans)
        .map_max_entries(map::SEATS, constants.seat_lines)
        .map_max_entries(map::BAN_PREFIXES, sizes.ban_prefixes)
        .map_max_entries(map::SOURCES, sizes.sources)
        .map_max_entries(map::STRIKES, sizes.strikes)
        .map_max_entries(map::TRANSACTIONS, sizes.transactions)
        .map_max_entries(map::NONCES, sizes.nonces)
        .map_max_entries(map::PEERS, sizes.peers)
        .map_max_entries(map::BENCH_ADDRESSES, 1)
        .override_global(GLOBAL_SEAT_LINES, &constants.seat_lines, true)
        .override_global(aya_log::LEVEL, &constants.log_level, false);
    loader
}

/// Creates the maps and loads both programs.
pub(super) fn load(loader: &mut EbpfLoader<'_>) -> Result<Ebpf, KernelError> {
    if OBJECT.is_empty() {
        return Err(KernelError::NoObject);
    }
    try_load(loader).map_err(|refusal| features::lacking().unwrap_or(refusal))
}

fn try_load(loader: &mut EbpfLoader<'_>) -> Result<Ebpf, KernelError> {
    let mut ebpf = loader.load(OBJECT).map_err(|error| KernelError::access("cannot create the maps", &error))?;
    let ingress: &mut Xdp = program(&mut ebpf, PROGRAM_INGRESS)?;
    ingress.load().map_err(|error| refused(PROGRAM_INGRESS, &error))?;
    let egress: &mut SchedClassifier = program(&mut ebpf, PROGRAM_EGRESS)?;
    egress.load().map_err(|error| refused(PROGRAM_EGRESS, &error))?;
    Ok(ebpf)
}

/// A program of the object by name.
pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, KernelError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    let missing = || KernelError::Program { program: name, reason: "the object does not contain it".into() };
    ebpf.program_mut(name)
        .ok_or_else(missing)?
        .try_into()
        .map_err(|error: ProgramError| KernelError::Program { program: name, reason: chain(&error) })
}

fn refused(program: &'static str, error: &ProgramError) -> KernelError {
    let reason = match error {
        ProgramError::LoadError { io_error, verifier_log } => format!("{io_error}: {}", verifier_reason(verifier_log)),
        other => chain(other),
    };
    KernelError::Program { program, reason }
}
