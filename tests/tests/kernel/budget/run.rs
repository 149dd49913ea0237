//! A program run on one packet outside the kernel, by an interpreter whose helpers say which maps it looked into.
//!
//! The kernel counts no look-ups: those into arrays become a few instructions of the program. Here each is still a call.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rbpf::EbpfVmMbuff;
use rbpf::ebpf::{self, Insn};
use sip_fw_common::abi::{Counter, Gate, Live, PROGRAM_EGRESS, PROGRAM_INGRESS, map, port_slot};

use super::program::{Distances, Program};

/// A program, and where its context has the packet's begin, end and length (linux/bpf.h): xdp_md, __sk_buff.
pub struct Hook {
    pub program: &'static str,
    data: i32,
    data_end: i32,
    len: Option<usize>,
}

pub const ARRIVING: Hook = Hook { program: PROGRAM_INGRESS, data: 0, data_end: 4, len: None };
pub const LEAVING: Hook = Hook { program: PROGRAM_EGRESS, data: 76, data_end: 80, len: Some(0) };

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub returned: u32,
    /// The maps, in the order of the look-ups.
    pub looked_into: Vec<String>,
    /// Packets that it counted.
    pub counted: u64,
}

/// The context: as the kernel's, and behind that the two addresses in eight bytes each.
const CONTEXT: usize = 256;
const WIDE_DATA: usize = 192;
const WIDE_DATA_END: usize = 200;

const BPF_FUNC_MAP_LOOKUP_ELEM: u32 = 1;

/// Addresses of values by the numbers of their maps, and the numbers that were asked for. The interpreter's helpers know nothing else.
type Asked = (BTreeMap<u64, u64>, Vec<u64>);
thread_local!(static MAPS: RefCell<Asked> = const { RefCell::new((BTreeMap::new(), Vec::new())) });

/// Runs the program of a host on which one port is a service's. Tables have no entry of anybody.
pub fn run(hook: &Hook, frame: &[u8]) -> Outcome {
    let Program { mut code, maps } = Program::linked(hook.program);
    widen(hook, &mut code);
    let mut gate = Gate::NOTHING;
    gate.serve(port_slot(false, 5060));
    gate.drops_at_once = 1;
    let (mut live, mut counter) = (Live::default(), Counter::default());
    let values = [
        (map::GATE, &raw mut gate as u64, size_of::<Gate>()),
        (map::LIVE, &raw mut live as u64, size_of::<Live>()),
        (map::COUNTERS, &raw mut counter as u64, size_of::<Counter>()),
    ];
    let number = |name: &str| 1 + maps.iter().position(|map| map == name).unwrap() as u64;
    MAPS.set((values.iter().map(|(name, address, _)| (number(name), *address)).collect(), Vec::new()));

    let bytes: Vec<u8> = code.iter().flat_map(Insn::to_array).collect();
    let mut machine = EbpfVmMbuff::new(None).unwrap();
    // The kernel's own verifier takes the program; this one's knows no maps.
    machine.set_verifier(|_| Ok(())).unwrap();
    machine.set_program(&bytes).unwrap();
    machine.register_helper(BPF_FUNC_MAP_LOOKUP_ELEM, look_up).unwrap();
    for (_, address, len) in values {
        machine.register_allowed_memory(address..address + len as u64);
    }
    let returned = machine.execute_program(frame, &context(hook, frame)).unwrap() as u32;
    let (_, asked) = MAPS.take();
    let looked_into = asked.into_iter().map(|number| maps[number as usize - 1].clone()).collect();
    Outcome { returned, looked_into, counted: counter.packets }
}

fn look_up(map: u64, _key: u64, _: u64, _: u64, _: u64) -> u64 {
    MAPS.with_borrow_mut(|(values, asked)| {
        asked.push(map);
        values.get(&map).copied().unwrap_or(0)
    })
}

/// Lets the program read the packet's addresses in eight bytes, as the kernel does when it loads it: here, too, they have more
/// than the four that the context has for them.
fn widen(hook: &Hook, code: &mut [Insn]) {
    const CONTEXT_REGISTER: u8 = 1;
    let mut distances = Distances::from(CONTEXT_REGISTER);
    for insn in code {
        let wide = match distances.accessed(insn) {
            Some(field) if field == hook.data => Some(WIDE_DATA),
            Some(field) if field == hook.data_end => Some(WIDE_DATA_END),
            _ => None,
        };
        distances.pass(insn);
        if let Some(wide) = wide.filter(|_| insn.opc == ebpf::LD_W_REG) {
            (insn.opc, insn.off) = (ebpf::LD_DW_REG, wide as i16);
        }
    }
}

fn context(hook: &Hook, frame: &[u8]) -> [u8; CONTEXT] {
    let mut context = [0; CONTEXT];
    let start = frame.as_ptr() as u64;
    context[WIDE_DATA..][..8].copy_from_slice(&start.to_ne_bytes());
    context[WIDE_DATA_END..][..8].copy_from_slice(&(start + frame.len() as u64).to_ne_bytes());
    if let Some(len) = hook.len {
        context[len..][..4].copy_from_slice(&(frame.len() as u32).to_ne_bytes());
    }
    context
}
