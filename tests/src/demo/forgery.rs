//! Second act: somebody forges the office's address, and those of a thousand others, to get them banned.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::stage::Stage;
use super::story::Story;
use crate::Family;
use crate::actors::{Client, Spoofer};
use crate::sip::{Challenge, Transport};

/// Other people's sources, half of them IPv4 addresses, half IPv6 /64s.
pub const WORLD: u16 = 1000;

/// Forged packets of each kind in the office's name, per family.
const PER_KIND: u16 = 25;

/// A port that no phone of the office uses; the taps tell forged packets by it.
pub const FORGED_PORT: u16 = 5077;

const PATIENCE: Duration = Duration::from_secs(3);

/// What the spoofer himself knows at the end.
#[derive(Clone, Copy, Debug)]
pub struct SpooferSays {
    /// Forged packets sent, without the probes that end the act.
    pub sent: u64,
    /// Probes sent: one per forged source.
    pub probes: u64,
}

/// Performs the forgery.
pub fn perform(stage: &Stage, story: &Story) -> Result<SpooferSays> {
    let bed = &stage.bed;
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx)?;
    for family in Family::BOTH {
        let office = SocketAddr::new(bed.office.address(family), FORGED_PORT);
        for _ in 0..PER_KIND {
            spoofer.junk_credentials(office, "1001")?;
            spoofer.scanner_options(office)?;
            spoofer.forged_response(office, "403 Forbidden")?;
        }
        let challenge = fetch_challenge(stage, family)?;
        for _ in 0..PER_KIND {
            spoofer.credentials(office, "1001", &challenge)?;
        }
    }
    story.tell(
        "spoofer",
        &format!("{} packets in the office's name: wrong passwords, a nonce of his own spent as the office, scans, responses", spoofer.sent),
    );
    for source in world() {
        spoofer.junk_credentials(source, "1001")?;
        match source.port() % 3 {
            0 => spoofer.scanner_options(source)?,
            1 => spoofer.forged_response(source, "401 Unauthorized")?,
            _ => spoofer.forged_response(source, "404 Not Found")?,
        }
    }
    let sent = spoofer.sent;
    story.tell(
        "spoofer",
        &format!("{sent} forged packets by now, in the name of {} sources", usize::from(WORLD) + Family::BOTH.len()),
    );
    for source in forged_sources(stage) {
        let probe =
            crate::sip::Request::new("OPTIONS", "probe", source, bed.pbx.sip(Family::of(&source.ip())), Transport::Udp);
        spoofer.send(source, &probe.bytes())?;
    }
    story.tell("spoofer", "one harmless packet from each of them shows whether it is still let through");
    Ok(SpooferSays { sent, probes: spoofer.sent - sent })
}

/// The sources that were forged, the office's among them.
pub fn forged_sources(stage: &Stage) -> Vec<SocketAddr> {
    let offices = Family::BOTH.map(|family| SocketAddr::new(stage.bed.office.address(family), FORGED_PORT));
    offices.into_iter().chain(world()).collect()
}

fn world() -> impl Iterator<Item = SocketAddr> {
    (0..WORLD / 2).flat_map(|n| Family::BOTH.map(|family| SocketAddr::new(family.world(n), FORGED_PORT + n % 3)))
}

/// A nonce that the PBX gives to the spoofer at his own address.
fn fetch_challenge(stage: &Stage, family: Family) -> Result<Challenge> {
    let bed = &stage.bed;
    let mut client = Client::dial(&bed.spoofer, bed.spoofer.address(family), bed.pbx.sip(family), Transport::Udp)?;
    let request = client.request("REGISTER", "1001");
    let answer = client.transact(&request, PATIENCE).context("the PBX does not answer the spoofer's own address")?;
    answer.challenge().context("the PBX did not challenge")
}
