//! A program's instructions, linked as the loader links them for the kernel, and what may be known of them without running them.

use std::collections::{BTreeMap, HashSet};

use aya_obj::Object;
use aya_obj::generated::{BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC};
use rbpf::ebpf::{self, Insn};
use sip_fw_agent::kernel::OBJECT;

/// Classes of instructions: the lowest three bits of an operation (RFC 9669 §3).
const CLASS: u8 = 7;

/// A program with the functions that it calls behind it.
pub struct Program {
    pub code: Vec<Insn>,
    /// The maps; an instruction names one by its place here, counted from 1.
    pub maps: Vec<String>,
}

impl Program {
    pub fn linked(name: &str) -> Self {
        let mut object = Object::parse(OBJECT).unwrap();
        let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let maps: Vec<_> = object.maps.clone().into_iter().collect();
        let numbered = maps.iter().zip(1..).map(|((name, map), number)| (name.as_str(), number, map));
        object.relocate_maps(numbered, &text).unwrap();
        object.relocate_calls(&text).unwrap();
        let function = &object.functions[&object.programs[name].function_key()];
        let code = function.instructions.iter().map(|insn| Insn {
            opc: insn.code,
            dst: insn.dst_reg(),
            src: insn.src_reg(),
            off: insn.off,
            imm: insn.imm,
        });
        Self { code: code.collect(), maps: maps.into_iter().map(|(name, _)| name).collect() }
    }

    /// Where each function begins, and its instructions.
    pub fn functions(&self) -> BTreeMap<usize, &[Insn]> {
        let mut starts: Vec<usize> = (0..self.code.len()).filter_map(|at| callee(at, &self.code[at])).collect();
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([self.code.len()]);
        starts.iter().zip(ends).map(|(start, end)| (*start, &self.code[*start..end])).collect()
    }
}

/// Where the function begins that is called here, or that a helper gets to call.
pub fn callee(at: usize, insn: &Insn) -> Option<usize> {
    let names_function = match insn.opc {
        ebpf::CALL => u32::from(insn.src) == BPF_PSEUDO_CALL,
        ebpf::LD_DW_IMM => u32::from(insn.src) == BPF_PSEUDO_FUNC,
        _ => false,
    };
    names_function.then(|| at.checked_add_signed(insn.imm as isize + 1).unwrap())
}

/// Which registers hold an address at a known distance from another, read along the code as it lies.
pub struct Distances([Option<i32>; 11]);

impl Distances {
    /// From where this register points before the first instruction.
    pub fn from(register: u8) -> Self {
        let mut all = [None; 11];
        all[usize::from(register)] = Some(0);
        Self(all)
    }

    /// Which byte this instruction reads or writes, if it is at a known distance.
    pub fn accessed(&self, insn: &Insn) -> Option<i32> {
        let base = match insn.opc & CLASS {
            ebpf::BPF_LDX => insn.src,
            ebpf::BPF_ST | ebpf::BPF_STX => insn.dst,
            _ => return None,
        };
        self.0[usize::from(base)].map(|distance| distance + i32::from(insn.off))
    }

    /// Goes past an instruction; the distance that it made, if it did.
    pub fn pass(&mut self, insn: &Insn) -> Option<i32> {
        let (dst, src) = (usize::from(insn.dst), usize::from(insn.src));
        match (insn.opc, insn.opc & CLASS) {
            (ebpf::MOV64_REG, _) => self.0[dst] = self.0[src],
            (ebpf::ADD64_IMM, _) => self.0[dst] = self.0[dst].map(|distance| distance + insn.imm),
            (ebpf::CALL, _) => self.0[..6].fill(None),
            (_, ebpf::BPF_LD | ebpf::BPF_LDX | ebpf::BPF_ALU | ebpf::BPF_ALU64) => self.0[dst] = None,
            _ => return None,
        }
        self.0[dst]
    }
}
