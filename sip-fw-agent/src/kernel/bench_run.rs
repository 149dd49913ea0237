//! The programs beside empty ones, on packets that change from run to run. For benchmarks.

use std::net::IpAddr;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use aya::programs::{Program, ProgramError, SchedClassifier, TestRun, TestRunOptions, TestRunResult, Xdp};
use sip_fw_common::abi::{
    PROGRAM_BENCH_EGRESS_FLOOR, PROGRAM_BENCH_FLOOR, PROGRAM_BENCH_INGRESS, PROGRAM_EGRESS, Transaction,
    TransactionKey, map,
};
use sip_fw_common::limits::BENCH_SOURCES;

use super::bench_sources::Sources;
use super::error::chain;
use super::load::{Constants, load, loader, program};
use super::tables::{all, failed};
use super::{KernelError, TableSizes, Tables};

/// The programs, attached to nothing.
pub struct BenchRun {
    /// The maps.
    pub tables: Tables,
    ebpf: Ebpf,
    sources: Sources,
    transactions: HashMap<MapData, TransactionKey, Transaction>,
}

impl BenchRun {
    /// Loads the programs on maps of their own.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn load(sizes: &TableSizes) -> Result<Self, KernelError> {
        let constants = Constants::new(sizes, 0);
        let mut loader = loader(sizes, &constants);
        let mut ebpf = load(loader.map_max_entries(map::BENCH_ADDRESSES, BENCH_SOURCES))?;
        let refused = |name| move |error: ProgramError| KernelError::Program { program: name, reason: chain(&error) };
        for name in [PROGRAM_BENCH_INGRESS, PROGRAM_BENCH_FLOOR] {
            program::<Xdp>(&mut ebpf, name)?.load().map_err(refused(name))?;
        }
        let floor: &mut SchedClassifier = program(&mut ebpf, PROGRAM_BENCH_EGRESS_FLOOR)?;
        floor.load().map_err(refused(PROGRAM_BENCH_EGRESS_FLOOR))?;
        let mut take = |name: &'static str| {
            ebpf.take_map(name).ok_or_else(|| KernelError::Access {
                what: format!("map {name}"),
                reason: "the object does not contain it".to_owned(),
            })
        };
        let sources = Sources::take(&mut take)?;
        let transactions = take(map::TRANSACTIONS)?.try_into().map_err(failed("the transactions"))?;
        let tables = Tables::from_maps(take)?;
        Ok(Self { tables, ebpf, sources, transactions })
    }

    /// Where arriving packets come from, in turn: as many as the next power of two, [`BENCH_SOURCES`] at most. `flipped`: offset
    /// of a byte of the packet whose lowest bit changes each time, 0 for none.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn rotate(&mut self, sources: &[IpAddr], flipped: u32) -> Result<(), KernelError> {
        self.sources.rotate(sources, flipped)
    }

    /// The requests that wait for their answers.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn transactions(&self) -> Result<Vec<(TransactionKey, Transaction)>, KernelError> {
        all(&self.transactions, "cannot list the transactions")
    }

    /// Lets a request be answered as often as one likes.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn ask_forever(&mut self, key: &TransactionKey, transaction: Transaction) -> Result<(), KernelError> {
        let forever = Transaction { asked: u64::MAX, answered: 0, ..transaction };
        self.transactions.insert(key, forever, 0).map_err(failed("cannot write a transaction"))
    }

    /// The mean time of a run of ingress, the harness's own included.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_ingress(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time::<Xdp>(PROGRAM_BENCH_INGRESS, packet, repeat)
    }

    /// The same of a program that only changes the packet.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_floor(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time::<Xdp>(PROGRAM_BENCH_FLOOR, packet, repeat)
    }

    /// The mean time of a run of egress, the harness's own included.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_egress(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time::<SchedClassifier>(PROGRAM_EGRESS, packet, repeat)
    }

    /// The same of an empty program.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_egress_floor(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time::<SchedClassifier>(PROGRAM_BENCH_EGRESS_FLOOR, packet, repeat)
    }

    fn time<'a, P>(&'a self, name: &'static str, packet: &[u8], repeat: u32) -> Result<Duration, KernelError>
    where
        P: 'a,
        &'a P: TryFrom<&'a Program, Error = ProgramError>,
        P: for<'o> TestRun<Opts<'o> = TestRunOptions<'o>, Result = TestRunResult>,
    {
        let missing = || KernelError::Program { program: name, reason: "the object does not contain it".to_owned() };
        let program = self.ebpf.program(name).ok_or_else(missing)?;
        let program: &P = program.try_into().map_err(|error| KernelError::access(name, &error))?;
        let run = program.test_run(TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::default() });
        run.map(|result| result.duration).map_err(|error| KernelError::access(name, &error))
    }
}
