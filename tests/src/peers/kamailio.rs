//! Kamailio as the PBX, with our own small configuration and no place on the machine that another one could want too.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::family::{Family, uri_host};
use crate::netns::Host;
use crate::process::Process;
use crate::wait::{PATIENCE, wait_for};

const CONFIGURATION: &str = include_str!("../../data/kamailio.cfg");

/// Whether Kamailio hands the same nonce to everybody within one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonces {
    /// It does: the default of Kamailio.
    #[default]
    Shared,
    /// The nonce depends on the source address: auth_checks_register and auth_checks_no_dlg with 8, the documented cure.
    PerSource,
}

/// What Kamailio says to requests without credentials for users that do not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// A challenge, as to everybody: the default.
    #[default]
    Challenged,
    /// 404, OPTIONS included: it tells who exists, which tools that enumerate need.
    NotFound,
}

/// A running Kamailio. Dropping it ends all of its processes.
#[derive(Debug)]
pub struct Kamailio {
    process: Process,
    _folder: TempDir,
}

impl Kamailio {
    /// Starts it on the SIP port of `host`, UDP and TCP, both families, and waits until it answers.
    pub fn start(host: &Host, nonces: Nonces) -> Result<Self> {
        Self::start_with(host, nonces, Unknown::default())
    }

    /// The same, and what it says of unknown users.
    pub fn start_with(host: &Host, nonces: Nonces, unknown: Unknown) -> Result<Self> {
        let folder = TempDir::new()?;
        let configuration = folder.path().join("kamailio.cfg");
        std::fs::write(&configuration, CONFIGURATION)?;
        let mut command = Command::new("unshare");
        // In a PID namespace of its own the death of one process is the death of all twenty.
        command.args(["--pid", "--fork", "--kill-child=KILL", "kamailio", "-DD", "-E", "-m", "64", "-M", "8"]);
        command.arg("-f").arg(&configuration).arg("-Y").arg(folder.path()).arg("-P").arg(folder.path().join("pid"));
        for family in Family::BOTH {
            for transport in ["udp", "tcp"] {
                command.args(["-l", &format!("{transport}:{}:{}", uri_host(host.address(family)), crate::SIP_PORT)]);
            }
        }
        if nonces == Nonces::PerSource {
            command.args(["-A", "SOURCE_NONCE"]);
        }
        if unknown == Unknown::NotFound {
            command.args(["-A", "UNKNOWN_404"]);
        }
        let mut kamailio = Self { process: host.spawn(command)?, _folder: folder };
        kamailio.wait_until_ready(host)?;
        Ok(kamailio)
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// How many requests its own log says came from `source`.
    pub fn requests_from(&self, source: std::net::IpAddr) -> usize {
        let needle = format!("SAW {source} ");
        self.log().lines().filter(|line| line.contains(&needle)).count()
    }

    fn wait_until_ready(&mut self, host: &Host) -> Result<()> {
        let mut ended = None;
        let answered = wait_for("Kamailio to answer", PATIENCE, || {
            ended = self.process.ended();
            ended.is_some() || answers(host)
        });
        ensure!(ended.is_none(), "Kamailio ended with {ended:?}: {}", self.log());
        answered.with_context(|| self.log())
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // It has nothing to save, and asked to end it takes seconds.
        self.process.kill_inner();
    }
}

/// If the PBX answers an OPTIONS of its own host on every address and transport.
pub(super) fn answers(host: &Host) -> bool {
    use crate::actors::Client;
    use crate::sip::Transport;
    Family::BOTH.into_iter().all(|family| {
        [Transport::Udp, Transport::Tcp].into_iter().all(|transport| {
            let Ok(mut client) = Client::dial(host, host.address(family), host.sip(family), transport) else {
                return false;
            };
            let request = client.request("OPTIONS", "ready");
            client.transact(&request, std::time::Duration::from_millis(400)).is_some()
        })
    })
}
