//! The stage: the bed, the PBX, sip-fw in front of it, the good phones, and the taps that count.

use anyhow::{Context as _, Result, bail};

use super::Pbx;
use super::story::Story;
use crate::actors::Fleet;
use crate::agent::find_binary;
use crate::peers::{Kamailio, Nonces};
use crate::registrar::{Registrar, Settings};
use crate::require::find_program;
use crate::{Agent, Bed, Family, Policy, Tap};

/// Everything that runs. The fields are dropped in this order: the bed goes last.
#[derive(Debug)]
pub struct Stage {
    pub fleet: Fleet,
    pub agent: Agent,
    /// What the stack of the pbx receives, behind XDP, and sends.
    pub inside: Tap,
    /// What is on the cable to the pbx.
    pub cable: Tap,
    pub policy: Policy,
    pub pbx: RunningPbx,
    pub bed: Bed,
}

/// The PBX that was chosen.
#[derive(Debug)]
pub enum RunningPbx {
    Builtin(Registrar),
    Kamailio(Kamailio),
}

impl Stage {
    /// Builds the network, starts the PBX, sip-fw and the phones.
    pub fn set(pbx: Pbx, story: &Story) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!("namespaces and XDP need root: run it with sudo");
        }
        let binary =
            find_binary().context("sip-fw is not built: run `cargo build`, or name the binary in SIP_FW_BIN")?;
        let bed = Bed::new()?;
        story.tell(
            "network",
            "five namespaces of its own: pbx, office, attacker, spoofer, carrier; nothing leaves them",
        );
        let pbx = start_pbx(pbx, &bed)?;
        let (name, addresses) =
            (pbx.name(), Family::BOTH.map(|family| bed.pbx.address(family).to_string()).join(" and "));
        story.tell("pbx", &format!("{name} on {addresses}, port 5060, UDP and TCP"));
        let policy = Policy::default();
        let agent = Agent::start(binary, &bed, &policy)?;
        let interface = bed.pbx.interface();
        story
            .tell("sip-fw", &format!("`sip-fw run` protects {interface}: ban at {} proven failures", policy.threshold));
        let inside = Tap::inside(&bed.pbx)?;
        let cable = Tap::cable(&bed, &bed.pbx)?;
        let fleet = Fleet::start(&bed, &Family::BOTH)?;
        let offices = Family::BOTH.map(|family| bed.office.address(family).to_string()).join(" and ");
        story.tell("office", &format!("phones at {offices} register with the right passwords, over UDP and TCP"));
        Ok(Self { fleet, agent, inside, cable, policy, pbx, bed })
    }
}

impl RunningPbx {
    const fn name(&self) -> &'static str {
        match self {
            Self::Builtin(_) => "the built-in registrar",
            Self::Kamailio(_) => "Kamailio",
        }
    }
}

fn start_pbx(pbx: Pbx, bed: &Bed) -> Result<RunningPbx> {
    match pbx {
        Pbx::Builtin => Ok(RunningPbx::Builtin(Registrar::start(&bed.pbx, Settings::standard())?)),
        Pbx::Kamailio => {
            find_program("kamailio").context("kamailio is not installed: run `cargo xtask setup`")?;
            Ok(RunningPbx::Kamailio(Kamailio::start(&bed.pbx, Nonces::PerSource)?))
        }
    }
}
