//! SIPVicious, the attack tool that most scans on the internet come from.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::family::uri_host;
use crate::netns::Host;
use crate::process::Process;

/// Time for a thousand guesses on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// How a run of svcrack ended.
#[derive(Clone, Debug)]
pub struct CrackEnd {
    /// It printed the password.
    pub found: bool,
    /// It stopped because nobody answered any more.
    pub gave_up: bool,
    /// What it printed.
    pub output: String,
}

/// Runs svcrack against `user` with the four-digit passwords of a range. IPv4 only: 0.3.3 cannot read IPv6 literals.
pub fn svcrack(host: &Host, from: IpAddr, pbx: IpAddr, user: &str, password: &str, range: &str) -> Result<CrackEnd> {
    let (process, _home) =
        run(host, "svcrack", &["-u", user, "-r", range, "-z", "4", "-b", &from.to_string(), &pbx.to_string()])?;
    let output = format!("{}\n{}", process.stdout(), process.stderr());
    let found = output.lines().any(|line| line.contains('|') && line.contains(user) && line.contains(password));
    Ok(CrackEnd { found, gave_up: output.contains("since we last received a response"), output })
}

/// Runs svwar (REGISTER) over a range of extensions; gives what it printed.
pub fn svwar(host: &Host, from: IpAddr, pbx: IpAddr, range: &str) -> Result<String> {
    let (process, _home) =
        run(host, "svwar", &["--force", "-m", "REGISTER", "-e", range, "-b", &from.to_string(), &pbx.to_string()])?;
    Ok(format!("{}\n{}", process.stdout(), process.stderr()))
}

/// A tool of SIPVicious at work, for runs that go on while something else happens.
#[derive(Debug)]
pub struct Vicious {
    process: Process,
    _home: TempDir,
}

impl Vicious {
    /// Starts `tool`, bound to the address `from` of `host`, against `target`. IPv6 only with svmap: the others take no literal.
    ///
    /// 0.3.3 has no option for another User-Agent; `-c` (compact) leaves the header out.
    pub fn start(host: &Host, tool: &str, from: IpAddr, target: &str, arguments: &[&str]) -> Result<Self> {
        let home = TempDir::new()?;
        let mut command = Command::new(tool);
        command.args(arguments).args(["-b", &from.to_string()]);
        if from.is_ipv6() {
            // Its own way to write the address into Via and Contact has no brackets.
            command.args(["-6", "-x", &uri_host(from)]);
        }
        command.arg(target).env("HOME", home.path()).current_dir(home.path());
        Ok(Self { process: host.spawn(command)?, _home: home })
    }

    /// Waits for its end; gives what it printed.
    pub fn output(mut self) -> Result<String> {
        self.process.wait(LIMIT)?;
        Ok(format!("{}\n{}", self.process.stdout(), self.process.stderr()))
    }
}

/// Its sessions are kept in HOME, so every run gets one of its own.
fn run(host: &Host, tool: &str, arguments: &[&str]) -> Result<(Process, TempDir)> {
    let home = TempDir::new()?;
    let mut command = Command::new(tool);
    command.args(arguments).env("HOME", home.path()).current_dir(home.path());
    let mut process = host.spawn(command)?;
    process.wait(LIMIT)?;
    Ok((process, home))
}
