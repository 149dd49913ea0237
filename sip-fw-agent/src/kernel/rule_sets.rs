//! Rule sets in the kernel: loading one beside the one in force, and putting it in its place at once.

use aya::maps::{Array, Map, MapData};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use sip_fw_common::abi::{Gate, Live, PORT_TABLE_LEN, RULE_SET_BEFORE, RULE_SET_IN_FORCE, RULE_SETS_LEN, Settings};
use sip_fw_common::rules::{COUNTER_WORDS, Header, PAGE_WORDS, Page, counter_at};
use sip_fw_core::rules::{self, RuleSet};

use super::slots::again;
use super::tables::failed;
use super::{KernelError, Tables};

/// BPF_F_INNER_MAP (linux/bpf.h, 5.10): rule sets differ in their length.
pub(super) const INNER_MAP: u32 = 1 << 12;

const GATE: &str = "the gate before the rule sets";

/// A rule set in the kernel, in force or not.
pub struct Loaded {
    pub(super) pages: Array<MapData, Page>,
    /// The same map, for its number and its pin.
    pub(super) data: MapData,
}

/// Packets and bytes that a line decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Matched {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

impl Tables {
    /// What changes while a rule set stays in force; all zero before any was written.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn live(&self) -> Result<Live, KernelError> {
        self.live.get(&0, 0).map_err(failed("cannot read what is live"))
    }

    /// Writes what changes while a rule set stays in force.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn write_live(&mut self, live: &Live) -> Result<(), KernelError> {
        self.live.set(0, live, 0).map_err(failed("cannot write what is live"))
    }

    /// Puts a rule set in force, at once and whole for the next packet. What waited for a confirmation no longer does.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_in_force(&mut self, set: &Loaded) -> Result<(), KernelError> {
        self.widen_gate(set)?;
        self.rule_sets.set(RULE_SET_IN_FORCE, set)?;
        self.rule_sets.set(RULE_SET_BEFORE, set)?;
        self.wait_for_confirmation(0)?;
        self.narrow_gate()
    }

    /// The same until a point of the programs' clock: then the rule set before is in force again, agent or no agent.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_in_force_until(&mut self, set: &Loaded, until_ns: u64) -> Result<(), KernelError> {
        if let Some(before) = self.in_force()? {
            self.rule_sets.set(RULE_SET_BEFORE, &before)?;
        }
        self.widen_gate(set)?;
        self.wait_for_confirmation(until_ns)?;
        self.rule_sets.set(RULE_SET_IN_FORCE, set)
    }

    /// Puts a rule set in the place of one that waits for its confirmation; it goes on waiting.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn replace_tentative(&mut self, set: &Loaded) -> Result<(), KernelError> {
        self.widen_gate(set)?;
        self.rule_sets.set(RULE_SET_IN_FORCE, set)?;
        self.narrow_gate()
    }

    /// Keeps the rule set that waited for its confirmation.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn confirm_rule_set(&mut self) -> Result<(), KernelError> {
        self.wait_for_confirmation(0)?;
        if let Some(set) = self.rule_sets.get(RULE_SET_IN_FORCE)? {
            self.rule_sets.set(RULE_SET_BEFORE, &set)?;
        }
        self.narrow_gate()
    }

    /// The rule set in force; None before any was.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn in_force(&self) -> Result<Option<Loaded>, KernelError> {
        let live = self.live()?;
        let lapsed = live.confirm_until_ns != 0 && super::now_ns() >= live.confirm_until_ns;
        self.rule_sets.get(if lapsed { RULE_SET_BEFORE } else { RULE_SET_IN_FORCE })
    }

    /// The settings in force; all zero before any were written.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn settings(&self) -> Result<Settings, KernelError> {
        self.in_force()?.map_or_else(|| Ok(Settings::default()), |set| Ok(set.header()?.settings))
    }

    /// Before a rule set is put into a slot: the gate lets its packets through, too.
    fn widen_gate(&mut self, set: &Loaded) -> Result<(), KernelError> {
        let gate = self.gate.get(&0, 0).map_err(failed(GATE))?;
        self.write_gate(gate.or(&set.gate()?))
    }

    /// Leaves to the gate what the rule sets in the slots have in common.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn narrow_gate(&mut self) -> Result<(), KernelError> {
        let mut common: Option<Gate> = None;
        for slot in 0..RULE_SETS_LEN {
            if let Some(set) = self.rule_sets.get(slot)? {
                let gate = set.gate()?;
                common = Some(common.map_or(gate, |others| others.or(&gate)));
            }
        }
        self.write_gate(common.unwrap_or(Gate::NOTHING))
    }

    fn write_gate(&mut self, gate: Gate) -> Result<(), KernelError> {
        self.gate.set(0, gate, 0).map_err(failed(GATE))
    }

    fn wait_for_confirmation(&mut self, until_ns: u64) -> Result<(), KernelError> {
        let live = self.live()?;
        self.write_live(&Live { confirm_until_ns: until_ns, ..live })
    }
}

