//! The proof: a packet from an address that is banned for a moment, through the very programs that are attached.
//!
//! The ban is of a documentation address (RFC 5737, RFC 3849), from which no packet comes. It is written below the agent, so that
//! no event tells of it, only where no ban is, and taken back at once; should this process die in between, it ends by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use sip_fw_common::abi::{Ban, BanOrigin, Evidence, ServiceKind, Source};
use sip_fw_common::reason::Reason;
use sip_fw_core::rules::{Action as Access, action, ports, service_kinds};
use sip_fw_core::source::Ipv6Prefix;

use super::finding::{Finding, Group, State, unknown};
use super::frame::frame;
use crate::kernel::{self, Action, AttachedIngress, KernelError, Tables};

/// Long enough to run a packet, short enough to be forgotten.
const BAN_NS: u64 = 5_000_000_000;

/// Addresses that are tried before giving up.
const TRIES: u8 = 16;

/// Where the packet goes: a port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    tcp: bool,
    port: u16,
    service: u8,
}

/// What became of the packet at one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The interface.
    pub interface: String,
    /// What the program did.
    pub action: Action,
    /// Whether the program counted it as banned.
    pub counted: bool,
}

/// What became of the canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The address.
    pub from: IpAddr,
    /// The port, such as `udp/5060`.
    pub to: String,
    /// Nothing is dropped, only counted.
    pub observe: bool,
    /// At each interface.
    pub runs: Vec<Run>,
}

/// Lets a canary of each family fly, and says what became of them.
#[must_use]
pub fn examine(pins: &Path, tables: &mut Tables) -> Vec<Finding> {
    let mut of_family = |check, address: fn(u8) -> IpAddr| match fly(pins, tables, address) {
        Ok(Some(flight)) => judge(check, &flight),
        Ok(None) => {
            unknown(Group::Canary, check, "the access rules trust, or somebody banned, every address that was tried")
        }
        Err(error) => unknown(Group::Canary, check, error),
    };
    vec![of_family("canary-ipv4", ipv4), of_family("canary-ipv6", ipv6)]
}

/// What is to be said of a flight.
#[must_use]
pub fn judge(check: &'static str, flight: &Flight) -> Finding {
    let Flight { from, to, observe, runs } = flight;
    let expected = |run: &&Run| run.counted && run.action == if *observe { Action::Pass } else { Action::Drop };
    let names = |runs: Vec<&Run>| runs.iter().map(|run| run.interface.as_str()).collect::<Vec<_>>().join(", ");
    let (good, bad): (Vec<_>, Vec<_>) = runs.iter().partition(expected);
    let packet = format!("a packet from {from}, banned for a moment, to {to}");
    if !bad.is_empty() {
        let text = format!("{packet} came through at {}: nothing is enforced there", names(bad));
        return Finding::new(Group::Canary, check, State::Problem, text)
            .advise("restart the agent; if it stays so, sip-fw detach and sip-fw run, and report it");
    }
    if good.is_empty() {
        return unknown(Group::Canary, check, "no program is attached");
    }
    let fate = if *observe { "would be dropped, but for mode observe," } else { "is dropped" };
    Finding::ok(Group::Canary, check, format!("{packet}, {fate} at {}", names(good)))
}

/// None if there is no address to send it from.
fn fly(pins: &Path, tables: &mut Tables, address: fn(u8) -> IpAddr) -> Result<Option<Flight>, KernelError> {
    let Some(set) = tables.in_force()? else { return Err(nothing_in_force()) };
    let (pages, settings) = (set.pages()?, set.header()?.settings);
    let target = target(&ports(&pages), &service_kinds(&pages)).ok_or_else(nothing_in_force)?;
    let prefix = Ipv6Prefix::of_mask(settings.ipv6_mask);
    for from in (0..TRIES).map(address) {
        let source = prefix.source_of(from);
        let trusted = matches!(action(&pages, from, target.service), None | Some(Access::Trust));
        if trusted || tables.source(source)?.is_some() {
            continue;
        }
        let Some(mut canary) = Canary::ban(tables, source)? else { continue };
        let observe = settings.observe != 0;
        let runs = canary.run(pins, &frame(from, target.tcp, target.port), observe)?;
        let to = format!("{}/{}", if target.tcp { "tcp" } else { "udp" }, target.port);
        return Ok(Some(Flight { from, to, observe, runs }));
    }
    Ok(None)
}

fn nothing_in_force() -> KernelError {
    KernelError::Access { what: "the rules in force".to_owned(), reason: "there are none".to_owned() }
}

