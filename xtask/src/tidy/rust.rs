//! Rules for Rust files: the header, the homes of `unsafe`, the homes of aya.

use super::Fault;
use super::code;

/// The only places that may say `unsafe`. A path ending in `/` is a folder.
const UNSAFE_HOMES: &[&str] = &[
    "sip-fw-common/src/abi/pod.rs",
    "sip-fw-common/src/head.rs",
    "sip-fw-common/src/rules/header.rs",
    // Packet bytes; map entries; shared counters; helpers of the kernel that aya-ebpf does not wrap.
    "sip-fw-ebpf/src/packet.rs",
    "sip-fw-ebpf/src/tables/",
    "sip-fw-ebpf/src/atomic.rs",
    "sip-fw-ebpf/src/clock.rs",
    "sip-fw-ebpf/src/bench.rs",
    "sip-fw-ebpf/src/scan.rs",
    "sip-fw-ebpf/src/words.rs",
    "sip-fw-agent/src/kernel/",
    // Namespaces, children that enter them, signals, packet sockets.
    "tests/src/netns",
    "tests/src/process.rs",
    "tests/src/wait.rs",
    "tests/src/wire/capture.rs",
];

/// The only places that may name aya's crates.
const AYA_HOMES: &[&str] = &["sip-fw-agent/src/kernel/", "sip-fw-common/src/abi/pod.rs", "sip-fw-ebpf/", "tests/"];

/// Checks one file.
pub fn check(path: &str, source: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !source.starts_with("//!") {
        faults.push(Fault::at(path, 1, "begin the file with `//!` and one sentence on what it is for"));
    }
    let code = code::without_comments_and_literals(source);
    // #[unsafe(no_mangle)] and the like place a symbol; they reach no memory.
    let code = code.replace("#[unsafe(", "#[placed(");
    for (line, word) in code::words(&code) {
        if word == "unsafe" && !is_home(UNSAFE_HOMES, path) {
            faults.push(Fault::at(
                path,
                line,
                "`unsafe` outside its homes: use a safe function of theirs, or list the file in xtask/src/tidy/rust.rs",
            ));
        }
        if (word == "aya" || word.starts_with("aya_")) && !is_home(AYA_HOMES, path) {
            faults.push(Fault::at(path, line, "only sip-fw-agent/src/kernel/ names aya: add what you need there"));
        }
    }
    faults
}

fn is_home(homes: &[&str], path: &str) -> bool {
    homes.iter().any(|home| if home.ends_with(".rs") { path == *home } else { path.starts_with(home) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, source: &str) -> Vec<String> {
        check(path, source).into_iter().map(|fault| fault.place).collect()
    }

    #[test]
    fn a_file_without_a_header_is_a_fault() {
        assert_eq!(lines("a/src/b.rs", "use std::fs;\n"), ["a/src/b.rs:1"]);
        assert_eq!(lines("a/src/b.rs", "//! Says.\nuse std::fs;\n"), [""; 0]);
    }

    #[test]
    fn unsafe_has_homes() {
        let source = "//! Says.\n#![deny(unsafe_code)]\n// unsafe\n#[unsafe(no_mangle)]\nfn f() { unsafe {} }\n";
        assert_eq!(lines("sip-fw-core/src/lib.rs", source), ["sip-fw-core/src/lib.rs:5"]);
        assert_eq!(lines("sip-fw-ebpf/src/packet.rs", source), [""; 0]);
        assert_eq!(lines("tests/src/netns/veth.rs", source), [""; 0]);
    }

    #[test]
    fn naming_aya_has_homes() {
        let source = "//! Says.\nuse aya_obj::Object;\nuse aya::Ebpf;\nlet ayatollah = 1;\n";
        assert_eq!(lines("sip-fw-agent/src/cli/run.rs", source).len(), 2);
        assert_eq!(lines("sip-fw-agent/src/kernel/load.rs", source).len(), 0);
    }
}
