//! SIPp with our scenario files: registrations with the right or with wrong passwords.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::family::uri_host;
use crate::netns::Host;
use crate::process::Process;
use crate::sip::Transport;

/// What every call of a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// REGISTER, 401, REGISTER with credentials, 200.
    Good,
    /// REGISTER, 401, REGISTER with wrong credentials, 401 or 403.
    Bad,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SippEnd {
    /// Every call went as the scenario says.
    AllPassed,
    /// At least one did not.
    SomeFailed,
    /// No answer within the time limit.
    TimedOut,
}

/// A SIPp run.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    _folder: TempDir,
}

impl Sipp {
    /// Starts `calls` calls, one at a time and a few per second, with the accounts given in turn.
    pub fn start(
        host: &Host,
        from: IpAddr,
        pbx: SocketAddr,
        transport: Transport,
        scenario: Scenario,
        accounts: &[(&str, &str)],
        calls: u32,
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        let text = match scenario {
            Scenario::Good => include_str!("../../data/sipp/register_good.xml"),
            Scenario::Bad => include_str!("../../data/sipp/register_bad.xml"),
        };
        std::fs::write(folder.path().join("scenario.xml"), text)?;
        let mut csv = "SEQUENTIAL\n".to_owned();
        for (user, password) in accounts {
            writeln!(csv, "{user};[authentication username={user} password={password}]")?;
        }
        std::fs::write(folder.path().join("accounts.csv"), csv)?;
        let mut command = Command::new("sipp");
        command.current_dir(folder.path()).env("TERM", "dumb");
        command.args(["-nostdin", "-sf", "scenario.xml", "-inf", "accounts.csv"]);
        command.arg(pbx.to_string()).args(["-i", &bare(from)]);
        command.args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }]);
        command.args(["-m", &calls.to_string(), "-r", "20", "-l", "1", "-timeout", "8s", "-timeout_error"]);
        Ok(Self { process: host.spawn(command)?, _folder: folder })
    }

    /// Starts any scenario, with one line of `csv` for each call in turn, `calls` calls at so many per second.
    pub fn play(
        host: &Host,
        from: IpAddr,
        pbx: SocketAddr,
        transport: Transport,
        scenario: &str,
        csv: &[String],
        (calls, per_second): (u32, u32),
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        std::fs::write(folder.path().join("scenario.xml"), scenario)?;
        let mut command = Command::new("sipp");
        command.current_dir(folder.path()).env("TERM", "dumb");
        command.args(["-nostdin", "-sf", "scenario.xml"]).arg(pbx.to_string()).args(["-i", &bare(from)]);
        if !csv.is_empty() {
            std::fs::write(folder.path().join("lines.csv"), format!("SEQUENTIAL\n{}\n", csv.join("\n")))?;
            command.args(["-inf", "lines.csv"]);
        }
        command.args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }]);
        command.args(["-m", &calls.to_string(), "-r", &per_second.to_string(), "-timeout", "8s", "-timeout_error"]);
        Ok(Self { process: host.spawn(command)?, _folder: folder })
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Result<SippEnd> {
        let status = self.process.wait(Duration::from_secs(25))?;
        Ok(match status.code() {
            Some(0) => SippEnd::AllPassed,
            Some(1) => SippEnd::SomeFailed,
            Some(255) => SippEnd::TimedOut,
            _ => bail!("sipp ended with {status}: {} {}", self.process.stderr(), self.process.stdout()),
        })
    }
}

/// SIPp takes IPv6 literals without brackets for `-i`.
pub(super) fn bare(address: IpAddr) -> String {
    uri_host(address).trim_matches(['[', ']']).to_owned()
}
