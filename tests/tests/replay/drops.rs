//! What is dropped, what it takes with it, and how a capture is split.

use std::fs;

use crate::run::{PBX, data, replay};
use sip_fw_e2e::pcap::{read, segment};

#[test]
fn the_same_capture_gives_the_same_output() {
    for name in ["baresip-bad.pcap", "sipp-brute-ui.pcap", "ast22-tcp4.pcap"] {
        for more in [&[][..], &["--observe"][..]] {
            let Some(first) = replay(&data(name), &PBX, more) else { return };
            let Some(second) = replay(&data(name), &PBX, more) else { return };
            assert_eq!(first.stdout, second.stdout, "{name} {more:?}");
        }
    }
}

#[test]
fn the_fifth_failure_bans_and_the_rest_is_dropped() {
    let Some(outcome) = replay(&data("sipp-brute-u1.pcap"), &PBX, &[]) else { return };
    let summary = outcome.summary();
    assert_eq!((&summary["failures_proven"], &summary["bans"].as_array().unwrap().len()), (&5.into(), &1));
    let ban = &summary["bans"][0];
    assert_eq!((&ban["level"], &ban["strikes"]), (&1.into(), &5.into()));
    assert!(ban["reason"].as_str().unwrap().contains("5 auth failures within 10m"), "{ban}");
    let dropped = summary["dropped"]["banned"].as_u64().unwrap();
    let (messages, unsent) = (summary["messages"].as_u64().unwrap(), summary["unsent"].as_u64().unwrap());
    assert!(dropped > 0 && unsent > 0, "{summary}");
    assert_eq!(messages + dropped + unsent, 80, "every message is one of them: {summary}");
    let bans = outcome.decisions().iter().filter(|line| line.contains("\"event\":\"ban\"")).count();
    assert_eq!(bans, 1);
}

#[test]
fn kept_and_dropped_are_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, dropped) = (folder.path().join("kept"), folder.path().join("dropped"));
    for name in ["sipp-brute-u1.pcap", "baresip-bad.pcap", "sip-488-codec-reject.pcapng"] {
        let more = ["--write-kept", kept.to_str().unwrap(), "--write-dropped", dropped.to_str().unwrap()];
        let Some(outcome) = replay(&data(name), &PBX, &more) else { return };
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        let open = |path| read(&fs::read(path).unwrap());
        let (whole, kept, dropped) = (open(data(name)), open(kept.clone()), open(dropped.clone()));
        assert_eq!(dropped.len() as u64, outcome.summary()["dropped"]["banned"].as_u64().unwrap_or(0), "{name}");
        let (mut kept, mut gone) = (kept.into_iter().peekable(), dropped.into_iter().peekable());
        for packet in &whole {
            let from = |part: &mut std::iter::Peekable<std::vec::IntoIter<_>>| {
                part.next_if(|other: &sip_fw_e2e::pcap::Packet| {
                    other.data == packet.data && other.time_ns == packet.time_ns
                })
            };
            assert!(from(&mut kept).is_some() || from(&mut gone).is_some(), "{name}: a packet is missing");
        }
        assert!(kept.next().is_none() && gone.next().is_none(), "{name}");
    }
}

#[test]
fn only_banned_sources_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let dropped = folder.path().join("dropped.pcap");
    let Some(outcome) = replay(&data("sipp-brute-u1.pcap"), &PBX, &["--write-dropped", dropped.to_str().unwrap()])
    else {
        return;
    };
    let banned = outcome.summary()["bans"][0]["source"].as_str().unwrap().to_owned();
    for packet in read(&fs::read(dropped).unwrap()) {
        assert_eq!(segment(&packet).unwrap().source.ip().to_string(), banned);
    }
}
