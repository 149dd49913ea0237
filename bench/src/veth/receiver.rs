//! The host that is attacked: all that its interface receives is handled by one kernel thread, on a CPU of its own, whose time the
//! scheduler counts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::Pid;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Host};

use crate::schedule::{self, INSIDE, Turn};

/// The hardware address of the bed's pbx.
pub const ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The interface of the bed's pbx and the thread that works for it.
pub struct Receiver {
    thread: i32,
    interface: String,
    /// /proc/net/dev of the host's namespace.
    statistics: File,
}

/// What was counted until a moment.
#[derive(Clone, Copy)]
pub struct Count {
    at: Instant,
    packets: u64,
    busy: Duration,
}

/// What was counted between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Packets a second.
    pub per_second: f64,
    /// The thread's time for one, in nanoseconds.
    pub ns_per_packet: f64,
    /// Share of its CPU.
    pub cpu_share: f64,
}

impl Receiver {
    /// Gives the interface of the bed's pbx a thread.
    pub fn prepare(bed: &Bed) -> Result<Self> {
        let host = &bed.pbx;
        let interface = host.interface();
        let [a, b, c, d, e, f] = ADDRESS;
        host.namespace()
            .ip_batch(&format!("link set {interface} address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}\n"))?;
        // Without GRO a veth takes packets from XDP only while it has a program, and half of the contenders have none.
        run(host, "ethtool", &["-K", interface, "gro", "on"])?;
        let before = threads(interface)?;
        // By `ip`, whose /sys shows the namespace's own interfaces.
        let switch_on = format!("echo 1 > /sys/class/net/{interface}/threaded");
        run(host, "ip", &["netns", "exec", host.namespace().name(), "sh", "-c", &switch_on])?;
        let mut new = None;
        wait_for("the interface's kernel thread", PATIENCE, || {
            new = threads(interface).ok().and_then(|now| now.difference(&before).next().copied());
            new.is_some()
        })
        .context("is /proc that of the first process namespace?")?;
        let thread = new.context("no thread")?;
        schedule::give(Pid::from_raw(thread), INSIDE, Turn::Second)?;
        let statistics = host.namespace().within(|| File::open("/proc/thread-self/net/dev"))??;
        Ok(Self { thread, interface: interface.to_owned(), statistics })
    }

    /// The figures now.
    pub fn count(&self) -> Result<Count> {
        Ok(Count { at: Instant::now(), packets: self.packets()?, busy: busy(self.thread)? })
    }

    /// Packets that the interface received, dropped ones included.
    fn packets(&self) -> Result<u64> {
        let (mut file, mut text) = (&self.statistics, String::new());
        file.rewind()?;
        file.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&self.interface)?.strip_prefix(':'));
        let received = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        received.with_context(|| format!("{} is not in /proc/net/dev", self.interface))
    }
}

impl Count {
    /// What happened since an earlier count.
    pub fn since(&self, before: &Self) -> Result<Span> {
        let packets = self.packets.saturating_sub(before.packets);
        ensure!(packets > 0, "no packet arrived");
        let (busy, took) = (self.busy.saturating_sub(before.busy), self.at.duration_since(before.at).as_secs_f64());
        Ok(Span {
            per_second: packets as f64 / took,
            ns_per_packet: busy.as_nanos() as f64 / packets as f64,
            cpu_share: busy.as_secs_f64() / took,
        })
    }
}

fn run(host: &Host, program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments);
    let mut process = host.spawn(command)?;
    let status = process.wait(PATIENCE)?;
    ensure!(status.success(), "{program} {}: {}", arguments.join(" "), process.stderr().trim());
    Ok(())
}

/// The kernel's threads for interfaces of this name, in whichever network namespace.
fn threads(interface: &str) -> Result<BTreeSet<i32>> {
    let name = format!("napi/{interface}-");
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter(|pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with(&name)))
        .collect())
}

/// The time that a thread spent on a CPU (sched-stats.rst: the first figure of schedstat, in nanoseconds).
fn busy(thread: i32) -> Result<Duration> {
    let path = format!("/proc/{thread}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let first = text.split(' ').next().and_then(|figure| figure.parse().ok());
    Ok(Duration::from_nanos(first.with_context(|| format!("{path}: {text:?}"))?))
}
