//! A protected PBX and the taps around it, and what tests claim about them. The assertions panic with what was seen.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::agent::{Agent, Policy, SourceRow};
use crate::family::source_name;
use crate::netns::Bed;
use crate::wait::{PATIENCE, wait_for};
use crate::wire::{Direction, Seen, Tally, Tap, tally};

/// A bed whose pbx is protected by sip-fw, with a tap behind XDP and one on the cable in front of it.
#[derive(Debug)]
pub struct Scene {
    /// sip-fw.
    pub agent: Agent,
    /// What the pbx's stack receives and sends.
    pub inside: Tap,
    /// What is on the cable to the pbx; `Out` is towards it.
    pub cable: Tap,
    /// The network.
    pub bed: Bed,
}

impl Scene {
    /// Puts sip-fw and the taps in front of whatever runs on the bed's pbx.
    pub fn protect(binary: PathBuf, bed: Bed, policy: &Policy) -> Result<Self> {
        let agent = Agent::start(binary, &bed, policy)?;
        let inside = Tap::inside(&bed.pbx)?;
        let cable = Tap::cable(&bed, &bed.pbx)?;
        Ok(Self { agent, inside, cable, bed })
    }

    /// What the tap behind XDP counted of a source.
    #[track_caller]
    pub fn counted(&self, source: IpAddr) -> Tally {
        let seen = must(self.inside.seen(), "tap");
        tally(&seen).remove(&source_name(source)).unwrap_or_default()
    }

    /// SIP messages of `source` on the cable towards the pbx.
    #[track_caller]
    pub fn sent_by(&self, source: IpAddr) -> u64 {
        messages_of(&must(self.cable.seen(), "tap"), source, Direction::Out)
    }

    /// Waits until `count` SIP messages of `source` were on the cable.
    #[track_caller]
    pub fn wait_until_sent(&self, source: IpAddr, count: u64) {
        let enough = |seen: &[Seen]| messages_of(seen, source, Direction::Out) >= count;
        must(self.cable.wait("packets on the cable", enough), "cable");
    }

    /// sip-fw's failures, successes and stale answers of a source are those that the tap counted.
    #[track_caller]
    pub fn assert_agrees(&self, source: IpAddr) -> SourceRow {
        let name = source_name(source);
        let mut said = SourceRow::default();
        let mut counted = Tally::default();
        let agreed = wait_for("sip-fw's counters to agree with the wire", PATIENCE, || {
            said = self.agent.source(&name).unwrap_or_default();
            counted = self.counted(source);
            (said.failures(), said.successes, said.stale)
                == (counted.failures as u64, counted.successes as u64, counted.stale as u64)
        });
        assert!(agreed.is_ok(), "{name}: sip-fw says {said:?}, the wire says {counted:?}");
        said
    }

    /// `source` failed exactly `threshold` times, is banned, and nothing of it passed after the deciding answer.
    #[track_caller]
    pub fn assert_banned_after(&self, source: IpAddr, threshold: usize) {
        self.assert_silenced_after(source, threshold);
        let name = source_name(source);
        must(wait_for("sip-fw to list the ban", PATIENCE, || self.agent.has_banned(&name).unwrap_or(false)), &name);
        let said = self.assert_agrees(source);
        assert_eq!(said.failures_proven, threshold as u64, "{said:?}");
    }

    /// The part of it that the wire shows, whether an agent is alive or not.
    #[track_caller]
    pub fn assert_silenced_after(&self, source: IpAddr, threshold: usize) {
        let name = source_name(source);
        let seen = must(self.inside.seen(), "tap");
        let failures = |seen: &[Seen]| tally(seen).get(&name).map_or(0, |count| count.failures);
        assert_eq!(failures(&seen), threshold, "failures of {name} on the wire");
        let deciding =
            (1..=seen.len()).collect::<Vec<_>>().partition_point(|end| failures(&seen[..*end]) < threshold) + 1;
        let late = messages_of(&seen[deciding.min(seen.len())..], source, Direction::In);
        assert_eq!(late, 0, "packets of {name} that passed after the deciding answer");
    }

    /// No ban is in force.
    #[track_caller]
    pub fn assert_nobody_banned(&self) {
        let bans = must(self.agent.bans(), "bans");
        assert!(bans.is_empty(), "{bans:?}");
    }
}

/// SIP messages of a source in one direction.
pub fn messages_of(seen: &[Seen], source: IpAddr, direction: Direction) -> u64 {
    let name = source_name(source);
    seen.iter().filter(|message| message.direction == direction && source_name(message.source.ip()) == name).count()
        as u64
}

#[track_caller]
fn must<T>(result: Result<T>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:#}"),
    }
}
