//! One host of the bed: its namespace, its interface, its addresses, its processes.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use anyhow::Result;

use super::Namespace;
use crate::SIP_PORT;
use crate::family::Family;
use crate::process::Process;

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

    /// Starts a program inside.
    pub fn spawn(&self, command: Command) -> Result<Process> {
        Process::spawn(command, Some(self.namespace.path()))
    }
}
