//! The rule set in force.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_map_lookup_elem};
use sip_fw_common::abi::{Gate, Live, RULE_SET_BEFORE, RULE_SET_IN_FORCE, Settings, port_slot};
use sip_fw_common::hash::mix;
use sip_fw_common::limits::VERDICTS_MAX;
use sip_fw_common::rules::{self, Decision, Header, LEAF_WORDS, Page, Pages, ServiceEntry, Who};

use crate::maps::{GATE, LIVE, RULE_SETS, RuleSetPages, VERDICTS, Verdict};
use crate::packet::pinned;

/// What is in force for one packet.
pub struct Rules {
    /// What changes while the rule set stays.
    pub live: &'static Live,
    /// The beginning of the rule set.
    pub header: &'static Header,
    set: &'static RuleSetPages,
}

/// What changes while a rule set stays in force.
#[inline(always)]
pub fn live() -> Option<&'static Live> {
    LIVE.get(0)
}

/// The rule set in force; None before the agent wrote one. Read once per packet, so that no packet meets two.
#[inline(always)]
pub fn rules() -> Option<Rules> {
    let live = live()?;
    let waits = live.confirm_until_ns != 0 && crate::clock::now_ns(live) >= live.confirm_until_ns;
    let set = RULE_SETS.get(if waits { RULE_SET_BEFORE } else { RULE_SET_IN_FORCE })?;
    let header = Header::of(page(set, 0)?);
    Some(Rules { live, header, set })
}

/// What holds whichever rule set is in force.
#[inline(always)]
pub fn gate() -> Option<&'static Gate> {
    GATE.get(0)
}

/// Whether a port may be a service's.
#[inline(always)]
pub fn may_be_served(gate: &Gate, tcp: bool, port: u16) -> bool {
    // What the compiler knows of the slot it uses to remove a mask that the verifier of 6.1 needs.
    gate.may_be_served(pinned(port_slot(tcp, port) as usize) as u32)
}

/// A page of a rule set.
#[inline(always)]
fn page(set: &RuleSetPages, number: u32) -> Option<&Page> {
    // SAFETY: a live map value; but for counters, nobody writes it once it is in force.
    page_mut(set, number).map(|page| unsafe { &*page })
}

/// The same, to write a counter into it.
#[inline(always)]
fn page_mut(set: &RuleSetPages, number: u32) -> Option<*mut Page> {
    let map = core::ptr::from_ref(set).cast_mut().cast::<c_void>();
    // SAFETY: a map that RULE_SETS gave, and a key of its size; the value is a page, or null behind the last one.
    let page = unsafe { bpf_map_lookup_elem(map, (&raw const number).cast()) }.cast::<Page>();
    if page.is_null() { None } else { Some(page) }
}

impl Pages for Rules {
    #[inline(always)]
    fn page(&self, number: u32) -> Option<&Page> {
        page(self.set, number)
    }

    #[inline(always)]
    fn leaf(&self, first: u32, last: u32, key: u64) -> Option<u32> {
        // Mostly there is but one, or two.
        if first >= last {
            return Some(first);
        }
        if last - first == 1 {
            return Some(if self.word(last.wrapping_mul(LEAF_WORDS))? <= key { last } else { first });
        }
        let leaf = sip_fw_leaf(first, last, key, self.header.generation);
        (leaf != NO_LEAF).then_some(leaf)
    }
}

/// In the place of a leaf: the rule set was replaced meanwhile.
const NO_LEAF: u32 = u32::MAX;

/// Searches among the leaves of the rule set of this generation. A global function: the verifier walks its loop once, and what
/// it returns is one unknown number. It cannot be handed a map, so it must see that it has the same one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_leaf(first: u32, last: u32, key: u64, generation: u32) -> u32 {
    let same = rules().filter(|rules| rules.header.generation == generation);
    same.and_then(|rules| rules::search(&rules, first, last, key)).unwrap_or(NO_LEAF)
}

impl Rules {
    /// What the programs go by.
    #[inline(always)]
    pub fn settings(&self) -> &'static Settings {
        &self.header.settings
    }

    /// The service that listens on a port, and its number.
    #[inline(always)]
    pub fn service(&self, tcp: bool, port: u16) -> Option<(u8, ServiceEntry)> {
        let number = rules::service_at(self, self.header, port_slot(tcp, port))?;
        Some((number, self.header.service(number)))
    }

    /// What the access rules say of an address in a column: as they said lately, or looked up.
    #[inline(always)]
    pub fn decide(&self, who: Who, column: u32) -> Option<Decision> {
        let Who { v4, high, low } = who;
        // Columns take seven bits, and no rule set has the number 0.
        let asked = u64::from(self.header.generation) << 8 | u64::from(v4) << 7 | u64::from(column);
        let place = mix(self.live.hash_seed ^ low ^ u64::from(column), high);
        let Some(slot) = VERDICTS.get_ptr_mut(place as u32 & (VERDICTS_MAX - 1)) else {
            return rules::decide(self, self.header, who, column);
        };
        // SAFETY: per CPU, and ingress does not interrupt itself.
        let known = unsafe { &mut *slot };
        if known.asked == asked && known.high == high && known.low == low {
            return Some(known.decision);
        }
        let decision = rules::decide(self, self.header, who, column)?;
        *known = Verdict { high, low, asked, decision };
        Some(decision)
    }

    /// The decision for known peers of a service.
    #[inline(always)]
    pub fn learned(&self, column: u32) -> Decision {
        self.header.service(column as u8).learned()
    }

    /// Counts a packet of a rule on this CPU.
    #[inline(always)]
    pub fn count(&self, rule: u32, bytes: u64) {
        // SAFETY: the helper takes nothing and cannot fail.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        if cpu >= self.header.cpus {
            return;
        }
        let at = rules::counter_at(self.header, cpu, rule);
        let Some(page) = page_mut(self.set, at / rules::PAGE_WORDS) else { return };
        // Both words of a counter lie in one page: counters begin with a page, and their words divide it.
        let slot = (at % rules::PAGE_WORDS / rules::COUNTER_WORDS * rules::COUNTER_WORDS) as usize;
        // SAFETY: below the length of a page; nobody but this CPU writes its counters.
        unsafe {
            (*page).words[slot] += 1;
            (*page).words[slot + 1] += bytes;
        }
    }
}
