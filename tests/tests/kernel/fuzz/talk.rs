//! Frames of a few peers and a PBX that talk to each other: requests and answers meet on few branches, with few nonces.

use sip_fw_e2e::random::Random;

use std::collections::VecDeque;

use super::damage::damage;
use crate::differential::corpus;
use crate::frames::{Path, UDP4};
use crate::random::{PAYLOAD_MAX, mangle};
use crate::rig::{Ask, Reply};

const METHODS: [&str; 12] = [
    "REGISTER",
    "REGISTER",
    "REGISTER",
    "INVITE",
    "INVITE",
    "OPTIONS",
    "SUBSCRIBE",
    "ACK",
    "CANCEL",
    "BYE",
    "register",
    "NEW",
];
const STATUSES: [u16; 16] = [100, 180, 200, 200, 202, 401, 401, 401, 401, 403, 403, 404, 407, 407, 486, 503];
const USERS: [&str; 3] = ["1000", "1001", "alice"];
const NONCES: [&str; 6] = [
    "n1",
    "n2",
    "n3",
    "1700000000/0123456789abcdef0123456789abcdef",
    "1700000001/0123456789abcdef0123456789abcdef",
    "",
];
/// An Ethernet and an IPv6 header.
const LEAVING_MIN: usize = 54;
/// Requests that may still be answered.
const OPEN_MAX: usize = 6;

/// What was asked: by whom, how, on which branch.
#[derive(Clone, Copy)]
struct Asked {
    path: Path,
    method: &'static str,
    branch: u64,
}

pub struct Talk {
    torture: Vec<Vec<u8>>,
    open: VecDeque<Asked>,
    own: VecDeque<Asked>,
    next_branch: u64,
}

impl Talk {
    pub fn new() -> Self {
        let torture = [corpus("rfc4475"), corpus("rfc5118")].concat();
        Self { torture, open: VecDeque::new(), own: VecDeque::new(), next_branch: 0 }
    }

    /// The next frame; true if it arrives.
    pub fn frame(&mut self, random: &mut Random) -> (bool, Vec<u8>) {
        let (arriving, path, message) = match random.below(20) {
            0..8 => self.request(random),
            8..15 => self.answer(random),
            15 => self.own_request(random),
            16 => self.answer_from_outside(random),
            17 => (random.once_in(2), path(random), self.torture[random.below(self.torture.len())].clone()),
            _ => (random.once_in(2), path(random), noise(random)),
        };
        let message = if random.once_in(4) { mangle(random, message) } else { message };
        let frame = if arriving { path.arriving(&message) } else { path.leaving(&message) };
        let mut frame = if random.once_in(4) { damage(random, frame) } else { frame };
        // BPF_PROG_TEST_RUN takes no leaving packet that is shorter than its IP header.
        if !arriving && frame.len() < LEAVING_MIN {
            frame.resize(LEAVING_MIN, 0);
        }
        (arriving, frame)
    }

    fn request(&mut self, random: &mut Random) -> (bool, Path, Vec<u8>) {
        let known = self.open.get(random.below(OPEN_MAX)).filter(|_| random.below(3) > 0).copied();
        let asked = known.unwrap_or_else(|| self.fresh(random));
        let method = if random.once_in(4) { random.pick(&METHODS) } else { asked.method };
        let user = random.pick(&USERS);
        let nonce = if random.once_in(3) { None } else { Some(random.pick(&NONCES)) };
        let ask = Ask { method, user, nonce, digest: random.pick(&["d1", "d2"]) };
        remember(&mut self.open, Asked { method, ..asked });
        (true, asked.path, ask.text(&branch(asked.branch)).into_bytes())
    }

    fn answer(&mut self, random: &mut Random) -> (bool, Path, Vec<u8>) {
        let known = self.open.get(random.below(OPEN_MAX)).copied();
        let asked = known.unwrap_or_else(|| self.fresh(random));
        let path = if random.once_in(8) { path(random) } else { asked.path };
        let status = random.pick(&STATUSES);
        let challenges = matches!(status, 401 | 407) && !random.once_in(8);
        let nonce = challenges.then(|| random.pick(&NONCES));
        let reply = Reply { status, nonce, stale: random.once_in(6) };
        let method = if random.once_in(10) { random.pick(&METHODS) } else { asked.method };
        (false, path, reply.text(method, &branch(asked.branch)).into_bytes())
    }

    /// This host asks somebody, from its service's port or over TCP from another.
    fn own_request(&mut self, random: &mut Random) -> (bool, Path, Vec<u8>) {
        let asked = self.fresh(random);
        let mut path = asked.path;
        if random.once_in(2) {
            path = Path { tcp: true, local_port: 45_000, peer_port: 5060, ..path };
        }
        remember(&mut self.own, Asked { path, ..asked });
        (false, path, Ask::plain(asked.method).text(&branch(asked.branch)).into_bytes())
    }

    fn answer_from_outside(&mut self, random: &mut Random) -> (bool, Path, Vec<u8>) {
        let known = self.own.get(random.below(OPEN_MAX)).copied();
        let Asked { path, method, branch: number } = known.unwrap_or_else(|| self.fresh(random));
        (true, path, Reply::plain(random.pick(&STATUSES)).text(method, &branch(number)).into_bytes())
    }

    fn fresh(&mut self, random: &mut Random) -> Asked {
        self.next_branch += 1;
        Asked { path: path(random), method: random.pick(&METHODS), branch: self.next_branch }
    }
}

fn remember(list: &mut VecDeque<Asked>, asked: Asked) {
    list.push_front(asked);
    list.truncate(OPEN_MAX);
}

fn branch(number: u64) -> String {
    format!("z9hG4bK-{number}")
}

/// Mostly one of few peers to the SIP port.
fn path(random: &mut Random) -> Path {
    let path = Path {
        v6: random.once_in(3),
        tcp: random.once_in(4),
        vlan_tags: random.pick(&[0, 0, 0, 0, 0, 0, 1, 2]),
        peer: random.pick(&[1, 2, 3, 200]),
        peer_port: random.pick(&[40_000, 40_001]),
        ..UDP4
    };
    match random.below(12) {
        0 => Path { local_port: random.pick(&[443, 9, 5061]), ..path },
        1 => Path { tcp: true, local_port: 45_000, peer_port: 5060, ..path },
        _ => path,
    }
}

/// What is no message, or hardly one.
fn noise(random: &mut Random) -> Vec<u8> {
    let len = random.below(PAYLOAD_MAX);
    match random.below(6) {
        0 => vec![b'\n'; len],
        1 => vec![b'A'; len],
        2 => b"\r\n\r\n".to_vec(),
        3 => [&b"REGISTER sip:a SIP/2.0\r\nv:x;branch=q\r\n"[..], &b"a:\n".repeat(len / 3)].concat(),
        4 => Vec::new(),
        _ => (0..len).map(|_| random.number() as u8).collect(),
    }
}
