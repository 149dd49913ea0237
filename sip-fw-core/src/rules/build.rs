//! Lays a plan out in pages.

use std::collections::BTreeSet;

use ipnet::IpNet;
use sip_fw_common::abi::{PORT_TABLE_LEN, Rate, port_slot};
use sip_fw_common::limits::SERVICES_MAX;
use sip_fw_common::rules::{COUNTER_WORDS, DEEPER, DIRECT, Decision, Header, PAGE_WORDS, Page, ServiceEntry, Tree};

use super::set::RuleSet;
use super::sweep::{Row, Rows, columns, sweep};
use super::tree::{Piece, align, append, append_record};
use super::{Action, Plan, PlanError, Rule};
use crate::limits::RULE_SET_BYTES_MAX;

impl RuleSet {
    /// Compiles a plan.
    ///
    /// # Errors
    ///
    /// When it needs more than is allowed.
    pub fn compile(plan: &Plan) -> Result<Self, PlanError> {
        let prefixes = plan.rules.iter().map(|rule| rule.nets.len()).sum();
        if prefixes > plan.prefixes_max as usize {
            return Err(PlanError::TooManyPrefixes { found: prefixes, allowed: plan.prefixes_max });
        }
        let rules = with_own(plan);
        let columns_len = plan.services.len() + 1;
        let mut rows = Rows::default();
        let v4 = sweep(&rules, true, columns_len, &mut rows);
        let v6 = sweep(&rules, false, columns_len, &mut rows);
        let learned = first_learned(&rules, columns_len);
        let pages = Layout { plan, rules: &rules, rows: &rows, learned: &learned }.pages(&v4, &v6)?;
        let first_matches = first_matches(rows.list(), &learned, rules.len());
        Ok(Self { pages, rules: rules.len() as u32, services: plan.services.len() as u32, prefixes, first_matches })
    }
}

/// The rules, with that of this host's own addresses in front.
fn with_own(plan: &Plan) -> Vec<Rule> {
    let nets = plan.own.iter().map(|address| IpNet::from(address.to_canonical())).collect();
    let own = Rule { nets, learned: false, to: None, action: Action::Trust };
    std::iter::once(own).chain(plan.rules.iter().cloned()).collect()
}

/// The first rule of each column that matches known peers.
fn first_learned(rules: &[Rule], columns_len: usize) -> Vec<Option<u32>> {
    let mut first = vec![None; columns_len];
    // Nobody authenticates at the ports of no service, which are the last column.
    for (number, rule) in (0..).zip(rules).filter(|(_, rule)| rule.learned) {
        for column in columns(rule, columns_len - 1) {
            first[column].get_or_insert(number);
        }
    }
    first
}

/// Whether the rule for known peers stands before the one that matches the address.
fn learned_first(learned: Option<u32>, matching: Option<u32>) -> Option<u32> {
    learned.filter(|learned| matching.is_none_or(|matching| *learned < matching))
}

/// The rules that decide anywhere.
fn first_matches(rows: &[Row], learned: &[Option<u32>], rules: usize) -> Vec<bool> {
    let deciding: BTreeSet<u32> = rows
        .iter()
        .flat_map(|row| row.iter().zip(learned))
        .flat_map(|(matching, learned)| [*matching, learned_first(*learned, *matching)])
        .flatten()
        .collect();
    (0..rules as u32).map(|number| deciding.contains(&number)).collect()
}

struct Layout<'a> {
    plan: &'a Plan,
    rules: &'a [Rule],
    rows: &'a Rows,
    learned: &'a [Option<u32>],
}

