//! A host of the bed that runs a machine with the package, and who knocks at its SIP port.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sip_fw_e2e::actors::Spoofer;
use sip_fw_e2e::machine::{Machine, find_debian};
use sip_fw_e2e::process::Process;
use sip_fw_e2e::require::missing;
use sip_fw_e2e::scene::messages_of;
use sip_fw_e2e::sip::{Request, Transport};
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::wire::Direction;
use sip_fw_e2e::{Bed, Family, Tap, require};
use tempfile::TempDir;

/// Few enough that no message rate is exceeded.
pub const KNOCKS: u64 = 5;

pub const CONFIG: &str = "/etc/sip-fw/sip-fw.toml";

/// The package, the one that upgrades it, and a machine to install them on.
pub struct Site {
    pub machine: Machine,
    pub attacker: Spoofer,
    pub inside: Tap,
    pub cable: Tap,
    pub bed: Bed,
}

impl Site {
    /// A machine without the package.
    pub fn bare() -> Option<Self> {
        let (package, debian) = (find_package()?, find_debian()?);
        if !["systemd-nspawn", "nsenter", "dpkg-deb"].into_iter().all(require) {
            return None;
        }
        let bed = Bed::new().unwrap();
        let folder = TempDir::new().unwrap();
        let first = folder.path().join("first.deb");
        fs::copy(&package, &first).unwrap();
        let next = next_version(&package, folder.path());
        let machine = Machine::boot(&bed.name, debian, &bed.pbx, &[&first, &next]).unwrap();
        let inside = Tap::inside(&bed.pbx).unwrap();
        let cable = Tap::cable(&bed, &bed.pbx).unwrap();
        let attacker = Spoofer::new(&bed.attacker, &bed.pbx).unwrap();
        Some(Self { machine, attacker, inside, cable, bed })
    }

    /// A machine with the package, and the agent up.
    pub fn installed() -> Option<Self> {
        let site = Self::bare()?;
        site.install("first");
        Some(site)
    }

    /// The same, with `mode = "enforce"` and the attacker banned in both families.
    pub fn enforcing() -> Option<Self> {
        let site = Self::installed()?;
        site.must(&format!("sed -i 's/^mode = \"observe\"/mode = \"enforce\"/' {CONFIG}"));
        site.must("systemctl reload sip-fw");
        for family in Family::BOTH {
            site.must(&format!("sip-fw ban {} --for 1d", site.bed.attacker.address(family)));
        }
        Some(site)
    }

    /// `first` or `next`.
    pub fn install(&self, which: &str) {
        self.must(&format!("dpkg --install /root/{which}.deb"));
        self.machine.wait_until("systemctl is-active sip-fw").unwrap();
    }

    #[track_caller]
    pub fn must(&self, line: &str) -> String {
        self.machine.must(line).unwrap_or_else(|error| panic!("{error:#}"))
    }

    #[track_caller]
    pub fn code(&self, line: &str) -> i32 {
        self.machine.run(line).unwrap().code
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.must("sip-fw status --json")).unwrap()
    }

    pub fn main_pid(&self) -> String {
        self.must("systemctl show --property MainPID --value sip-fw")
    }

    /// How many of a few requests of the attacker reach the host.
    pub fn passing(&mut self, family: Family) -> u64 {
        let source = self.bed.attacker.address(family);
        let sent = || messages_of(&self.cable.seen().unwrap(), source, Direction::Out);
        let arrived = || messages_of(&self.inside.seen().unwrap(), source, Direction::In);
        let (sent_before, arrived_before) = (sent(), arrived());
        for _ in 0..KNOCKS {
            knock(&mut self.attacker, &self.bed, family);
        }
        let all = |seen: &[_]| messages_of(seen, source, Direction::Out) >= sent_before + KNOCKS;
        self.cable.wait("the requests on the cable", all).unwrap();
        arrived() - arrived_before
    }

    #[track_caller]
    pub fn assert_dropped(&mut self) {
        for family in Family::BOTH {
            assert_eq!(self.passing(family), 0, "{family:?}: {}", self.must("sip-fw bans"));
        }
    }

    #[track_caller]
    pub fn assert_passing(&mut self) {
        for family in Family::BOTH {
            assert_eq!(self.passing(family), KNOCKS, "{family:?}");
        }
    }
}

/// One harmless request of the attacker.
pub fn knock(attacker: &mut Spoofer, bed: &Bed, family: Family) {
    let source = SocketAddr::new(bed.attacker.address(family), 5099);
    let request = Request::new("OPTIONS", "probe", source, bed.pbx.sip(family), Transport::Udp);
    attacker.send(source, &request.bytes()).unwrap();
}

/// The package; see `require::missing` for what happens if there is none.
pub fn find_package() -> Option<PathBuf> {
    let package = std::env::var_os("SIP_FW_DEB").map(PathBuf::from).filter(|path| path.is_file());
    if package.is_none() {
        missing(
            "package",
            "SIP_FW_DEB names no file; `cargo xtask package` makes the package, `cargo xtask test` names it",
        );
    }
    package
}

/// Runs a program on the test's own host, which must succeed.
pub fn on_host(program: &str, arguments: &[&str], paths: &[&Path]) -> Process {
    let mut command = Command::new(program);
    command.args(arguments).args(paths).env("LC_ALL", "C.UTF-8");
    let mut process = Process::spawn(command, None).unwrap();
    let status = process.wait(4 * PATIENCE).unwrap();
    assert!(status.success(), "{program} {arguments:?} {paths:?}: {}{}", process.stdout(), process.stderr());
    process
}

/// The same package with a higher version.
fn next_version(package: &Path, folder: &Path) -> PathBuf {
    let (content, next) = (folder.join("content"), folder.join("next.deb"));
    on_host("dpkg-deb", &["--raw-extract"], &[package, &content]);
    let control = content.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let version = text.lines().find(|line| line.starts_with("Version: ")).unwrap();
    fs::write(&control, text.replace(version, &format!("{version}+next"))).unwrap();
    on_host("dpkg-deb", &["-Zgzip", "-z1", "--build"], &[&content, &next]);
    next
}
