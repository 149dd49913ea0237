//! The programs and the controller with their default configuration, and the clock that all scenarios share.

use std::net::IpAddr;

use anyhow::{Result, anyhow};
use sip_fw_agent::replay::default_config;
use sip_fw_agent::replay::message::{Content, Direction};
use sip_fw_agent::replay::stage::{Fate as Packet, Stage};
use sip_fw_core::record::Record;

use super::fate::{Fate, fate};
use super::peer::{Peer, Towards};
use super::schedule::{DAY, SECOND};

/// 2026-01-01: Unix times of ten digits for longer than the scenarios last.
const EPOCH_NS: u64 = 1_767_225_600 * SECOND;
/// Between two scenarios: longer than the longest ban and its decay, so that nothing is remembered.
const BETWEEN_NS: u64 = 40 * DAY;

/// What the configuration says of how the PBX refuses a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing: the form of its nonces tells.
    Auto,
    /// By another challenge.
    Challenge,
}

/// The firewall.
pub struct Firewall {
    stage: Stage,
    records: Vec<Record>,
    sequence: u32,
    sites: u16,
}

impl Firewall {
    /// Loads the programs, once for all scenarios. `observe`: it decides, but drops nothing.
    pub fn new(observe: bool, refusal: Refusal) -> Result<Self> {
        let mut config = default_config().map_err(|faults| anyhow!("the defaults: {faults}"))?;
        if refusal == Refusal::Challenge {
            config.services.iter_mut().for_each(|service| service.refusal = 1);
        }
        let mut firewall = Self { stage: Stage::new(&config, observe)?, records: Vec::new(), sequence: 1, sites: 0 };
        firewall.advance(EPOCH_NS)?;
        Ok(firewall)
    }

    /// The clock.
    pub const fn now_ns(&self) -> u64 {
        self.stage.now_ns()
    }

    /// Moves the clock on.
    pub fn advance(&mut self, to_ns: u64) -> Result<()> {
        Ok(self.stage.advance(to_ns, &mut self.records)?)
    }

    /// Lets everything be forgotten.
    pub fn forget(&mut self) -> Result<()> {
        let second = (self.now_ns() + BETWEEN_NS) / SECOND;
        self.advance(second * SECOND)?;
        self.records.clear();
        Ok(())
    }

    /// A site where nobody lived before.
    pub fn site(&mut self) -> u16 {
        self.sites += 1;
        self.sites
    }

    /// A packet arrives; whether it goes on.
    pub fn arrives(&mut self, from: &Peer, payload: &[u8]) -> Result<bool> {
        let frame = from.frame(Towards::Host, self.next_sequence(payload), payload)?;
        let became = self.stage.packet(Direction::Arriving, Content::Nothing, &frame, &mut self.records)?;
        Ok(became != Packet::Dropped)
    }

    /// A packet leaves.
    pub fn leaves(&mut self, to: &Peer, payload: &[u8]) -> Result<()> {
        let frame = to.frame(Towards::Peer, self.next_sequence(payload), payload)?;
        self.stage.packet(Direction::Leaving, Content::Nothing, &frame, &mut self.records)?;
        Ok(())
    }

    /// What is decided about an address now.
    pub fn fate(&self, address: IpAddr) -> Result<Fate> {
        Ok(fate(&self.stage, address)?)
    }

    /// Whether something was decided since the last call.
    pub fn has_decided(&mut self) -> bool {
        self.records.drain(..).any(|record| matches!(record.event.name(), "ban" | "shun"))
    }

    fn next_sequence(&mut self, payload: &[u8]) -> u32 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(u32::try_from(payload.len()).unwrap_or(1));
        sequence
    }
}
