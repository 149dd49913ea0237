//! Who defends the PBX: each starts anew for a round, is there alone, and is gone when its guard is dropped.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Agent, Bed, Policy};

use super::THRESHOLD;
use super::attack::Nonce;
use super::fail2ban::{Backend, Fail2ban};

/// A program that defends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Ours.
    SipFw,
    /// fail2ban, and how it reads the log.
    Fail2ban(Backend),
}

/// A way to defend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defence {
    /// sip-fw, against failures that prove their source: the kernel decides.
    Kernel,
    /// sip-fw, against failures that prove nothing: user space decides.
    UserSpace,
    /// fail2ban, to which all failures are alike.
    Fail2ban(Backend),
}

/// A program at work.
pub enum Guard {
    /// Ours.
    SipFw(Agent),
    /// fail2ban.
    Fail2ban(Fail2ban),
}

impl Defence {
    /// What it is called in a table.
    pub fn name(self) -> String {
        match self {
            Self::Kernel => "sip-fw, kernel ban".to_owned(),
            Self::UserSpace => "sip-fw, user space".to_owned(),
            Self::Fail2ban(backend) => format!("fail2ban, {}", backend.name()),
        }
    }

    /// The program.
    pub const fn tool(self) -> Tool {
        match self {
            Self::Kernel | Self::UserSpace => Tool::SipFw,
            Self::Fail2ban(backend) => Tool::Fail2ban(backend),
        }
    }

    /// The nonce that an attack on it answers.
    pub const fn nonce(self) -> Nonce {
        match self {
            Self::Kernel | Self::Fail2ban(_) => Nonce::Own,
            Self::UserSpace => Nonce::Others,
        }
    }
}

impl Tool {
    /// The ways in which it defends.
    pub fn defences(self) -> Vec<Defence> {
        match self {
            Self::SipFw => vec![Defence::Kernel, Defence::UserSpace],
            Self::Fail2ban(backend) => vec![Defence::Fail2ban(backend)],
        }
    }

    /// Starts it in front of the bed's PBX, which writes `log`. `binary` is sip-fw.
    pub fn start(self, bed: &Bed, log: &Path, binary: PathBuf) -> Result<Guard> {
        Ok(match self {
            Self::SipFw => {
                // Without the limit on messages of a source, which would drop before the decision.
                let policy =
                    Policy { threshold: u32::try_from(THRESHOLD)?, sip: "rate = 0\n".to_owned(), ..Policy::default() };
                Guard::SipFw(Agent::start(binary, bed, &policy)?)
            }
            Self::Fail2ban(backend) => Guard::Fail2ban(Fail2ban::start(&bed.pbx, log, backend, THRESHOLD)?),
        })
    }
}

impl Guard {
    /// Makes sure that it was this program, and in this way, that silenced the source.
    pub fn confirm(&self, defence: Defence, source: IpAddr) -> Result<()> {
        let state = if defence == Defence::UserSpace { "shunned" } else { "banned" };
        let silenced = || match self {
            Self::SipFw(agent) => agent.source(&source.to_string()).is_ok_and(|row| row.state == state),
            Self::Fail2ban(fail2ban) => fail2ban.has_banned(source),
        };
        let confirmed = wait_for("the defence to name it", PATIENCE, silenced);
        confirmed.with_context(|| format!("{source} is not answered any more, but {} did not do it", defence.name()))
    }
}
