//! The stack that a program's calls take together.

use std::collections::BTreeMap;

use rbpf::ebpf::Insn;

use super::program::{Distances, Program, callee};

/// The register that points behind a function's frame.
const FRAME: u8 = 10;
/// Linux 6.1 rounds each frame up to as many bytes, an empty one too.
const ROUNDED_TO: u32 = 32;

/// Bytes of the deepest chain of calls, as Linux 6.1 adds them up; it refuses more than 512.
pub fn deepest(program: &Program) -> u32 {
    below(&program.functions(), 0)
}

/// Bytes of the function that begins there, and of the deepest chain below it. A function never calls itself: no kernel takes that.
fn below(functions: &BTreeMap<usize, &[Insn]>, start: usize) -> u32 {
    let code = functions[&start];
    let callees = code.iter().zip(start..).filter_map(|(insn, at)| callee(at, insn));
    let deepest = callees.map(|callee| below(functions, callee)).max().unwrap_or(0);
    frame(code).max(1).next_multiple_of(ROUNDED_TO) + deepest
}

/// Bytes of a function's frame: to the lowest address that is used in it or made from its end. The verifier's log has the same to the
/// next eight bytes, and 24 more where it unrolls a `bpf_loop` after it added up.
pub fn frame(code: &[Insn]) -> u32 {
    let mut distances = Distances::from(FRAME);
    let mut lowest = 0;
    for insn in code {
        let used = [distances.accessed(insn), distances.pass(insn)];
        lowest = used.into_iter().flatten().fold(lowest, i32::min);
    }
    lowest.unsigned_abs()
}
