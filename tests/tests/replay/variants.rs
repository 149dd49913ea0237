//! The same packets behind other link headers, and with other clocks, give the same decisions.

use std::fs;

use crate::run::{PBX, data, replay};
use sip_fw_e2e::pcap::{ip, read, write};

type Wrap = fn(&[u8]) -> Vec<u8>;

fn ethertype(ip: &[u8]) -> [u8; 2] {
    if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] }
}

const VARIANTS: [(&str, u32, bool, Wrap); 8] = [
    ("raw IP", 101, false, |ip| ip.to_vec()),
    ("cooked", 113, false, |ip| [&[0; 14][..], &ethertype(ip), ip].concat()),
    ("cooked 2", 276, false, |ip| [&ethertype(ip)[..], &[0; 18], ip].concat()),
    ("loopback", 0, false, |ip| [&[2, 0, 0, 0][..], ip].concat()),
    ("VLAN", 1, false, |ip| [&[0; 12][..], &[0x81, 0, 0, 7], &ethertype(ip), ip].concat()),
    ("QinQ", 1, false, |ip| [&[0; 12][..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], &ethertype(ip), ip].concat()),
    ("cooked VLAN", 113, false, |ip| [&[0; 14][..], &[0x81, 0, 0, 7], &ethertype(ip), ip].concat()),
    ("nanoseconds", 101, true, |ip| ip.to_vec()),
];

#[test]
fn every_link_header_gives_the_same_decisions() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sipp-brute-u1.pcap", "ast22-udp6.pcap", "ast22-tcp4.pcap"] {
        let packets = read(&fs::read(data(name)).unwrap());
        let Some(expected) = replay(&data(name), &PBX, &[]) else { return };
        for (variant, link, nanoseconds, wrap) in VARIANTS {
            let wrapped: Vec<_> =
                packets.iter().filter_map(|packet| Some((packet.time_ns, wrap(ip(packet)?)))).collect();
            let file = folder.path().join("variant.pcap");
            fs::write(&file, write(link, nanoseconds, &wrapped)).unwrap();
            let Some(found) = replay(&file, &PBX, &[]) else { return };
            assert_eq!(found.decisions(), expected.decisions(), "{name} as {variant}");
            let (found, expected) = (found.summary(), expected.summary());
            for key in ["messages", "attempts", "failures_proven", "failures_unproven", "bans", "dropped", "unparsed"] {
                assert_eq!(found[key], expected[key], "{name} as {variant}: {key}");
            }
        }
    }
}

#[test]
fn a_prefix_is_local_too_and_strangers_are_skipped() {
    let file = data("sipp-brute-u1.pcap");
    let (Some(exact), Some(prefix)) = (replay(&file, &PBX, &[]), replay(&file, &["10.98.1.1/32"], &[])) else { return };
    assert_eq!(exact.stdout, prefix.stdout);
    let Some(all) = replay(&file, &["10.0.0.0/8"], &[]) else { return };
    let summary = all.summary();
    assert_eq!((&summary["skipped"], &summary["messages"]), (&summary["packets"], &0.into()));
    assert!(all.stderr.contains("--local"), "{}", all.stderr);
}
