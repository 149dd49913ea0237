//! A fail2ban of our own: the package's filters, actions and defaults, with its own socket, log and jail in a temporary folder.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sip_fw_e2e::Host;
use sip_fw_e2e::process::Process;
use sip_fw_e2e::require::find_program;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use tempfile::TempDir;

/// Where the package puts its configuration.
const PACKAGED: &str = "/etc/fail2ban";
/// The package's jail, filter and chain for Asterisk.
const JAIL: &str = "asterisk";
const CHAIN: &str = "f2b-asterisk-udp";
/// Banned before the first attack (RFC 5737): the chains are made at the first ban.
const NOBODY: &str = "192.0.2.1";
const PROGRAMS: [&str; 3] = ["fail2ban-server", "fail2ban-client", "iptables"];

/// How it learns of new lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The kernel tells: what `auto` chooses where the module is installed.
    Pyinotify,
    /// It looks now and then.
    Polling,
}

impl Backend {
    /// As jail.conf names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pyinotify => "pyinotify",
            Self::Polling => "polling",
        }
    }
}

/// Why there is none, if so.
pub fn absent() -> Option<String> {
    let absent = PROGRAMS.into_iter().find(|program| find_program(program).is_none())?;
    Some(format!("{absent} is not on PATH"))
}

/// A running fail2ban; what it put into the tables of its host goes with it.
#[derive(Debug)]
pub struct Fail2ban {
    process: Process,
    folder: TempDir,
}

impl Fail2ban {
    /// Starts it on `host`, with the jail of Asterisk on an emptied `log`, and waits until its chains are there.
    pub fn start(host: &Host, log: &Path, backend: Backend, threshold: usize) -> Result<Self> {
        File::options().write(true).open(log)?.set_len(0).with_context(|| format!("empty {}", log.display()))?;
        let folder = configure(log, backend, threshold)?;
        let mut command = Command::new("fail2ban-server");
        command.args(["-xf", "-c"]).arg(folder.path()).arg("start");
        let mut fail2ban = Self { process: host.spawn(command)?, folder };
        let mut ended = None;
        let ready = wait_for("fail2ban to watch", PATIENCE, || {
            ended = fail2ban.process.ended();
            ended.is_some() || fail2ban.says(&format!("Jail '{JAIL}' started"))
        });
        ensure!(ended.is_none(), "fail2ban ended with {ended:?}: {}", fail2ban.log());
        ready.with_context(|| fail2ban.log())?;
        fail2ban.make_chains(host)?;
        Ok(fail2ban)
    }

    /// If it has banned a source.
    pub fn has_banned(&self, source: IpAddr) -> bool {
        self.says(&format!("[{JAIL}] Ban {source}\n"))
    }

    fn make_chains(&self, host: &Host) -> Result<()> {
        let mut client = Command::new("fail2ban-client");
        client.arg("-c").arg(self.folder.path()).args(["set", JAIL, "banip", NOBODY]);
        run(host, client)?;
        wait_for("the chains of fail2ban", PATIENCE, || {
            let mut rules = Command::new("iptables");
            rules.args(["-w", "-S", CHAIN]);
            run(host, rules).is_ok_and(|rules| rules.contains(NOBODY))
        })
        .with_context(|| self.log())
    }

    fn says(&self, text: &str) -> bool {
        self.log().contains(text)
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        format!("{log}{}", self.process.stderr())
    }
}

/// The package's files under our two, which are read after them. What an administrator added in jail.d stays out.
fn configure(log: &Path, backend: Backend, threshold: usize) -> Result<TempDir> {
    let folder = TempDir::new()?;
    let at = |name: &str| folder.path().join(name);
    for name in packaged()? {
        symlink(Path::new(PACKAGED).join(&name), folder.path().join(&name))?;
    }
    let own = [("logtarget", at("log")), ("socket", at("socket")), ("pidfile", at("pid")), ("dbfile", "None".into())];
    let own: String = own.map(|(name, value): (&str, PathBuf)| format!("{name} = {}\n", value.display())).concat();
    fs::write(at("fail2ban.local"), format!("[Definition]\n{own}"))?;
    let jail = format!(
        "[DEFAULT]\nbackend = {}\n[{JAIL}]\nenabled = true\nlogpath = {}\nmaxretry = {threshold}\n",
        backend.name(),
        log.display()
    );
    fs::write(at("jail.local"), jail)?;
    Ok(folder)
}

/// The names in the package's folder that are its own.
fn packaged() -> Result<Vec<OsString>> {
    let entries = fs::read_dir(PACKAGED).with_context(|| format!("read {PACKAGED}"))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>()?;
    let is_local = |name: &str| name.ends_with(".local") || name == "jail.d" || name == "fail2ban.d";
    Ok(names.into_iter().filter(|name| !is_local(&name.to_string_lossy())).collect())
}

fn run(host: &Host, command: Command) -> Result<String> {
    let mut process = host.spawn(command)?;
    let status = process.wait(PATIENCE)?;
    ensure!(status.success(), "{status}: {}{}", process.stdout(), process.stderr());
    Ok(process.stdout())
}
