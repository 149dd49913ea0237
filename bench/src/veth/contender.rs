//! Who drops: each on a bed of its own, and in force as long as the value lives.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use sip_fw_agent::kernel::DropAll;
use sip_fw_e2e::process::Process;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Agent, Bed, Policy, require_agent};

use super::caller::Line;
use super::receiver::Receiver;

/// What a contender needs to stay in force.
type Guard = Box<dyn Any + Send>;

/// Bans the sources on the bed's pbx.
pub type SetUp = fn(&Bed, &[IpAddr]) -> Result<Guard>;

/// An empty program that returns XDP_DROP. It drops the good caller, too.
pub const FLOOR: &str = "floor";
/// The same that reads whom a packet is from, which is in another CPU's cache: nobody who asks for the source is faster.
pub const READING: &str = "floor, source read";
/// sip-fw, as it runs on a host.
pub const OURS: &str = "sip-fw bans=10000";

/// All of them, the floors first.
pub const ALL: [(&str, SetUp); 7] = [
    (FLOOR, floor),
    (READING, reading),
    (OURS, sip_fw),
    ("xdp-filter", xdp_filter),
    ("nftables netdev set", nftables_netdev),
    ("nftables prerouting set", nftables_prerouting),
    ("iptables ipset", iptables),
];

/// A contender in force.
pub struct Contender {
    /// Where packets are received.
    pub receiver: Receiver,
    /// A good caller's line to it.
    pub line: Line,
    _guard: Guard,
    /// The network.
    pub bed: Bed,
}

impl Contender {
    /// Makes a bed, and lets the contender ban the sources there.
    pub fn new(set_up: SetUp, sources: &[IpAddr]) -> Result<Self> {
        let bed = Bed::new()?;
        let receiver = Receiver::prepare(&bed)?;
        let line = Line::open(&bed)?;
        let guard = set_up(&bed, sources)?;
        Ok(Self { receiver, line, _guard: guard, bed })
    }
}

fn floor(bed: &Bed, _: &[IpAddr]) -> Result<Guard> {
    drop_all(bed, false)
}

fn reading(bed: &Bed, _: &[IpAddr]) -> Result<Guard> {
    drop_all(bed, true)
}

fn drop_all(bed: &Bed, reads: bool) -> Result<Guard> {
    let interface = bed.pbx.interface();
    Ok(Box::new(bed.pbx.namespace().within(|| DropAll::attach(interface, reads))??))
}

fn sip_fw(bed: &Bed, sources: &[IpAddr]) -> Result<Guard> {
    let binary = require_agent().context("no agent")?;
    let policy = Policy { extra: "[limits]\nbans = 16384\n".to_owned(), ..Policy::default() };
    let agent = Agent::start(binary, bed, &policy)?;
    let list = agent.folder().join("banned.txt");
    fs::write(&list, lines(sources, "", "")?)?;
    let mut import = agent.spawn(&["import", &list.display().to_string(), "--for", "1h"])?;
    let status = import.wait(PATIENCE)?;
    ensure!(status.success(), "sip-fw import: {status}\n{}{}", import.stdout(), import.stderr());
    let status = agent.json(&["status", "--json"])?;
    let (mode, bans) = (&status["attachments"][0]["ingress"], &status["bans_active"]);
    ensure!(mode == "native" && *bans == sources.len(), "sip-fw is attached as {mode} and has {bans} bans");
    Ok(Box::new(agent))
}

fn nftables_netdev(bed: &Bed, sources: &[IpAddr]) -> Result<Guard> {
    let hook = format!("type filter hook ingress device \"{}\" priority -500", bed.pbx.interface());
    nftables(bed, "netdev", &hook, sources)
}

fn nftables_prerouting(bed: &Bed, sources: &[IpAddr]) -> Result<Guard> {
    nftables(bed, "inet", "type filter hook prerouting priority raw", sources)
}

fn nftables(bed: &Bed, family: &str, hook: &str, sources: &[IpAddr]) -> Result<Guard> {
    let rules = format!(
        "table {family} bench {{\n set banned {{\n type ipv4_addr\n elements = {{ {} }}\n }}\n \
         chain drops {{ {hook}; policy accept; ip saddr @banned drop; }}\n}}\n",
        lines(sources, "", ",")?
    );
    run(bed, "nft", &["-f", "-"], &rules)?;
    rules_alone()
}

fn iptables(bed: &Bed, sources: &[IpAddr]) -> Result<Guard> {
    let set = format!("create banned hash:ip family inet\n{}", lines(sources, "add banned ", "")?);
    run(bed, "ipset", &["restore"], &set)?;
    let rule = "-t raw -A PREROUTING -m set --match-set banned src -j DROP";
    run(bed, "iptables", &rule.split(' ').collect::<Vec<_>>(), "")?;
    rules_alone()
}

/// Rules end with the namespace they are in.
fn rules_alone() -> Result<Guard> {
    Ok(Box::new(()))
}

/// Where xdp-filter pins its maps, for all interfaces alike.
const XDP_FILTER: &str = "/sys/fs/bpf/xdp-filter";

fn xdp_filter(bed: &Bed, sources: &[IpAddr]) -> Result<Guard> {
    ensure!(!Path::new(XDP_FILTER).exists(), "{XDP_FILTER} is there: xdp-filter is at work on this machine");
    let interface = bed.pbx.interface();
    run(bed, "xdp-filter", &["load", "--mode", "native", "--features", "ipv4", interface], "")?;
    let mut unload = Command::new("xdp-filter");
    unload.args(["unload", interface]);
    let guard = Unload { bed_of: bed.pbx.namespace().path().to_owned(), command: Some(unload) };
    // The tool bans one address a call; 1 is its mark of a source (MAP_FLAG_SRC).
    let mut batch = String::new();
    for source in sources {
        let key = source.to_string().replace('.', " ");
        writeln!(batch, "map update pinned {XDP_FILTER}/filter_ipv4 key {key} value 1 0 0 0 0 0 0 0 any")?;
    }
    run(bed, "bpftool", &["batch", "file", "-"], &batch)?;
    Ok(Box::new(guard))
}

/// Takes xdp-filter off.
struct Unload {
    bed_of: std::path::PathBuf,
    command: Option<Command>,
}

impl Drop for Unload {
    fn drop(&mut self) {
        let Some(command) = self.command.take() else { return };
        let ended = Process::spawn(command, Some(&self.bed_of)).and_then(|mut process| process.wait(PATIENCE));
        if !ended.as_ref().is_ok_and(std::process::ExitStatus::success) {
            eprintln!("xdp-filter unload: {ended:?}");
        }
    }
}

fn lines(sources: &[IpAddr], before: &str, after: &str) -> Result<String> {
    let mut text = String::new();
    for source in sources {
        writeln!(text, "{before}{source}{after}")?;
    }
    Ok(text)
}

/// Runs a program on the bed's pbx.
fn run(bed: &Bed, program: &str, arguments: &[&str], input: &str) -> Result<()> {
    bed.pbx.namespace().within(|| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {program}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends before it read all says why on stderr.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program}: {}", said.trim());
        Ok(())
    })?
}
