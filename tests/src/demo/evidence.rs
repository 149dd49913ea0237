//! What was counted, by whom, and whether it is what was claimed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;

use super::attack::AttackerSays;
use super::forgery::{SpooferSays, forged_sources};
use super::stage::{RunningPbx, Stage};
use super::summary::Summary;
use crate::Family;
use crate::actors::FleetReport;
use crate::agent::{BanRow, SourceRow};
use crate::family::source_name;
use crate::wire::{Direction, Seen, Tally, tally};

/// All figures at the end.
#[derive(Debug)]
pub struct Evidence {
    pub threshold: u64,
    pub attacker: String,
    pub attacker_says: AttackerSays,
    /// Requests of the attacker that the PBX itself says it read.
    pub attacker_read: u64,
    /// On the cable: requests of the attacker after the deciding answer.
    pub sent_after_ban: u64,
    /// Of those, how many the pbx's stack saw.
    pub arrived_after_ban: u64,
    /// On the cable: answers to the attacker after the deciding one.
    pub answered_after_ban: u64,
    pub offices: Vec<String>,
    pub fleet: FleetReport,
    /// Registrations of the office that the PBX accepted, by its own count or by its answers.
    pub accepted_by_pbx: u64,
    pub forged: Vec<String>,
    /// Forged packets on the cable, without the probes.
    pub forged_packets: u64,
    pub spoofer_says: SpooferSays,
    /// Forged sources whose probe did not reach the pbx's stack.
    pub blocked: Vec<String>,
    /// The failure rule applied to what the taps saw.
    pub wire: BTreeMap<String, Tally>,
    /// Requests on the cable.
    pub cable_requests: BTreeMap<String, u64>,
    pub sources: BTreeMap<String, SourceRow>,
    pub bans: Vec<BanRow>,
}

impl Evidence {
    /// Stops the phones and reads every counter.
    pub fn collect(stage: &mut Stage, attacker_says: AttackerSays, spoofer_says: SpooferSays) -> Result<Self> {
        let expected = spoofer_says.sent + spoofer_says.probes;
        stage.cable.wait("all forged packets on the cable", |seen| {
            u64::try_from(seen.iter().filter(|message| is_forged(message)).count()).is_ok_and(|count| count >= expected)
        })?;
        let fleet = stage.fleet.finish_now();
        let inside = stage.inside.seen()?;
        let cable = stage.cable.seen()?;
        let attacker = source_name(stage.bed.attacker.address(Family::V4));
        let after = AfterBan::count(&cable, &inside, &attacker, stage.policy.threshold);
        let offices = Family::BOTH.map(|family| source_name(stage.bed.office.address(family))).to_vec();
        let wire = tally(&inside);
        let attacker_address = stage.bed.attacker.address(Family::V4);
        let (attacker_read, accepted_by_pbx) = match &stage.pbx {
            RunningPbx::Builtin(registrar) => {
                let counts = registrar.counts();
                let offices = Family::BOTH.map(|family| stage.bed.office.address(family));
                let accepted = offices.iter().filter_map(|office| counts.get(office)).map(|count| count.accepted).sum();
                (counts.get(&attacker_address).map_or(0, |count| count.requests), accepted)
            }
            RunningPbx::Kamailio(kamailio) => {
                let accepted =
                    offices.iter().filter_map(|office| wire.get(office)).map(|count| count.successes as u64).sum();
                (kamailio.requests_from(attacker_address) as u64, accepted)
            }
        };
        let forged = forged_sources(stage);
        let probed: Vec<SocketAddr> = inside
            .iter()
            .filter(|message| {
                message.method == "OPTIONS" && message.first_line.contains("OPTIONS") && is_forged(message)
            })
            .map(|message| message.source)
            .collect();
        let blocked =
            forged.iter().filter(|source| !probed.contains(source)).map(|source| source_name(source.ip())).collect();
        let on_cable = cable.iter().filter(|message| is_forged(message)).count() as u64;
        let mut cable_requests = BTreeMap::new();
        for message in cable.iter().filter(|message| message.direction == Direction::Out && message.status.is_none()) {
            *cable_requests.entry(source_name(message.source.ip())).or_default() += 1;
        }
        let sources = stage.agent.sources()?.into_iter().map(|row| (row.source.clone(), row)).collect();
        Ok(Self {
            threshold: u64::from(stage.policy.threshold),
            attacker,
            attacker_says,
            attacker_read,
            sent_after_ban: after.sent,
            arrived_after_ban: after.arrived,
            answered_after_ban: after.answered,
            offices,
            fleet,
            accepted_by_pbx,
            forged: forged.iter().map(|source| source_name(source.ip())).collect(),
            forged_packets: on_cable.saturating_sub(spoofer_says.probes),
            spoofer_says,
            blocked,
            wire,
            cable_requests,
            sources,
            bans: stage.agent.bans()?,
        })
    }

    /// What sip-fw says about a source.
    pub fn said(&self, source: &str) -> SourceRow {
        self.sources.get(source).cloned().unwrap_or_default()
    }

