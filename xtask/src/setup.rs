//! `cargo xtask setup`: everything that building and testing need, from Debian packages and `cargo install`.
//! Says each step, does only what is missing, and takes a moment when nothing is.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::apt;
use crate::cargo_deb;
use crate::cargo_fuzz;
use crate::host::{self, Host};
use crate::peers;
use crate::process;
use crate::steps::Steps;
use crate::toolchain;
use crate::workspace::Workspace;

/// How much has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Packages beyond the build tools.
    tools: &'static [Tool],
    /// Packages that are installed where they can be had.
    optional: &'static [Tool],
    /// The folder with Asterisk in another Debian.
    asterisk: bool,
    /// The folder with a Debian whose systemd can be booted.
    systemd: bool,
    /// cargo-deb.
    package: bool,
    /// A mounted bpffs: something will be attached.
    bpffs: bool,
    /// cargo-fuzz, and the compiler of libFuzzer.
    fuzz: bool,
    /// A linter of the same version as the compiler of the kernel programs.
    lint: bool,
}

/// A Debian package and the program in it that we run.
#[derive(Debug)]
pub struct Tool {
    /// Debian's name.
    pub package: &'static str,
    /// The program.
    pub program: &'static str,
}

const fn tool(package: &'static str, program: &'static str) -> Tool {
    Tool { package, program }
}

static DEMO_TOOLS: [Tool; 1] = [tool("iproute2", "ip")];
static KAMAILIO_DEMO_TOOLS: [Tool; 2] = [tool("iproute2", "ip"), tool("kamailio", "kamailio")];
static PACKAGE_TOOLS: [Tool; 1] = [tool("xz-utils", "xz")];
static FUZZ_TOOLS: [Tool; 1] = [tool("g++", "g++")];
static BENCH_TOOLS: [Tool; 2] = [tool("iproute2", "ip"), tool("ethtool", "ethtool")];
static BENCH_REACT_TOOLS: [Tool; 1] = [tool("debootstrap", "debootstrap")];
/// Firewalls to be measured beside: the benchmark says which it did not find.
static RIVALS: [Tool; 5] = [
    tool("nftables", "nft"),
    tool("iptables", "iptables"),
    tool("ipset", "ipset"),
    tool("xdp-tools", "xdp-filter"),
    tool("bpftool", "bpftool"),
];
/// As [`RIVALS`]. The module is fail2ban's: with it, it need not poll.
static FAIL2BAN: [Tool; 3] =
    [tool("fail2ban", "fail2ban-server"), tool("python3-pyinotify", "python3"), tool("iptables", "iptables")];
static TEST_TOOLS: [Tool; 15] = [
    tool("iproute2", "ip"),
    tool("kamailio", "kamailio"),
    tool("sip-tester", "sipp"),
    tool("sipvicious", "svwar"),
    tool("baresip-core", "baresip"),
    tool("hping3", "hping3"),
    tool("tcpdump", "tcpdump"),
    tool("debootstrap", "debootstrap"),
    tool("ethtool", "ethtool"),
    tool("sqlite3", "sqlite3"),
    tool("systemd", "journalctl"),
    tool("chromium", "chromium"),
    tool("systemd-container", "systemd-nspawn"),
    tool("man-db", "man"),
    tool("xz-utils", "xz"),
];

impl Needs {
    /// `cargo build`.
    pub const BUILD: Self = Self {
        tools: &[],
        optional: &[],
        asterisk: false,
        systemd: false,
        package: false,
        bpffs: false,
        fuzz: false,
        lint: false,
    };
    /// The demo with its own registrar.
    pub const DEMO: Self = Self { tools: &DEMO_TOOLS, bpffs: true, ..Self::BUILD };
    /// The demo against Kamailio.
    pub const DEMO_KAMAILIO: Self = Self { tools: &KAMAILIO_DEMO_TOOLS, ..Self::DEMO };
    /// Packages.
    pub const PACKAGE: Self = Self { tools: &PACKAGE_TOOLS, package: true, ..Self::BUILD };
    /// Every test.
    pub const TEST: Self =
        Self { tools: &TEST_TOOLS, asterisk: true, systemd: true, package: true, bpffs: true, ..Self::BUILD };
    /// Every check and every test.
    pub const CI: Self = Self { lint: true, ..Self::TEST };
    /// The fuzz targets, which run no kernel program.
    pub const FUZZ: Self = Self { tools: &FUZZ_TOOLS, fuzz: true, ..Self::BUILD };
    /// The benchmarks, and what they are compared with.
    pub const BENCH: Self = Self { tools: &BENCH_TOOLS, optional: &RIVALS, bpffs: true, ..Self::BUILD };
    /// Beside that, for the reaction to an attack on Asterisk.
    pub const BENCH_REACT: Self =
        Self { tools: &BENCH_REACT_TOOLS, optional: &FAIL2BAN, asterisk: true, ..Self::BUILD };
}