impl Layout<'_> {
    fn pages(&self, v4: &[(u128, u32)], v6: &[(u128, u32)]) -> Result<Vec<Page>, PlanError> {
        let Plan { settings, services, generation, cpus, .. } = self.plan;
        let mut words = vec![0; PAGE_WORDS as usize];
        let mut header = Header {
            settings: *settings,
            v4: Tree::default(),
            v6: Tree::default(),
            generation: *generation,
            ports: words.len() as u32,
            services_len: services.len() as u32,
            rows: 0,
            counters: 0,
            rules: (self.rules.len() + services.len()) as u32,
            cpus: *cpus,
            trusts_nobody: u32::from(!self.plan.rules.iter().any(|rule| rule.action == Action::Trust)),
            services: [ServiceEntry::default(); SERVICES_MAX],
            rates: [[Rate::default(); 2]; SERVICES_MAX],
        };
        words.extend(self.ports());
        for (rates, service) in header.rates.iter_mut().zip(services) {
            *rates = service.rates;
        }
        for (entry, service) in header.services.iter_mut().zip(self.services()) {
            *entry = service;
        }
        header.rows = words.len() as u32;
        let (rows, values) = self.rows_and_values();
        words
            .extend(rows.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 32));
        let valued = |(start, row): &(u128, u32)| (*start, values[*row as usize]);
        let v4 = v4.iter().map(valued).take_while(|(start, _)| *start <= u128::from(u32::MAX));
        let v4: Vec<Piece> = v4.map(|(start, value)| (start as u64, value)).collect();
        header.v4 = append(&mut words, &v4);
        let v6: Vec<_> = v6.iter().map(valued).collect();
        let v6 = halve(&mut words, &v6);
        header.v6 = append(&mut words, &v6);
        header.counters = align(&mut words, PAGE_WORDS);
        let counters = u64::from(*cpus) * u64::from(header.rules) * u64::from(COUNTER_WORDS);
        let bytes = (words.len() as u64 + counters).next_multiple_of(u64::from(PAGE_WORDS)) * 8;
        if bytes > RULE_SET_BYTES_MAX || self.rules.len() as u32 >= Decision::RULES_MAX {
            return Err(PlanError::TooLarge { found: bytes, allowed: RULE_SET_BYTES_MAX });
        }
        words.resize((bytes / 8) as usize, 0);
        let (pages, _) = words.as_chunks::<{ PAGE_WORDS as usize }>();
        let mut pages: Vec<Page> = pages.iter().map(|words| Page { words: *words }).collect();
        pages[0] = header.page();
        Ok(pages)
    }

    fn ports(&self) -> Vec<u64> {
        let mut bytes = vec![0_u8; PORT_TABLE_LEN as usize];
        for (number, service) in (1..).zip(&self.plan.services) {
            for (tcp, first, last) in &service.ports {
                for port in *first..=*last {
                    bytes[port_slot(*tcp, port) as usize] = number;
                }
            }
        }
        bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
    }

    fn services(&self) -> impl Iterator<Item = ServiceEntry> {
        let entry = move |(column, service): (usize, &super::Service)| {
            let learned = self.learned[column];
            let decision = learned.map_or(self.default(column), |rule| self.by_rule(rule));
            ServiceEntry::new(service.kind as u8, service.refusal, decision)
        };
        self.plan.services.iter().enumerate().map(entry)
    }

    /// The rows whose columns differ, one behind the other, and what stands for each row in a leaf.
    fn rows_and_values(&self) -> (Vec<u32>, Vec<u32>) {
        let mut rows = Vec::new();
        let mut next = 0;
        let value = |row: &Row| {
            let decisions = self.decisions(row);
            if decisions.iter().all(|decision| *decision == decisions[0]) {
                return DIRECT | decisions[0];
            }
            rows.extend(decisions);
            next += 1;
            next - 1
        };
        let values = self.rows.list().iter().map(value).collect();
        (rows, values)
    }

    fn decisions(&self, row: &Row) -> Vec<u32> {
        let decide = |(column, matching): (usize, &Option<u32>)| {
            let decision = matching.map_or(self.default(column), |rule| self.by_rule(rule));
            match learned_first(self.learned[column], *matching) {
                Some(_) => decision.unless_learned().0,
                None => decision.0,
            }
        };
        row.iter().enumerate().map(decide).collect()
    }

    fn by_rule(&self, number: u32) -> Decision {
        Decision::new(self.rules[number as usize].action, number)
    }

    /// Defaults are counted behind the rules, those of the ports of no service with the first rule: they pass anyway.
    fn default(&self, column: usize) -> Decision {
        match self.plan.services.get(column) {
            Some(service) => Decision::new(service.default, (self.rules.len() + column) as u32),
            None => Decision::new(Action::Allow, 0),
        }
    }
}

/// IPv6 by its first eight bytes; where something changes within them, a tree of the rest.
fn halve(words: &mut Vec<u64>, pieces: &[(u128, u32)]) -> Vec<Piece> {
    let mut halved: Vec<Piece> = Vec::new();
    let mut rest = pieces;
    let mut running = 0;
    while let [(start, _), ..] = rest {
        let high = (start >> 64) as u64;
        let (inside, after) = rest.split_at(rest.iter().take_while(|(at, _)| (at >> 64) as u64 == high).count());
        let last = inside.last().map_or(running, |piece| piece.1);
        let mut low: Vec<Piece> = inside.iter().map(|(at, value)| (*at as u64, *value)).collect();
        if low[0].0 != 0 {
            low.insert(0, (0, running));
        }
        if low.len() == 1 {
            halved.push((high, low[0].1));
        } else {
            let tree = append(words, &low);
            halved.push((high, DEEPER | append_record(words, &tree)));
            // What comes behind, unless it is divided, too.
            let divided = |next: &u64| after.first().is_some_and(|(at, _)| (at >> 64) as u64 == *next);
            halved.extend(high.checked_add(1).filter(|next| !divided(next)).map(|next| (next, last)));
        }
        running = last;
        rest = after;
    }
    halved
}
