//! The two ends of a wire in a benchmark: a generator of packets, and the fastest firewall that there can be.

use std::io::ErrorKind;
use std::net::IpAddr;

use aya::Ebpf;
use aya::maps::{Map, MapData, PerCpuArray, PerCpuValues};
use aya::programs::{ProgramError, TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use sip_fw_common::abi::{PROGRAM_BENCH_DROP, PROGRAM_BENCH_READ, PROGRAM_BENCH_SEND, Sending, map};
use sip_fw_common::limits::{BENCH_BURST, BENCH_SOURCES};

use super::bench_sources::Sources;
use super::error::chain;
use super::load::{Constants, loader, program};
use super::tables::failed;
use super::{KernelError, OBJECT, TableSizes, possible_cpus};

const PACE: &str = "the pace of a generator";
const NANOSECONDS: u64 = 1_000_000_000;

/// Packets that the kernel makes in one batch: as many as a network card's driver handles before others have their turn.
const BATCH: u32 = 64;

/// Sends packets out of an interface, millions a second: the kernel makes them, and no socket is asked (BPF_F_TEST_XDP_LIVE_FRAMES,
/// Linux 5.18).
pub struct Generator {
    ebpf: Ebpf,
    sending: PerCpuArray<MapData, Sending>,
    interface: u32,
}

impl Generator {
    /// For an interface by its number, whose other end must take packets from XDP. The sources take turns as in
    /// [`super::BenchRun::rotate`].
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn load(interface: u32, sources: &[IpAddr]) -> Result<Self, KernelError> {
        let mut ebpf = load(PROGRAM_BENCH_SEND, BENCH_SOURCES)?;
        Sources::take(|name| take(&mut ebpf, name))?.rotate(sources, 0)?;
        let sending = take(&mut ebpf, map::BENCH_SENDING)?.try_into().map_err(failed(PACE))?;
        Ok(Self { ebpf, sending, interface })
    }

    /// So many packets a second from now on, in bursts of [`BENCH_BURST`]; None: as many as it can.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_pace(&mut self, per_second: Option<u32>) -> Result<(), KernelError> {
        let burst_ns = per_second.map_or(0, |rate| NANOSECONDS * u64::from(BENCH_BURST) / u64::from(rate.max(1)));
        let sending = Sending { interface: self.interface, burst_ns, ..Sending::default() };
        let values = PerCpuValues::try_from(vec![sending; possible_cpus() as usize]);
        let values = values.map_err(|error| KernelError::access(PACE, &error))?;
        self.sending.set(0, values, 0).map_err(failed(PACE))
    }

    /// Sends a packet `times` times, or waits as often until it is due; less often if a signal comes. From the CPU and in the network
    /// namespace of the caller.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn send(&self, packet: &[u8], times: u32) -> Result<(), KernelError> {
        let missing = || KernelError::Program {
            program: PROGRAM_BENCH_SEND,
            reason: "the object does not contain it".to_owned(),
        };
        let failed = |error: &ProgramError| KernelError::access("cannot send packets", error);
        let program = self.ebpf.program(PROGRAM_BENCH_SEND).ok_or_else(missing)?;
        let program: &Xdp = program.try_into().map_err(|error| failed(&error))?;
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat: times,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        };
        match program.test_run(options) {
            Err(ProgramError::SyscallError(error)) if error.io_error.kind() == ErrorKind::Interrupted => Ok(()),
            ran => ran.map(|_| ()).map_err(|error| failed(&error)),
        }
    }
}

/// Drops every packet of an interface until it is dropped itself.
pub struct DropAll {
    _ebpf: Ebpf,
}

impl DropAll {
    /// Attaches to the driver of an interface in the network namespace of the caller. `reads`: looks whom a packet is from, and then
    /// drops it all the same.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn attach(interface: &str, reads: bool) -> Result<Self, KernelError> {
        let name = if reads { PROGRAM_BENCH_READ } else { PROGRAM_BENCH_DROP };
        let mut ebpf = load(name, 1)?;
        let xdp: &mut Xdp = program(&mut ebpf, name)?;
        xdp.attach(interface, XdpMode::Driver).map_err(|error| KernelError::Attach {
            program: name,
            interface: interface.to_owned(),
            reason: chain(&error),
        })?;
        Ok(Self { _ebpf: ebpf })
    }
}

/// Loads one program of the object; its tables are as small as can be.
fn load(name: &'static str, sources: u32) -> Result<Ebpf, KernelError> {
    if OBJECT.is_empty() {
        return Err(KernelError::NoObject);
    }
    let sizes = TableSizes { bans: 1, ban_prefixes: 1, sources: 1, strikes: 1, transactions: 1, nonces: 1, peers: 1 };
    let constants = Constants::new(&sizes, 0);
    let mut loader = loader(&sizes, &constants);
    let loaded = loader.map_max_entries(map::BENCH_ADDRESSES, sources).load(OBJECT);
    let mut ebpf = loaded.map_err(|error| KernelError::access("cannot create the maps", &error))?;
    let xdp: &mut Xdp = program(&mut ebpf, name)?;
    xdp.load().map_err(|error| KernelError::Program { program: name, reason: chain(&error) })?;
    Ok(ebpf)
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, KernelError> {
    ebpf.take_map(name).ok_or_else(|| KernelError::Access {
        what: format!("map {name}"),
        reason: "the object does not contain it".to_owned(),
    })
}
