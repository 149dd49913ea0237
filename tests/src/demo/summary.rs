//! The JSON object: the figures of the main claim, as counted on the wire and by the PBX.

use serde::Serialize;

use super::evidence::Evidence;

/// The object that `--json` prints.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub attacker: AttackerFigures,
    pub office: OfficeFigures,
    pub spoofed: SpoofedFigures,
}

/// The attacker's part.
#[derive(Debug, Serialize)]
pub struct AttackerFigures {
    /// Refused passwords that the PBX answered.
    pub failures: u64,
    /// Failures that make a ban.
    pub threshold: u64,
    /// Answers he got after the deciding one.
    pub answered_after_ban: u64,
    /// Packets of his that were on the cable after it and did not reach the PBX's stack.
    pub dropped: u64,
}

/// The good phones' part.
#[derive(Debug, Serialize)]
pub struct OfficeFigures {
    /// Registrations the PBX accepted.
    pub registrations: u64,
    /// Registrations that did not end with 200.
    pub registrations_lost: u64,
}

/// The forgers' part.
#[derive(Debug, Serialize)]
pub struct SpoofedFigures {
    /// Sources whose address was forged.
    pub sources: u64,
    /// Forged packets.
    pub packets: u64,
    /// Sources that are blocked now.
    pub banned: u64,
}

impl From<&Evidence> for Summary {
    fn from(evidence: &Evidence) -> Self {
        let attacker = evidence.counted(&evidence.attacker);
        Self {
            attacker: AttackerFigures {
                failures: attacker.failures as u64,
                threshold: evidence.threshold,
                answered_after_ban: evidence.answered_after_ban,
                dropped: evidence.sent_after_ban.saturating_sub(evidence.arrived_after_ban),
            },
            office: OfficeFigures { registrations: evidence.accepted_by_pbx, registrations_lost: evidence.fleet.lost },
            spoofed: SpoofedFigures {
                sources: evidence.forged.len() as u64,
                packets: evidence.forged_packets,
                banned: evidence.blocked.len() as u64,
            },
        }
    }
}
