//! The sources that take turns in the packets of a benchmark.

use std::net::IpAddr;

use aya::maps::{Array, Map, MapData, PerCpuArray, PerCpuValues};
use sip_fw_common::abi::{Rotation, map};
use sip_fw_common::limits::BENCH_SOURCES;

use super::tables::failed;
use super::{KernelError, possible_cpus};

const SOURCES: &str = "the sources of benchmarks";

/// The maps of the programs that change packets.
pub(super) struct Sources {
    addresses: Array<MapData, [u8; 16]>,
    rotation: PerCpuArray<MapData, Rotation>,
}

impl Sources {
    /// Takes them from those of the object.
    pub fn take(mut take: impl FnMut(&'static str) -> Result<Map, KernelError>) -> Result<Self, KernelError> {
        Ok(Self {
            addresses: take(map::BENCH_ADDRESSES)?.try_into().map_err(failed(SOURCES))?,
            rotation: take(map::BENCH_ROTATION)?.try_into().map_err(failed(SOURCES))?,
        })
    }

    /// See [`super::BenchRun::rotate`].
    pub fn rotate(&mut self, sources: &[IpAddr], flipped: u32) -> Result<(), KernelError> {
        let turns = u32::try_from(sources.len()).unwrap_or(u32::MAX).next_power_of_two().min(BENCH_SOURCES);
        for (number, source) in (0..turns).zip(sources.iter().cycle()) {
            let mut bytes = [0; 16];
            match source {
                IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
                IpAddr::V6(v6) => bytes = v6.octets(),
            }
            self.addresses.set(number, bytes, 0).map_err(failed(SOURCES))?;
        }
        let rotation = Rotation { mask: turns - 1, flipped, ..Rotation::default() };
        let cpus = vec![rotation; possible_cpus() as usize];
        let values = PerCpuValues::try_from(cpus).map_err(|error| KernelError::access(SOURCES, &error))?;
        self.rotation.set(0, values, 0).map_err(failed(SOURCES))
    }
}
