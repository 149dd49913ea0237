//! One host of the bed: its namespace, its interface, its addresses, its processes.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::Namespace;
use crate::SIP_PORT;
use crate::family::Family;
use crate::process::Process;
use crate::wait::PATIENCE;

/// A host of the bed.
#[derive(Debug)]
pub struct Host {
    pub(super) namespace: Namespace,
    pub(super) interface: String,
    pub(super) network: u16,
}

impl Host {
    /// The namespace it lives in.
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The name of its only interface besides loopback.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its first address.
    pub fn address(&self, family: Family) -> IpAddr {
        family.address(self.network, 1)
    }

    /// Another of its addresses: `n` from 1 to 254. All of them can be bound.
    pub fn nth(&self, family: Family, n: u16) -> IpAddr {
        family.address(self.network, n)
    }

    /// The prefix of its network, as a configuration names it.
    pub fn net(&self, family: Family) -> String {
        family.net(self.network)
    }

    /// Its SIP port on its first address.
    pub fn sip(&self, family: Family) -> SocketAddr {
        SocketAddr::new(self.address(family), SIP_PORT)
    }

    /// If there is an XDP program on its interface: what the kernel says.
    pub fn has_xdp(&self) -> Result<bool> {
        let mut command = Command::new("ip");
        command.args(["-json", "-details", "link", "show", "dev", self.interface()]);
        let mut process = self.spawn(command)?;
        ensure!(process.wait(PATIENCE)?.success(), "ip link: {}", process.stderr());
        Ok(serde_json::from_str::<Value>(&process.stdout())?[0].get("xdp").is_some())
    }

    /// Starts a program inside.
    pub fn spawn(&self, command: Command) -> Result<Process> {
        Process::spawn(command, Some(self.namespace.path()))
    }
}