/// Installs what is missing.
pub fn run(workspace: &Workspace, steps: &mut Steps, needs: Needs) -> Result<()> {
    let logs = workspace.target.join("setup");
    match Host::detect() {
        Host::Debian(release) => {
            let mut wanted: Vec<&str> = needs.tools.iter().map(|tool| tool.package).collect();
            wanted.extend(toolchain::packages(workspace));
            if needs.lint && toolchain::uses_system_compiler(workspace) {
                wanted.push(toolchain::LINT_PACKAGE);
            }
            let missing = steps.quiet("Debian packages", |note| {
                let missing = apt::missing(&wanted)?;
                *note = match missing.len() {
                    0 => "nothing to install".to_owned(),
                    count => format!("{count} to install"),
                };
                Ok(missing)
            })?;
            if !missing.is_empty() {
                require_root(&format!("apt-get update; {}", apt::install_words(&missing)))?;
                apt::update(steps, &logs)?;
                let offered = apt::available(&missing)?;
                if let Some(absent) = missing.iter().find(|package| !offered.contains(package)) {
                    bail!(
                        "{}\n{}",
                        absent_package(absent, &release.pretty_name),
                        toolchain::by_hand(workspace, absent_tools(needs))
                    );
                }
                apt::install(steps, &logs, &missing)?;
            }
            if let Err(why) = install_offered(needs.optional, steps, &logs) {
                steps.say(&format!("what is not installed will not be measured: {why:#}"));
            }
            toolchain::ensure(workspace, steps)?;
            if needs.asterisk {
                peers::ensure_asterisk(workspace, steps, &release);
            }
            if needs.systemd {
                peers::ensure_debian(workspace, steps, &release);
            }
        }
        Host::Unknown(name) => {
            let absent = absent_tools(needs);
            if toolchain::ensure_found(workspace, steps).is_err() || !absent.is_empty() {
                bail!("{name} is no host that xtask can set up by itself.\n{}", toolchain::by_hand(workspace, absent));
            }
        }
    }
    if needs.package {
        cargo_deb::ensure(workspace, steps)?;
    }
    if needs.fuzz {
        cargo_fuzz::ensure(workspace, steps)?;
    }
    if needs.bpffs {
        mount_bpffs(steps)?;
    }
    Ok(())
}

/// Installs those of the packages that this host offers.
fn install_offered(tools: &[Tool], steps: &mut Steps, logs: &Path) -> Result<()> {
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package).collect();
    let missing = if packages.is_empty() { Vec::new() } else { apt::missing(&packages)? };
    if missing.is_empty() {
        return Ok(());
    }
    apt::update(steps, logs)?;
    let offered = apt::available(&missing)?;
    if offered.is_empty() { Ok(()) } else { apt::install(steps, logs, &offered) }
}

/// Fails unless we are root, naming what needs it.
pub fn require_root(what: &str) -> Result<()> {
    if host::is_root() {
        return Ok(());
    }
    bail!("root is needed for:\n    {what}\nrun that as root and then this again, or run all of it as root");
}

fn absent_tools(needs: Needs) -> Vec<&'static Tool> {
    needs.tools.iter().filter(|tool| process::which(tool.program).is_none()).collect()
}

fn mount_bpffs(steps: &mut Steps) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    if host::is_mounted(&mounts, "/sys/fs/bpf", "bpf") {
        return Ok(());
    }
    require_root("mount -t bpf bpf /sys/fs/bpf")?;
    steps.quiet("mount -t bpf bpf /sys/fs/bpf", |_| {
        process::stdout_of(Command::new("mount").args(["-t", "bpf", "bpf", "/sys/fs/bpf"])).map(|_| ())
    })
}

fn absent_package(package: &str, host: &str) -> String {
    format!("the package lists of {host} offer no {package}.")
}
