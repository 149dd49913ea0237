//! A compiled rule set in memory.

use std::net::IpAddr;

use sip_fw_common::abi::{Gate, PORT_TABLE_LEN, ServiceKind, port_slot};
use sip_fw_common::rules::{Action, Decision, Header, PAGE_WORDS, Page, Who, decide, service_at};

/// A compiled rule set: its pages, as the kernel holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    pub(super) pages: Vec<Page>,
    pub(super) rules: u32,
    pub(super) services: u32,
    pub(super) prefixes: usize,
    pub(super) first_matches: Vec<bool>,
}

/// Which line decides, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// The line.
    pub by: Line,
}

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// This host's own addresses, before all rules.
    Own,
    /// The rule at this position of the plan, from 0.
    Rule(usize),
    /// The default of the service.
    Default,
}

impl RuleSet {
    /// Its pages.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// What the programs go by.
    #[must_use]
    pub fn header(&self) -> &Header {
        const EMPTY: &Page = &Page::EMPTY;
        Header::of(self.pages.first().unwrap_or(EMPTY))
    }

    /// Kernel memory that it takes, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        (self.pages.len() * size_of::<Page>()) as u64
    }

    /// Prefixes that all rules came to.
    #[must_use]
    pub const fn prefixes(&self) -> usize {
        self.prefixes
    }

    /// The numbers of the services.
    pub fn services(&self) -> impl Iterator<Item = u8> + use<> {
        0..self.services as u8
    }

    /// Whether the rule at this position of the plan ever decides anything.
    #[must_use]
    pub fn ever_decides(&self, rule: usize) -> bool {
        self.first_matches.get(rule + 1).copied().unwrap_or(false)
    }

    /// What happens to an address at a service; `is_peer` tells whether it is a known peer.
    #[must_use]
    pub fn verdict(&self, address: IpAddr, service_number: u8, is_peer: bool) -> Verdict {
        let header = self.header();
        let column = u32::from(service_number).min(self.services);
        let found = decide(self.pages.as_slice(), header, who(address), column);
        let mut decision = found.unwrap_or(Decision::new(Action::Allow, 0));
        if is_peer && decision.asks_for_peers() {
            decision = header.service(service_number).learned();
        }
        Verdict { action: decision.action(), by: self.line(decision.rule()) }
    }

    /// The line of a rule's number in the kernel.
    #[must_use]
    pub const fn line(&self, number: u32) -> Line {
        match number {
            0 => Line::Own,
            number if number < self.rules => Line::Rule(number as usize - 1),
            _ => Line::Default,
        }
    }

    /// The number in the kernel of the rule at this position of the plan.
    #[must_use]
    pub const fn number_of_rule(&self, rule: usize) -> u32 {
        rule as u32 + 1
    }

    /// The number in the kernel of a service's default.
    #[must_use]
    pub const fn number_of_default(&self, service: usize) -> u32 {
        self.rules + service as u32
    }
}

/// Every port of every service, and the service's number, in a rule set's pages: is it TCP, the port, the number.
#[must_use]
pub fn ports(pages: &[Page]) -> Vec<(bool, u16, u8)> {
    let Some(first) = pages.first() else { return Vec::new() };
    let header = Header::of(first);
    // Eight ports to a word, and most words are empty.
    let is_empty = |slot: &u32| {
        let word = header.ports + slot / 8;
        pages.get((word / PAGE_WORDS) as usize).is_none_or(|page| page.words[(word % PAGE_WORDS) as usize] == 0)
    };
    (0..PORT_TABLE_LEN)
        .step_by(8)
        .filter(|slot| !is_empty(slot))
        .flat_map(|slot| slot..slot + 8)
        .filter_map(|slot| Some((slot >> 16 != 0, slot as u16, service_at(pages, header, slot)?)))
        .collect()
}

/// What a rule set's pages say to packets that need not ask for more.
#[must_use]
pub fn gate(pages: &[Page]) -> Gate {
    let mut gate = Gate::NOTHING;
    let Some(first) = pages.first() else { return gate };
    let header = Header::of(first);
    for (tcp, port, _) in ports(pages) {
        gate.serve(port_slot(tcp, port));
    }
    if header.settings.scope_host != 0 {
        gate.serve_all();
    }
    gate.ipv6_mask = header.settings.ipv6_mask;
    gate.drops_at_once = u64::from(header.trusts_nobody != 0 && header.settings.observe == 0);
    gate
}

/// Kinds of the services in a rule set's pages, by their number.
#[must_use]
pub fn service_kinds(pages: &[Page]) -> Vec<ServiceKind> {
    let Some(first) = pages.first() else { return Vec::new() };
    let header = Header::of(first);
    let kind = |number| ServiceKind::from_number(header.service(number).kind()).unwrap_or(ServiceKind::Opaque);
    (0..header.services_len as u8).map(kind).collect()
}

/// What a rule set's pages do with an address at a service, unless it is a known peer; None if they are damaged.
#[must_use]
pub fn action(pages: &[Page], address: IpAddr, service_number: u8) -> Option<Action> {
    let header = Header::of(pages.first()?);
    decide(pages, header, who(address), u32::from(service_number)).map(Decision::action)
}

/// An address as the lookup takes it.
fn who(address: IpAddr) -> Who {
    match address.to_canonical() {
        IpAddr::V4(v4) => Who { v4: true, high: u64::from(v4.to_bits()), low: 0 },
        IpAddr::V6(v6) => Who { v4: false, high: (v6.to_bits() >> 64) as u64, low: v6.to_bits() as u64 },
    }
}
