//! The attack: a REGISTER of banned sources that take turns, on the wire to the host that is measured.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use etherparse::PacketBuilder;
use nix::net::if_::if_nametoindex;
use sip_fw_agent::kernel::Generator;
use sip_fw_e2e::{Bed, Family, SIP_PORT};

use super::receiver::ADDRESS;
use crate::message::register;
use crate::schedule::{self, OUTSIDE, Turn};

/// Bytes of the message.
const MESSAGE: usize = 500;
/// Packets, or looks whether one is due, between two looks whether to stop: a tenth of a second at most.
const AT_ONCE: u32 = 1 << 22;

/// An attack that can begin.
pub struct Attack {
    generator: Generator,
    packet: Vec<u8>,
}

impl Attack {
    /// Of these sources on the bed's pbx.
    pub fn prepare(bed: &Bed, sources: &[IpAddr]) -> Result<Self> {
        let port = bed.port_of(&bed.pbx);
        let interface = bed.switch().within(|| if_nametoindex(port.as_str()))?.with_context(|| port.clone())?;
        let (Some(first), target) = (sources.first(), bed.pbx.address(Family::V4)) else { bail!("nobody attacks") };
        Ok(Self { generator: Generator::load(interface, sources)?, packet: packet(*first, target)? })
    }

    /// Attacks until told to stop, with so many packets a second or as many as can be, on the wire itself: the bridge sees none.
    pub fn wage(&mut self, bed: &Bed, per_second: Option<u32>, stop: &AtomicBool) -> Result<()> {
        self.generator.set_pace(per_second)?;
        bed.switch().within(|| {
            schedule::take(OUTSIDE, Turn::Second)?;
            while !stop.load(Ordering::Relaxed) {
                self.generator.send(&self.packet, AT_ONCE)?;
            }
            Ok(())
        })?
    }
}

fn packet(source: IpAddr, target: IpAddr) -> Result<Vec<u8>> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (source, target) else {
        bail!("{source} and {target} are not both IPv4");
    };
    let mut packet = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], ADDRESS)
        .ipv4(from.octets(), to.octets(), 64)
        .udp(SIP_PORT, SIP_PORT)
        .write(&mut packet, register(MESSAGE).as_bytes())?;
    // Without a checksum, as the source changes; over IPv4 it may be left out.
    packet[UDP_CHECKSUM..UDP_CHECKSUM + 2].fill(0);
    Ok(packet)
}

/// Behind an Ethernet and an IPv4 header.
const UDP_CHECKSUM: usize = 14 + 20 + 6;
