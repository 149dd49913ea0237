//! How many password guesses a defence lets through after the one that decides, and how long it takes: sip-fw beside fail2ban.
//!
//! One PBX for all of them, the same packets at the same rate, one defence at a time, in turn over several rounds. What
//! counts is what the cable in front of the PBX shows: an attempt that came after the deciding refusal and was answered was let
//! through. Each attack comes from an address of its own, so that none has to wait for the end of a ban.

mod attack;
mod defence;
mod fail2ban;
mod pbx;
mod reaction;
mod registrar;
mod row;

use std::iter;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use sip_fw_e2e::peers::find_asterisk;
use sip_fw_e2e::wait::catch_interrupts;
use sip_fw_e2e::{Bed, Family, Tap, require_agent};

use crate::Report;
use attack::Attack;
use defence::{Defence, Guard, Tool};
use fail2ban::Backend;
use pbx::{Kind, Pbx};
use reaction::Reaction;
use row::Row;

/// Attempts a second, and the PBX that is to bear them. The last one is more than Asterisk answers on small machines.
const COURSES: [(Kind, &[u32]); 2] = [(Kind::Asterisk, &[100, 1000, 10_000]), (Kind::Registrar, &[10_000])];
const ROUNDS: usize = 5;
/// Failures that decide, for both.
const THRESHOLD: usize = 5;

/// Measures.
pub fn run() -> Result<Report> {
    catch_interrupts()?;
    let binary = require_agent().context("no agent")?;
    let chroot = find_asterisk().context("no Asterisk")?;
    let absent = fail2ban::absent();
    let rivals = [Backend::Pyinotify, Backend::Polling].map(Tool::Fail2ban);
    let rivals = rivals.into_iter().filter(|_| absent.is_none());
    let tools: Vec<Tool> = iter::once(Tool::SipFw).chain(rivals).collect();
    let defences: Vec<Defence> = tools.iter().flat_map(|tool| tool.defences()).collect();
    let mut stage = Stage { bed: Bed::new()?, binary, attackers: 0 };
    let mut rows = Vec::new();
    for (kind, rates) in COURSES {
        let pbx = kind.start(&stage.bed, &chroot)?;
        let course = rates.iter().flat_map(|rate| defences.iter().map(|defence| Row::new(kind, *defence, *rate)));
        let mut course: Vec<Row> = course.collect();
        stage.play(&pbx, &tools, &mut course)?;
        rows.extend(course);
    }
    row::report(&rows, absent.as_deref())
}

/// Where everything happens.
struct Stage {
    bed: Bed,
    /// sip-fw.
    binary: PathBuf,
    /// Who attacked until now.
    attackers: u16,
}

impl Stage {
    /// Every round of a course: `rows` take what it came to.
    fn play(&mut self, pbx: &Pbx, tools: &[Tool], rows: &mut [Row]) -> Result<()> {
        for round in 0..ROUNDS {
            for turn in 0..tools.len() {
                // In turn: what one leaves behind on the machine does not always meet the same other.
                let tool = tools[(round + turn) % tools.len()];
                let guard = tool.start(&self.bed, &pbx.security_log(), self.binary.clone())?;
                for row in rows.iter_mut().filter(|row| row.defence.tool() == tool) {
                    eprintln!("round {} of {ROUNDS}: {}", round + 1, row.case());
                    let reaction = self.attack(&guard, row.defence, row.rate);
                    row.reactions.push(reaction.with_context(|| row.case())?);
                }
            }
        }
        Ok(())
    }

    fn attack(&mut self, guard: &Guard, defence: Defence, rate: u32) -> Result<Reaction> {
        self.attackers += 1;
        // The first address is the one that asks for others.
        let source = self.bed.attacker.nth(Family::V4, 1 + self.attackers);
        let cable = Tap::cable(&self.bed, &self.bed.pbx)?;
        Attack { source, nonce: defence.nonce(), rate }.run(&self.bed)?;
        guard.confirm(defence, source)?;
        Reaction::of(&cable.seen()?, source, THRESHOLD)
    }
}
