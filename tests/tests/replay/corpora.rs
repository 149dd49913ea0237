//! Every capture there is: the figures of `--observe` are those of the independent count.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sip_fw_e2e::SIP_PORT;

use crate::counter::{Counts, KEYS, count};
use crate::run::{PBX, replay};
use sip_fw_e2e::pcap::{Packet, read, segment};

/// Captures whose figures differ, and why: (name, key, sip-fw's figure minus the independent one).
const DIFFER: [(&str, &str, i64); 2] = [
    // One status line without a Via behind it: the program counts a response by its status line (`response-in`).
    ("udp_5060.pcap", "messages", 1),
    ("udp_5060.pcap", "unparsed", -1),
];

/// The repository's captures and, where they are, those of the shared corpora.
pub fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpora = root.join("../../shared/corpora");
    let folders = [root.join("data/captures"), corpora.join("captures"), corpora.join("sipnab"), corpora.join("zeek")];
    let files =
        folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().map(|file| file.unwrap().path());
    let mut captures: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng" || end == "cap"))
        .collect();
    captures.sort();
    captures
}

/// The test bed's PBXs, or whoever the first packet to the SIP port goes to.
pub fn local(packets: &[Packet]) -> Vec<String> {
    let segments: Vec<_> = packets.iter().filter_map(segment).collect();
    let mut all = segments.iter().flat_map(|segment| [segment.source.ip(), segment.destination.ip()]);
    if all.any(|address| PBX.iter().any(|pbx| *pbx == address.to_string())) {
        return PBX.map(str::to_owned).to_vec();
    }
    let first = segments.iter().find(|segment| segment.destination.port() == SIP_PORT);
    let address = first.or(segments.first()).map(|segment| segment.destination.ip().to_string());
    vec![address.unwrap_or_else(|| "192.0.2.1".to_owned())]
}

fn figures(summary: &Value) -> Counts {
    KEYS.map(|key| (key, summary[key].as_u64().unwrap_or_else(|| panic!("{key} in {summary}")))).into()
}

#[test]
fn every_capture_counts_as_the_independent_counter_says() {
    let captures = captures();
    assert!(captures.len() >= 9, "{captures:?}");
    let mut faults = Vec::new();
    for path in captures {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let packets = read(&fs::read(&path).unwrap());
        let local = local(&packets);
        let Some(outcome) = replay(&path, &local, &["--observe"]) else { return };
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.stderr);
        let found = figures(&outcome.summary());
        let addresses: Vec<IpAddr> = local.iter().map(|address| address.parse().unwrap()).collect();
        let expected = count(&packets, &addresses);
        println!("{name}: {found:?}");
        for key in KEYS {
            let difference = found[key].cast_signed() - expected[key].cast_signed();
            let known = DIFFER.iter().find(|(file, of, _)| *file == name && *of == key).map_or(0, |(_, _, by)| *by);
            if difference != known {
                faults.push(format!("{name}: {key} is {}, expected {}", found[key], expected[key]));
            }
        }
        assert_eq!(outcome.summary()["packets"], packets.len(), "{name}");
        assert_eq!(outcome.summary()["dropped"], serde_json::json!({}), "{name}: --observe drops nothing");
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
