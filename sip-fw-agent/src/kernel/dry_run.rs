//! The real programs, attached to nothing and pinned nowhere: packets go in, actions and map values come out. For
//! tests, benchmarks and replay.

use std::collections::BTreeSet;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError, RingBuf};
use aya::programs::{Program, ProgramError, ProgramInfo, SchedClassifier, TestRun, TestRunOptions, Xdp};
use sip_fw_common::abi::{Event, Nonce, PROGRAM_EGRESS, PROGRAM_INGRESS, Transaction, TransactionKey, map};

use super::load::{Constants, load, loader};
use super::tables::found;
use super::{KernelError, TableSizes, Tables, events, memory};

/// What a program did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Pass,
    /// It was dropped.
    Drop,
    /// The program returned this number, which none of ours should.
    Other(u32),
}

/// What the verifier and the kernel say of a program.
#[derive(Clone, Copy, Debug)]
pub struct ProgramCost {
    /// Instructions the verifier walked; the kernel refuses a million.
    pub verified_instructions: u32,
    /// Bytes of the program as the kernel runs it.
    pub translated_bytes: u32,
}

/// The loaded programs and their maps.
pub struct DryRun {
    /// The maps.
    pub tables: Tables,
    ebpf: Ebpf,
    transactions: HashMap<MapData, TransactionKey, Transaction>,
    nonces: HashMap<MapData, u64, Nonce>,
    events: RingBuf<MapData>,
}

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const TCX_NEXT: u32 = u32::MAX;

impl Action {
    /// What an XDP program returned.
    pub(super) const fn of_xdp(returned: u32) -> Self {
        match returned {
            XDP_PASS => Self::Pass,
            XDP_DROP => Self::Drop,
            other => Self::Other(other),
        }
    }
}

impl DryRun {
    /// Loads the programs on maps of their own.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn load(sizes: &TableSizes) -> Result<Self, KernelError> {
        let mut ebpf = load(&mut loader(sizes, &Constants::new(sizes, 0)))?;
        let mut take = |name: &'static str| {
            ebpf.take_map(name).ok_or_else(|| KernelError::Access {
                what: format!("map {name}"),
                reason: "the object does not contain it".to_owned(),
            })
        };
        let typed = |name: &'static str| move |error: MapError| KernelError::access(format!("map {name}"), &error);
        let transactions = take(map::TRANSACTIONS)?.try_into().map_err(typed(map::TRANSACTIONS))?;
        let nonces = take(map::NONCES)?.try_into().map_err(typed(map::NONCES))?;
        let events = take(map::EVENTS)?.try_into().map_err(typed(map::EVENTS))?;
        let tables = Tables::from_maps(take)?;
        Ok(Self { tables, ebpf, transactions, nonces, events })
    }

    /// An arriving packet, from its Ethernet header on.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn ingress(&self, packet: &[u8]) -> Result<Action, KernelError> {
        Ok(Action::of_xdp(self.run_ingress(packet, 1)?.0))
    }

    /// A leaving packet, from its Ethernet header on.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn egress(&self, packet: &[u8]) -> Result<Action, KernelError> {
        Ok(match self.run_egress(packet, 1)?.0 {
            TCX_NEXT => Action::Pass,
            other => Action::Other(other),
        })
    }

    /// Runs ingress `repeat` times on the same packet; the mean time of a run, the harness's own included.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_ingress(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.run_ingress(packet, repeat).map(|(_, duration)| duration)
    }

    /// As [`DryRun::time_ingress`], for egress.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_egress(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.run_egress(packet, repeat).map(|(_, duration)| duration)
    }

    /// A request that waits for its answer.
    ///
    /// # Errors
    /// If the kernel refuses; an absent one is None.
    pub fn transaction(&self, key: &TransactionKey) -> Result<Option<Transaction>, KernelError> {
        found(self.transactions.get(key, 0), "cannot read a transaction")
    }

    /// What is known of a nonce, by its hash.
    ///
    /// # Errors
    /// If the kernel refuses; an absent one is None.
    pub fn nonce(&self, hash: u64) -> Result<Option<Nonce>, KernelError> {
        found(self.nonces.get(&hash, 0), "cannot read a nonce")
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(item) = self.events.next() {
            all.extend(events::parse(&item));
        }
        all
    }

    /// What each program costs: ingress, egress.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn costs(&self) -> Result<[ProgramCost; 2], KernelError> {
        Ok(self.infos()?.map(|info| ProgramCost {
            verified_instructions: info.verified_instruction_count().unwrap_or(0),
            translated_bytes: info.size_translated().unwrap_or(0),
        }))
    }

    /// Kernel memory of the maps that the two programs use, rule sets apart.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn map_bytes(&self) -> Result<u64, KernelError> {
        let mut maps = BTreeSet::new();
        for info in self.infos()? {
            let numbers = info.map_ids().map_err(|error| KernelError::access("cannot list the maps", &error))?;
            maps.extend(numbers.unwrap_or_default());
        }
        memory::bytes(&maps)
    }

    /// What the kernel says of the programs: ingress, egress.
    fn infos(&self) -> Result<[ProgramInfo; 2], KernelError> {
        let ingress: &Xdp = self.program(PROGRAM_INGRESS)?;
        let ingress = ingress.info().map_err(|error| KernelError::access("cannot inspect ingress", &error))?;
        let egress: &SchedClassifier = self.program(PROGRAM_EGRESS)?;
        let egress = egress.info().map_err(|error| KernelError::access("cannot inspect egress", &error))?;
        Ok([ingress, egress])
    }

    fn program<'a, P>(&'a self, name: &'static str) -> Result<&'a P, KernelError>
    where
        &'a P: TryFrom<&'a Program, Error = ProgramError>,
    {
        let missing = || KernelError::Program { program: name, reason: "the object does not contain it".to_owned() };
        let program = self.ebpf.program(name).ok_or_else(missing)?;
        program.try_into().map_err(|error| KernelError::access(name, &error))
    }

    fn run_ingress(&self, packet: &[u8], repeat: u32) -> Result<(u32, Duration), KernelError> {
        let ingress: &Xdp = self.program(PROGRAM_INGRESS)?;
        let result = ingress.test_run(TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::default() });
        let result = result.map_err(|error| KernelError::access("cannot run ingress", &error))?;
        Ok((result.return_value, result.duration))
    }

    fn run_egress(&self, packet: &[u8], repeat: u32) -> Result<(u32, Duration), KernelError> {
        let egress: &SchedClassifier = self.program(PROGRAM_EGRESS)?;
        let result = egress.test_run(TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::default() });
        let result = result.map_err(|error| KernelError::access("cannot run egress", &error))?;
        Ok((result.return_value, result.duration))
    }
}