    /// What the wire says about a source.
    pub fn counted(&self, source: &str) -> Tally {
        self.wire.get(source).cloned().unwrap_or_default()
    }

    /// Every claim that did not hold, in words.
    pub fn broken_claims(&self, summary: &Summary) -> Vec<String> {
        let attacker = self.said(&self.attacker);
        let office_failures: u64 = self.offices.iter().map(|office| self.said(office).failures_proven).sum();
        let forged_bans: Vec<_> =
            self.bans.iter().filter(|ban| ban.source != self.attacker).map(|ban| ban.source.as_str()).collect();
        let claims = [
            (
                summary.attacker.failures == self.threshold,
                format!("the attacker failed {} times on the wire, not {}", summary.attacker.failures, self.threshold),
            ),
            (
                attacker.failures_proven == self.threshold,
                format!("sip-fw counted {} proven failures of the attacker", attacker.failures_proven),
            ),
            (
                self.attacker_says.refused == self.threshold,
                format!("the attacker himself had {} refusals", self.attacker_says.refused),
            ),
            (
                self.answered_after_ban == 0,
                format!("{} answers to the attacker after the deciding one", self.answered_after_ban),
            ),
            (
                self.arrived_after_ban == 0,
                format!("{} packets of the attacker reached the pbx after the deciding answer", self.arrived_after_ban),
            ),
            (
                self.sent_after_ban >= self.attacker_says.sent - self.attacker_says.refused,
                format!("only {} packets of the attacker on the wire after the deciding answer", self.sent_after_ban),
            ),
            (
                self.attacker_read > self.threshold
                    && self.attacker_read <= self.counted(&self.attacker).requests as u64,
                format!("the PBX says it read {} requests of the attacker", self.attacker_read),
            ),
            (
                attacker.drops == self.sent_after_ban,
                format!("sip-fw says {} dropped, the wire says {}", attacker.drops, self.sent_after_ban),
            ),
            (self.bans.iter().any(|ban| ban.source == self.attacker), "sip-fw lists no ban of the attacker".to_owned()),
            (
                self.fleet.registrations > 0 && self.fleet.lost == 0,
                format!("the office lost {} registrations", self.fleet.lost),
            ),
            (
                self.accepted_by_pbx == self.fleet.registrations,
                format!(
                    "the PBX accepted {} registrations, the phones say {}",
                    self.accepted_by_pbx, self.fleet.registrations
                ),
            ),
            (office_failures == 0, format!("{office_failures} forged failures count as proven against the office")),
            (
                self.blocked.is_empty(),
                format!("{} forged sources are blocked: {:?}", self.blocked.len(), first(&self.blocked)),
            ),
            (forged_bans.is_empty(), format!("{} others are banned: {:?}", forged_bans.len(), first(&forged_bans))),
            (
                self.forged_packets == self.spoofer_says.sent,
                format!("{} forged packets on the wire of {} sent", self.forged_packets, self.spoofer_says.sent),
            ),
        ];
        claims.into_iter().filter(|(held, _)| !held).map(|(_, words)| words).collect()
    }
}

/// What happened after the answer that made the threshold full.
struct AfterBan {
    sent: u64,
    arrived: u64,
    answered: u64,
}

impl AfterBan {
    fn count(cable: &[Seen], inside: &[Seen], attacker: &str, threshold: u32) -> Self {
        let to_attacker = |message: &Seen| source_name(message.destination.ip()) == attacker;
        let from_attacker = |message: &Seen| source_name(message.source.ip()) == attacker;
        let threshold = threshold as usize;
        let behind = |seen: &[Seen]| {
            let mut failures = 0;
            seen.iter().position(|message| {
                failures += usize::from(to_attacker(message) && is_refusal(seen, message));
                failures == threshold
            })
        };
        let rest = |seen: &[Seen]| behind(seen).map_or_else(Vec::new, |position| seen[position + 1..].to_vec());
        let (cable, inside) = (rest(cable), rest(inside));
        Self {
            sent: cable.iter().filter(|message| from_attacker(message)).count() as u64,
            arrived: inside.iter().filter(|message| from_attacker(message)).count() as u64,
            answered: cable.iter().filter(|message| to_attacker(message)).count() as u64,
        }
    }
}

/// If a response refuses a request that carried credentials.
fn is_refusal(seen: &[Seen], response: &Seen) -> bool {
    let refuses = matches!(response.status, Some(401 | 403 | 407)) && !response.stale;
    refuses
        && seen.iter().any(|request| {
            request.status.is_none() && request.credentials.is_some() && request.branch == response.branch
        })
}

/// Forged packets are told by their source port, towards the pbx only.
fn is_forged(message: &Seen) -> bool {
    let port = message.source.port();
    (super::forgery::FORGED_PORT..super::forgery::FORGED_PORT + 3).contains(&port)
}

fn first<T>(list: &[T]) -> &[T] {
    &list[..list.len().min(3)]
}
