//! A short round for each target: inputs made of its corpus, the same ones in every run, on any compiler.
//!
//! `cargo xtask fuzz` looks further, as libFuzzer sees which input reaches new code; this needs seconds and no build of its own.
//! `SIP_FW_FUZZ_INPUTS` says how many inputs for each target, `SIP_FW_FUZZ_SEED` with which seed.
#![expect(clippy::unwrap_used, reason = "a round that cannot be set up has failed")]

mod mutation;
mod words;

use std::path::{Path, PathBuf};
use std::{env, fs, panic};

use mutation::Mutation;
use sip_fw_fuzz::{TARGETS, Target};

const SEED: u64 = 0x5eed_f422;

/// Makes the test of each target, with so many inputs: a few seconds, however slow the target is without optimization.
macro_rules! rounds {
    ($($target:ident: $inputs:literal,)+) => {
        $(#[test] fn $target() { round(stringify!($target), $inputs); })+

        #[test]
        fn every_target_has_a_round() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($target)),+]);
        }
    };
}

rounds! {
    head: 8000,
    packet: 100_000,
    judge: 20_000,
    rules: 800,
    config: 2500,
    control: 40_000,
    lists: 5000,
    pcap: 120,
}

fn round(name: &str, inputs: u64) {
    let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let (inputs, seed) = (number("SIP_FW_FUZZ_INPUTS", inputs), number("SIP_FW_FUZZ_SEED", SEED));
    let files: Vec<Vec<u8>> = target.corpus().iter().map(|file| fs::read(file).unwrap()).collect();
    let words = words::of(&target);
    let mut mutation = Mutation::new(seed, &files, &words);
    for made in 0..inputs {
        let input = mutation.input();
        if panic::catch_unwind(|| (target.check)(&input)).is_err() {
            panic!("{}", advice(&target, seed, made, &keep(&target, seed, made, &input)));
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: allowed is a number")))
}

/// Writes an input that breaks the property to where it outlives the test.
fn keep(target: &Target, seed: u64, made: u64, input: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("find-{}-{seed}-{made}", target.name));
    fs::write(&file, input).unwrap();
    file
}

fn advice(target: &Target, seed: u64, made: u64, input: &Path) -> String {
    let Target { name, .. } = target;
    format!(
        "{name}: input {made} of SIP_FW_FUZZ_SEED={seed} breaks what must hold; what, stands above. It is {}\n  \
         make a test of it: copy it to fuzz/corpus/{name}/ under a name that says what it is, add a test with that name beside the \
         code that is wrong, `cargo test -p sip-fw-fuzz`",
        input.display()
    )
}
