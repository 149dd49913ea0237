//! Ingress beside an empty program, on packets whose source changes from run to run. For benchmarks.

use std::net::IpAddr;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use sip_fw_common::abi::{PROGRAM_BENCH_FLOOR, PROGRAM_BENCH_INGRESS, map};
use sip_fw_common::limits::BENCH_SOURCES;

use super::error::chain;
use super::load::{load, loader, program};
use super::tables::failed;
use super::{KernelError, TableSizes, Tables};

/// The programs, attached to nothing.
pub struct BenchRun {
    /// The maps.
    pub tables: Tables,
    ebpf: Ebpf,
    addresses: Array<MapData, [u8; 16]>,
}

impl BenchRun {
    /// Loads the programs on maps of their own.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn load(sizes: &TableSizes) -> Result<Self, KernelError> {
        let mut loader = loader(sizes, &0);
        let mut ebpf = load(loader.map_max_entries(map::BENCH_ADDRESSES, BENCH_SOURCES))?;
        for name in [PROGRAM_BENCH_INGRESS, PROGRAM_BENCH_FLOOR] {
            let xdp: &mut Xdp = program(&mut ebpf, name)?;
            xdp.load().map_err(|error| KernelError::Program { program: name, reason: chain(&error) })?;
        }
        let mut take = |name: &'static str| {
            ebpf.take_map(name).ok_or_else(|| KernelError::Access {
                what: format!("map {name}"),
                reason: "the object does not contain it".to_owned(),
            })
        };
        let addresses = take(map::BENCH_ADDRESSES)?.try_into().map_err(failed("the sources of benchmarks"))?;
        let tables = Tables::from_maps(take)?;
        Ok(Self { tables, ebpf, addresses })
    }

    /// Where the packets come from, in turn; the first [`BENCH_SOURCES`] count.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_sources(&mut self, sources: &[IpAddr]) -> Result<(), KernelError> {
        for (number, source) in (0..BENCH_SOURCES).zip(sources.iter().cycle()) {
            let mut bytes = [0; 16];
            match source {
                IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
                IpAddr::V6(v6) => bytes = v6.octets(),
            }
            self.addresses.set(number, bytes, 0).map_err(failed("the sources of benchmarks"))?;
        }
        Ok(())
    }

    /// The mean time of a run of ingress, the harness's own included.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_ingress(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time(PROGRAM_BENCH_INGRESS, packet, repeat)
    }

    /// The same of a program that only changes the source.
    ///
    /// # Errors
    /// If the kernel does not run it.
    pub fn time_floor(&self, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        self.time(PROGRAM_BENCH_FLOOR, packet, repeat)
    }

    fn time(&self, name: &'static str, packet: &[u8], repeat: u32) -> Result<Duration, KernelError> {
        let missing = || KernelError::Program { program: name, reason: "the object does not contain it".to_owned() };
        let xdp: &Xdp = self
            .ebpf
            .program(name)
            .ok_or_else(missing)?
            .try_into()
            .map_err(|error: aya::programs::ProgramError| KernelError::access(name, &error))?;
        let run = xdp.test_run(TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::default() });
        run.map(|result| result.duration).map_err(|error| KernelError::access(name, &error))
    }
}
