//! `cargo xtask kernels`: the programs on other kernels. Each is booted in a virtual machine, where the tests of the kernel
//! programs pass, captures are decided as here, and an attack ends as here; on one that is too old the agent must say so.

mod console;
mod disk;
mod machine;
mod replay;
mod suites;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::console::Console;
use self::disk::Contents;
use self::machine::{Acceleration, Machine};
use self::suites::Suites;
use self::verdict::Verdict;
use crate::process;
use crate::setup::{self, Needs};
use crate::steps::{self, Steps};
use crate::workspace::Workspace;

/// Long-term kernels of Debian and Ubuntu, whether the mirror has them or not.
const SERIES: [&str; 4] = ["5.10", "5.15", "6.1", "6.12"];

/// The tests of an emulated machine, where each takes ten seconds or more to load its programs: that they load and what the
/// verifier walks, what is dropped, what proves a failure, when it bans, that rule sets are swapped, that kernel and host read alike.
const CORE_TESTS: [&str; 13] = [
    "budget::the_verifier_has_room_to_spare",
    "drops::on_every_way_with_up_to_two_tags",
    "drops::prefixes",
    "drops::what_cannot_be_read_passes",
    "proof::the_challenges_to_forged_requests_give_the_forger_nothing",
    "proof::over_tcp_the_connection_is_the_proof",
    "threshold::the_fifth_failure_bans_and_the_next_packet_is_dropped",
    "threshold::a_ban_ends_and_the_next_is_longer",
    "threshold::counters_are_exact_when_packets_come_on_every_cpu_at_once",
    "access::the_first_match_decides_for_each_service",
    "access::what_is_not_confirmed_lapses_in_the_kernel",
    "held_back::a_source_that_sends_too_much_is_cut_to_its_rate",
    "differential::the_torture_messages",
];

/// What `kernels` understands.
#[derive(Args)]
pub struct Options {
    /// Series of kernels, such as 6.1; without any: 5.10, 5.15, 6.1, 6.12 and this machine's own
    series: Vec<String>,
    /// Run every test of the kernel programs, also where the machine is emulated: that takes most of an hour for a kernel
    #[arg(long)]
    all_tests: bool,
}

/// Boots each kernel.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::require_root("cargo xtask kernels  (it loads kernel programs here, too)")?;
    let mut steps = Steps::new("kernels");
    setup::run(workspace, &mut steps, Needs::DEMO)?;
    crate::build::run(workspace, &mut steps)?;
    let tests = build_tests(workspace, &mut steps)?;
    let folder = workspace.target.join("kernels");
    let suites = Suites::open(&folder.join("apt"))?;
    if let Err(why) = steps.quiet("package lists of other suites", |_| suites.update()) {
        steps.say(&format!("going on with what is there: {why:#}"));
    }
    let machine = Machine { root: folder.join("machine"), shared: folder.clone() };
    steps.quiet("QEMU, unpacked and not installed", |_| suites.unpack_whole(&machine::PACKAGES, &machine.root))?;
    let expected = steps.quiet("the captures on this kernel", |_| replay::here(workspace))?;
    let equipment = Equipment { workspace, suites, machine, folder, tests, expected, all_tests: options.all_tests };

    let named = !options.series.is_empty();
    let series = if named { options.series.clone() } else { usual_series()? };
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for series in series {
        match equipment.examine(&mut steps, &series) {
            Ok(Some(Verdict { release, text })) => rows.push(format!("{release}: {text}")),
            Ok(None) if named => failed.push(format!("Linux {series}: no suite of the mirror has it")),
            Ok(None) => rows.push(format!("{series}: not tried, as no suite of the mirror has it")),
            Err(why) => failed.push(format!("Linux {series}: {why:#}")),
        }
    }
    rows.iter().for_each(|row| steps.say(row));
    steps.finish();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// The long-term ones and this machine's.
fn usual_series() -> Result<Vec<String>> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("this kernel does not say its version")?;
    let mut series: Vec<String> = SERIES.map(str::to_owned).into();
    let mut numbers = release.split('.');
    if let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) {
        let own = format!("{major}.{minor}");
        if !series.contains(&own) {
            series.push(own);
        }
    }
    Ok(series)
}

/// Builds the demo and the tests of the kernel programs; where the latter are.
fn build_tests(workspace: &Workspace, steps: &mut Steps) -> Result<PathBuf> {
    steps.stream("cargo build --release --package sip-fw-e2e --bin sip-fw-demo", || {
        let arguments = ["build", "--release", "--package", "sip-fw-e2e", "--bin", "sip-fw-demo"];
        process::run(&mut workspace.cargo(&arguments))
    })?;
    let arguments = ["test", "--release", "--package", "sip-fw-e2e", "--test", "kernel", "--no-run"];
    steps.stream("build of the tests of the kernel programs", || process::run(&mut workspace.cargo(&arguments)))?;
    let messages = process::stdout_of(workspace.cargo(&arguments).arg("--message-format=json"))?;
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "kernel" && message["target"]["kind"][0] == "test";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    executable.context("cargo does not say where the tests of the kernel programs are")
}

/// What every kernel is examined with.
struct Equipment<'a> {
    workspace: &'a Workspace,
    suites: Suites,
    machine: Machine,
    folder: PathBuf,
    tests: PathBuf,
    expected: Vec<String>,
    all_tests: bool,
}

impl Equipment<'_> {
    /// None if there is no such kernel.
    fn examine(&self, steps: &mut Steps, series: &str) -> Result<Option<Verdict>> {
        let Some(package) = self.suites.kernel(series)? else { return Ok(None) };
        let unpacked = self.folder.join(&package);
        steps.quiet(&package, |_| self.suites.unpack(&package, &unpacked))?;
        let kernel = machine::kernel_in(&unpacked)?;
        let probe = self.contents(&[], 1).write(&self.folder, &unpacked)?;
        let acceleration = steps.quiet(&format!("Linux {series}: fastest way to run it"), |note| {
            let fastest = self.machine.fastest(&kernel, &probe);
            fastest.name().clone_into(note);
            Ok(fastest)
        })?;
        let (filters, slower, seconds) = match (acceleration, self.all_tests) {
            (Acceleration::Kvm, _) => (&[][..], 1, 600),
            (Acceleration::Tcg, false) => (&CORE_TESTS[..], 10, 1800),
            (Acceleration::Tcg, true) => (&[][..], 10, 7200),
        };
        let disk = self.contents(filters, slower).write(&self.folder, &unpacked)?;
        let console = steps.stream(&format!("Linux {series} in a machine ({})", acceleration.name()), || {
            self.boot(acceleration, series, &kernel, &disk, seconds)
        })?;
        verdict::judge(series, &console, &self.expected).map(Some)
    }

    fn contents<'a>(&'a self, filters: &'a [&'a str], slower: u32) -> Contents<'a> {
        let busybox = self.machine.root.join("bin/busybox");
        Contents { workspace: self.workspace, busybox, tests: self.tests.clone(), filters, slower }
    }

    fn boot(
        &self,
        acceleration: Acceleration,
        series: &str,
        kernel: &Path,
        disk: &Path,
        seconds: u32,
    ) -> Result<Console> {
        let log = self.folder.join(format!("{series}.log"));
        let mut console = Console::default();
        self.machine.boot(acceleration, kernel, disk, seconds, &log, |line| {
            if let Some(part) = console.read(line) {
                let code = part.code.unwrap_or(-1);
                eprintln!("    {}: {code} after {}", part.name, steps::seconds(part.took));
            }
        })?;
        Ok(console)
    }
}