/// A port of a SIP service, or of any; over UDP if there is one.
fn target(ports: &[(bool, u16, u8)], kinds: &[ServiceKind]) -> Option<Target> {
    let is_sip = |service: u8| kinds.get(usize::from(service)) == Some(&ServiceKind::Sip);
    let (tcp, port, service) = *ports.iter().min_by_key(|(tcp, _, service)| (!is_sip(*service), *service, *tcp))?;
    Some(Target { tcp, port, service })
}

const fn ipv4(n: u8) -> IpAddr {
    let [a, b, c] = match n % 3 {
        0 => [192, 0, 2],
        1 => [198, 51, 100],
        _ => [203, 0, 113],
    };
    IpAddr::V4(Ipv4Addr::new(a, b, c, 66 + n))
}

/// As far from each other as sources can be, so that one line of access rules does not hit them all.
const fn ipv6(n: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x66 + ((n as u16) << 11), 0x66, 0, 0, 0, 0x66))
}

/// A ban that lasts as long as this value.
struct Canary<'a> {
    tables: &'a mut Tables,
    source: Source,
}

impl<'a> Canary<'a> {
    /// None if the source has a ban, or had one.
    fn ban(tables: &'a mut Tables, source: Source) -> Result<Option<Self>, KernelError> {
        let now_ns = kernel::now_ns();
        let ban = Ban {
            evidence: Evidence::Unproven as u8,
            ..Ban::new(BanOrigin::Operator, now_ns, now_ns.saturating_add(BAN_NS))
        };
        // Made only then: dropping it removes the ban of its source.
        if tables.put_new_ban(source, &ban)? { Ok(Some(Self { tables, source })) } else { Ok(None) }
    }

    fn run(&mut self, pins: &Path, frame: &[u8], observe: bool) -> Result<Vec<Run>, KernelError> {
        let mut runs = Vec::new();
        for attachment in self.tables.attachments()? {
            if attachment.dead {
                continue;
            }
            let Some(program) = AttachedIngress::of(pins, &attachment.interface)? else { continue };
            let before = self.counted(observe)?;
            let action = program.run(frame)?;
            let counted = self.counted(observe)? > before;
            runs.push(Run { interface: attachment.interface, action, counted });
        }
        Ok(runs)
    }

    /// Packets that the ban dropped; in mode observe all that would have been dropped.
    fn counted(&self, observe: bool) -> Result<u64, KernelError> {
        if !observe {
            return Ok(self.tables.ban(self.source)?.map_or(0, |ban| ban.packets));
        }
        let counters = self.tables.counters()?;
        let cpus = counters.get(usize::from(Reason::WouldDrop as u8)).map_or(&[][..], Vec::as_slice);
        Ok(cpus.iter().map(|cpu| cpu.packets).sum())
    }
}

impl Drop for Canary<'_> {
    fn drop(&mut self) {
        // Failing that, it ends by itself.
        let _ = self.tables.remove_ban(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_goes() {
        let kinds = [ServiceKind::Opaque, ServiceKind::Sip];
        let sip = Target { tcp: false, port: 5070, service: 1 };
        assert_eq!(target(&[(true, 443, 0), (true, 5060, 1), (false, 5070, 1)], &kinds), Some(sip));
        let web = Target { tcp: true, port: 443, service: 0 };
        assert_eq!(target(&[(true, 443, 0)], &kinds), Some(web));
        assert_eq!(target(&[], &kinds), None);
    }

    #[test]
    fn where_it_comes_from() {
        let documentation = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.is_documentation(),
            IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0xdb8],
        };
        let mut all: Vec<_> = (0..TRIES).flat_map(|n| [ipv4(n), ipv6(n)]).collect();
        assert!(all.iter().copied().all(documentation));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 2 * usize::from(TRIES));
    }

    #[test]
    fn what_became_of_it() {
        let run = |interface: &str, action, counted| Run { interface: interface.to_owned(), action, counted };
        let state = |observe, runs: &[Run]| {
            let from = "192.0.2.66".parse().unwrap();
            let flight = Flight { from, to: "udp/5060".to_owned(), observe, runs: runs.to_vec() };
            judge("canary-ipv4", &flight).state
        };
        assert_eq!(state(false, &[run("eth0", Action::Drop, true)]), State::Ok);
        assert_eq!(state(false, &[run("eth0", Action::Drop, false)]), State::Problem, "dropped for something else");
        assert_eq!(state(false, &[run("eth0", Action::Drop, true), run("eth1", Action::Pass, false)]), State::Problem);
        assert_eq!(state(true, &[run("eth0", Action::Pass, true)]), State::Ok);
        assert_eq!(state(true, &[run("eth0", Action::Drop, true)]), State::Problem);
        assert_eq!(state(true, &[run("eth0", Action::Pass, false)]), State::Problem);
        assert_eq!(state(false, &[]), State::Note);
    }
}
