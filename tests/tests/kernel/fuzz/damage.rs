//! Frames whose headers lie: bits flipped, cut, lengths that are wrong, tags, extension headers and fragments put in.

use sip_fw_e2e::random::Random;

use crate::frames::offsets;

/// Bytes that the kernel takes in one piece.
const FRAME_MAX: usize = 3328;
const ETHERNET_LEN: usize = 14;
const V6_LEN: usize = 40;

/// A frame of ours, damaged.
pub fn damage(random: &mut Random, frame: Vec<u8>) -> Vec<u8> {
    let (l3, l4) = offsets(&frame);
    let is_v6 = l4 - l3 == V6_LEN;
    let mut frame = match random.below(10) {
        0 => flipped(random, frame, l4 + 20),
        1 => flipped(random, frame, FRAME_MAX),
        2 => cut(random, frame),
        3 => with_length(random, frame, l3, l4, is_v6),
        4 => with_tags(random, frame),
        5 if is_v6 => with_extensions(random, frame, l3),
        5 | 6 => with_byte(random, frame, if is_v6 { l3 + 6 } else { l3 + 9 }),
        7 if is_v6 => with_extensions(random, frame, l3),
        7 => with_fragment(random, frame, l3),
        8 if !is_v6 => with_options(random, frame, l3),
        8 => padded(random, frame),
        _ => (0..ETHERNET_LEN + random.below(100)).map(|_| random.number() as u8).collect(),
    };
    frame.truncate(FRAME_MAX);
    frame
}

fn flipped(random: &mut Random, mut frame: Vec<u8>, within: usize) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let at = random.below(frame.len().min(within));
        frame[at] ^= 1 << random.below(8);
    }
    frame
}

fn cut(random: &mut Random, mut frame: Vec<u8>) -> Vec<u8> {
    let room = frame.len() - ETHERNET_LEN;
    let kept = if random.once_in(2) { random.below(room.min(80)) } else { random.below(room) };
    frame.truncate(ETHERNET_LEN + kept);
    frame
}

/// One of the three lengths is another.
fn with_length(random: &mut Random, mut frame: Vec<u8>, l3: usize, l4: usize, is_v6: bool) -> Vec<u8> {
    let ip = if is_v6 { l3 + 4 } else { l3 + 2 };
    let at = random.pick(&[ip, l4 + 4, l4 + 12]);
    let any = random.number() as u16;
    let wrong = random.pick(&[0, 1, 7, 8, 20, 39, 200, 1500, 0xffff, any]);
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&wrong.to_be_bytes());
    }
    frame
}

fn with_tags(random: &mut Random, mut frame: Vec<u8>) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let tag = random.pick(&[[0x81, 0, 0, 7], [0x88, 0xa8, 0, 8], [0x91, 0, 0, 9]]);
        frame.splice(12..12, tag);
    }
    frame
}

/// Up to nine extension headers, some of which lie about their length.
fn with_extensions(random: &mut Random, mut frame: Vec<u8>, l3: usize) -> Vec<u8> {
    for _ in 0..=random.below(9) {
        let number = random.pick(&[0, 43, 44, 51, 60, 60, 135]);
        let blocks = random.pick(&[0, 0, 0, 1, 3]);
        let said = if random.once_in(8) { random.number() as u8 } else { blocks };
        // The length of an authentication header counts other units.
        let said = if number == 51 { said.wrapping_mul(2) } else { said };
        let mut header = vec![frame[l3 + 6], said];
        let random_fragment = random.once_in(2);
        header
            .extend((0..6 + 8 * usize::from(blocks)).map(|_| if random_fragment { random.number() as u8 } else { 0 }));
        frame[l3 + 6] = number;
        frame.splice(l3 + V6_LEN..l3 + V6_LEN, header);
    }
    let len = (frame.len() - l3 - V6_LEN) as u16;
    frame[l3 + 4..l3 + 6].copy_from_slice(&len.to_be_bytes());
    frame
}

fn with_byte(random: &mut Random, mut frame: Vec<u8>, at: usize) -> Vec<u8> {
    frame[at] = random.pick(&[0, 1, 6, 17, 43, 44, 51, 60, 132, 255]);
    frame
}

fn with_fragment(random: &mut Random, mut frame: Vec<u8>, l3: usize) -> Vec<u8> {
    let any = random.number() as u16;
    let field = random.pick(&[0x2000, 0x0001, 0x1fff, 0x4000, 0x8000, any]);
    frame[l3 + 6..l3 + 8].copy_from_slice(&field.to_be_bytes());
    frame
}

/// Options of IPv4, and a header length that may be another.
fn with_options(random: &mut Random, mut frame: Vec<u8>, l3: usize) -> Vec<u8> {
    let words = random.below(11);
    let said = if random.once_in(3) { random.below(16) } else { 5 + words };
    frame[l3] = 0x40 | said as u8;
    frame.splice(l3 + 20..l3 + 20, vec![1; 4 * words]);
    let len = (frame.len() - l3) as u16;
    frame[l3 + 2..l3 + 4].copy_from_slice(&len.to_be_bytes());
    frame
}

/// As Ethernet pads short frames.
fn padded(random: &mut Random, mut frame: Vec<u8>) -> Vec<u8> {
    frame.extend((0..random.below(64)).map(|_| random.number() as u8));
    frame
}
