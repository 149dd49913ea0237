//! Captures: any file is read to its end or to a fault with its place, packets lie where the file has them, and what they become
//! can be read.

use std::io::Cursor;
use std::sync::LazyLock;

use sip_fw_agent::config::Config;
use sip_fw_agent::replay::capture::{Capture, Item};
use sip_fw_agent::replay::frame::{self, FRAME_BYTES_MAX, Link};
use sip_fw_agent::replay::message::{Direction, Reader};
use sip_fw_agent::replay::{ReplayError, default_config};
use sip_fw_e2e::pcap;

static CONFIG: LazyLock<Config> = LazyLock::new(|| default_config().unwrap());

/// Checks one file.
pub fn check(bytes: &[u8]) {
    let file = Cursor::new(bytes.to_vec());
    let Ok(mut capture) = Capture::from_reader("a.pcap", file) else { return };
    let mut reader = Reader::new(&CONFIG, 7);
    let mut packets = Vec::new();
    let mut frame = Vec::new();
    let mut blocks = 0;
    let is_whole = loop {
        match capture.next_item() {
            Ok(Some(Item::Packet(packet))) => {
                let data = &capture.raw()[packet.data.clone()];
                look(&mut reader, packet.link, data, &mut frame);
                packets.push((packet.time_ns, data.to_vec()));
            }
            Ok(Some(Item::Other)) => {}
            Ok(None) => break true,
            Ok(Some(Item::CutOff)) => break false,
            Err(fault) => {
                assert!(matches!(fault, ReplayError::Damaged { at, .. } if at <= bytes.len() as u64), "{fault}");
                break false;
            }
        }
        blocks += 1;
        assert!(blocks <= bytes.len(), "more blocks than bytes");
        assert!(capture.position() <= bytes.len() as u64);
    };
    if is_whole && let Some(expected) = pcap::read_legacy(bytes) {
        let expected: Vec<_> = expected.into_iter().map(|packet| (Some(packet.time_ns), packet.data)).collect();
        assert_eq!(packets, expected, "as the tests' own reader reads it");
    }
}

/// A packet becomes a frame, and the frame is read, whichever way it went.
fn look(reader: &mut Reader, link: Link, data: &[u8], frame: &mut Vec<u8>) {
    if frame::ethernet(link, data, frame).is_none() {
        return;
    }
    assert!(frame.len() <= FRAME_BYTES_MAX);
    crate::packet::check(frame);
    for direction in [Direction::Arriving, Direction::Leaving] {
        reader.read(direction, frame);
    }
}