impl Loaded {
    /// Copies a rule set into the kernel; nothing of it is in force yet.
    ///
    /// # Errors
    /// If the kernel refuses, for want of memory above all.
    pub fn load(set: &RuleSet) -> Result<Self, KernelError> {
        let len = u32::try_from(set.pages().len()).unwrap_or(u32::MAX);
        let array = BPF_MAP_TYPE_ARRAY as u32;
        let plan =
            aya_obj::Map::new_from_params(array, size_of::<u32>() as u32, size_of::<Page>() as u32, len, INNER_MAP);
        let data = MapData::create(plan, "rule_set", None).map_err(failed("cannot create a rule set"))?;
        let mut loaded = Self::of(data)?;
        for (number, page) in (0..).zip(set.pages()).filter(|(_, page)| **page != Page::EMPTY) {
            loaded.pages.set(number, page, 0).map_err(failed("cannot fill a rule set"))?;
        }
        Ok(loaded)
    }

    /// The rule set in a map.
    pub(super) fn of(data: MapData) -> Result<Self, KernelError> {
        let pages =
            Map::from_map_data(again(&data)?).and_then(Array::try_from).map_err(failed("cannot open a rule set"))?;
        Ok(Self { pages, data })
    }

    /// Its first page.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn header(&self) -> Result<Header, KernelError> {
        Ok(*Header::of(&self.page(0)?))
    }

    /// All of its pages but the counters, which are left out.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn pages(&self) -> Result<Vec<Page>, KernelError> {
        (0..self.header()?.counters / PAGE_WORDS).map(|number| self.page(number)).collect()
    }

    fn gate(&self) -> Result<Gate, KernelError> {
        let ports_end = self.header()?.ports + PORT_TABLE_LEN / 8;
        let pages = (0..ports_end.div_ceil(PAGE_WORDS)).map(|number| self.page(number));
        Ok(rules::gate(&pages.collect::<Result<Vec<_>, _>>()?))
    }

    /// What each rule decided on, by its number in the kernel, over all CPUs.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn matched(&self) -> Result<Vec<Matched>, KernelError> {
        let header = self.header()?;
        let mut sums = vec![Matched::default(); header.rules as usize];
        let mut page = (u32::MAX, Page::EMPTY);
        for cpu in 0..header.cpus {
            for (rule, sum) in (0..).zip(&mut sums) {
                let at = counter_at(&header, cpu, rule);
                if page.0 != at / PAGE_WORDS {
                    page = (at / PAGE_WORDS, self.page(at / PAGE_WORDS)?);
                }
                let slot = (at % PAGE_WORDS / COUNTER_WORDS * COUNTER_WORDS) as usize;
                sum.packets = sum.packets.wrapping_add(page.1.words[slot]);
                sum.bytes = sum.bytes.wrapping_add(page.1.words[slot + 1]);
            }
        }
        Ok(sums)
    }

    fn page(&self, number: u32) -> Result<Page, KernelError> {
        self.pages.get(&number, 0).map_err(failed("cannot read a rule set"))
    }
}

/// CPUs that may run the programs.
#[must_use]
pub fn possible_cpus() -> u32 {
    aya::util::nr_cpus().map_or(1, |cpus| u32::try_from(cpus).unwrap_or(u32::MAX))
}
