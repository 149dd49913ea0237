//! Messages made to confuse: the PBX gets them, nothing crashes, and credentials are found wherever they hide.

use sip_fw_agent::kernel::Action;
use sip_fw_common::reason::Reason;

use crate::frames::{EVERY_WAY, UDP4};
use crate::rig::{Ask, Reply, Rig};

#[test]
fn credentials_anywhere_in_1500_bytes() {
    let mut rig = Rig::new();
    let mut peers = 1..=250;
    for filler in [0, 100, 700, 1000, 1150] {
        for line in ["X: y\r\n", "a:\n", "Subject: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n \r\n\tb\r\n"] {
            let path = UDP4.from(peers.next().unwrap());
            let nonce = format!("n{}", path.peer);
            rig.fetch(path, &nonce);
            let branch = rig.branch();
            let ask = Ask::attempt("REGISTER", &nonce).text(&branch);
            let room = line.repeat(filler / line.len());
            let ask = ask.replace("Authorization:", &format!("{room}Authorization:"));
            assert!(ask.len() <= 1500);
            assert_eq!(rig.arrive(&path.arriving(ask.as_bytes())), (Action::Pass, Reason::Request));
            let reply = Reply::challenge(401, &nonce).text("REGISTER", &branch);
            assert_eq!(rig.leave(&path.leaving(reply.as_bytes())), Reason::FailureProven, "{filler} {line:?}");
        }
    }
}

#[test]
fn empty_lines_before_the_request_hide_nothing() {
    let mut rig = Rig::new();
    for (path, peer) in EVERY_WAY.into_iter().zip(1..) {
        let path = path.from(peer);
        let nonce = format!("n{peer}");
        rig.fetch(path, &nonce);
        for blanks in [1, 2, 50, 400, 480] {
            let branch = rig.branch();
            let ask = "\r\n".repeat(blanks) + &Ask::attempt("REGISTER", &nonce).text(&branch);
            assert_eq!(rig.arrive(&path.arriving(ask.as_bytes())).1, Reason::Request, "{blanks}");
            let reply = Reply::challenge(401, &nonce).text("REGISTER", &branch);
            assert_eq!(rig.leave(&path.leaving(reply.as_bytes())), Reason::FailureProven);
        }
        assert!(rig.is_dropped(path));
    }
}

#[test]
fn oddities_pass() {
    let long = "A".repeat(1400);
    let lines = "\n".repeat(1400);
    let rows: [(&[u8], Reason); 9] = [
        (b"", Reason::KeepAlive),
        (b"\r\n\r\n", Reason::KeepAlive),
        (lines.as_bytes(), Reason::KeepAlive),
        (long.as_bytes(), Reason::Unparsed),
        (b"\x00\x01\x00\x08!\x12\xa4B", Reason::Unparsed),
        (b"SIP/2.0 200 OK\r\n\r\n", Reason::ResponseIn),
        (b"REGISTER sip:a SIP/2.0\r\n\r\n", Reason::Unparsed),
        (b"ACK sip:a SIP/2.0\r\nVia: x\r\n\r\n", Reason::AckOrCancel),
        (b"R", Reason::Unparsed),
    ];
    let mut rig = Rig::new();
    for path in EVERY_WAY {
        for (payload, reason) in rows {
            assert_eq!(rig.arrive(&path.arriving(payload)), (Action::Pass, reason), "{path:?}");
        }
    }
}
