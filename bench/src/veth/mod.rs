//! End to end: the same attack on the same kind of host, dropped by sip-fw, by other firewalls, and by a program that does nothing
//! but drop. Contenders take turns, so that what disturbs one disturbs all.

mod caller;
mod contender;
mod generator;
mod measure;
mod receiver;
mod row;

use std::net::IpAddr;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use sip_fw_e2e::wait::{catch_interrupts, check_interrupt};

use self::contender::{Contender, FLOOR, OURS, READING};
use self::generator::Attack;
use self::measure::Round;
use crate::random::Random;
use crate::schedule::{self, INSIDE, OUTSIDE, Turn};
use crate::{Report, bed};

const SOURCES: usize = 10_000;
const ROUNDS: usize = 5;

/// Measures all contenders.
pub fn run() -> Result<Report> {
    catch_interrupts()?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    ensure!(cpus > INSIDE, "the attack and the host that is attacked want a CPU each, and this machine has {cpus}");
    let mut random = Random::new(0x5eed_0000_0005);
    let sources: Vec<IpAddr> = (0..SOURCES).map(|_| bed::stranger(&mut random, true).0).collect();
    let mut field = Field::new();
    for (name, set_up) in contender::ALL {
        field.push((name, ready(name, set_up, &sources)?));
    }
    let rounds = thread::scope(|scope| {
        // On a thread of its own: what else this program measures has no place before others.
        scope.spawn(|| rounds(&mut field)).join().map_err(|_| anyhow::anyhow!("the measuring thread panicked"))?
    })?;
    let outcomes = field.into_iter().zip(rounds);
    row::report(outcomes.map(|((name, contender), rounds)| (name, contender.map(|_| rounds))).collect())
}

/// Contenders by name, or why one is none.
type Field = Vec<(&'static str, Result<(Contender, Attack), String>)>;

/// The rounds of each.
fn rounds(field: &mut Field) -> Result<Vec<Vec<Round>>> {
    schedule::take(OUTSIDE, Turn::First)?;
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); field.len()];
    for _ in 0..ROUNDS {
        for ((name, contender), rounds) in field.iter_mut().zip(&mut rounds) {
            check_interrupt()?;
            if let Ok((contender, attack)) = contender {
                rounds.push(measure::round(contender, attack).with_context(|| format!("veth {name}"))?);
            }
        }
    }
    Ok(rounds)
}

/// A contender in force and the attack on it, or why a rival is not.
fn ready(name: &str, set_up: contender::SetUp, sources: &[IpAddr]) -> Result<Result<(Contender, Attack), String>> {
    let made = Contender::new(set_up, sources).and_then(|contender| {
        let attack = Attack::prepare(&contender.bed, sources)?;
        Ok((contender, attack))
    });
    match made {
        Err(error) if ![FLOOR, READING, OURS].contains(&name) => Ok(Err(format!("{error:#}"))),
        made => made.map(Ok).with_context(|| format!("veth {name}")),
    }
}
