//! The same bytes through the host build of the parser and through the kernel programs give the same fields.

use std::path::PathBuf;

use sip_fw_common::abi::{Method, Nonce, Source, Transaction, TransactionKey};
use sip_fw_common::hash;
use sip_fw_common::head::{Head, Span};
use sip_fw_common::reason::Reason;
use sip_fw_common::request;
use sip_fw_common::sip::{Cursor, Scan, StartLine, message_start, scan, start_line, uri_user};
use sip_fw_e2e::random::Random;

use crate::frames::{Path, UDP4};
use crate::random::mangle;
use crate::rig::{Ask, Reply, Rig, source};

/// What the host says of an arriving message.
fn host_request(seed: u64, path: Path, message: &[u8]) -> Result<(TransactionKey, Transaction), Reason> {
    let mut head = Head::EMPTY;
    let len = u64::from(head.fill(message));
    let start = message_start(&head, len, 0);
    if start >= len {
        return Err(Reason::KeepAlive);
    }
    let method = match start_line(&head, start) {
        StartLine::Request(Method::Ack | Method::Cancel) => return Err(Reason::AckOrCancel),
        StartLine::Request(method) => method,
        StartLine::Response(_) => return Err(Reason::ResponseIn),
        StartLine::Unknown => return Err(Reason::Unparsed),
    };
    let mut found = Scan::NOTHING;
    scan::<false>(&head, Cursor::new(start, len, 0), &mut found);
    if !found.has_via() {
        return Err(Reason::Unparsed);
    }
    let mut transaction = Transaction {
        peer_port: path.peer_port,
        method: method as u8,
        tcp: u8::from(path.tcp),
        ..Transaction::NOTHING
    };
    let asked_for = match found.credentials {
        0 => request::asked_for(method as u8, start, &found, |span| uri_user(&head, span, 0)),
        _ => Span::default(),
    };
    request::describe(&head, &found, &mut transaction, asked_for, |span| hash::span(&head, seed, span));
    Ok((TransactionKey { source: source(path), branch: hash::span(&head, seed, found.branch()) }, transaction))
}

/// The nonces the host finds in a leaving challenge.
fn host_nonces(seed: u64, message: &[u8]) -> Vec<u64> {
    let mut head = Head::EMPTY;
    let len = u64::from(head.fill(message));
    let start = message_start(&head, len, 0);
    let mut found = Scan::NOTHING;
    if matches!(start_line(&head, start), StartLine::Response(401 | 407)) {
        scan::<true>(&head, Cursor::new(start, len, 0), &mut found);
    }
    (0..4).map(|slot| hash::span(&head, seed, found.nonce(slot))).filter(|hash| *hash != 0).collect()
}

fn compare(rig: &mut Rig, path: Path, message: &[u8]) {
    let seed = rig.live.hash_seed;
    let shown = String::from_utf8_lossy(message).into_owned();
    let (_, reason) = rig.arrive(&path.arriving(message));
    match host_request(seed, path, message) {
        Ok((key, expected)) => {
            assert!(matches!(reason, Reason::Request | Reason::Retransmission), "{reason:?}: {shown}");
            let kernel = rig.run.transaction(&key).unwrap().unwrap_or_else(|| panic!("not remembered: {shown}"));
            if reason == Reason::Request && kernel.asked == 1 {
                // Its proof depends on the nonces that were handed out.
                assert_eq!(Transaction { credit: 0, ..kernel }, expected, "{shown}");
            }
            // An attempt that waits on the same branch is not covered by a request without credentials.
            if expected.credentials != 0 || kernel.credentials == 0 {
                assert_eq!(kernel.digest, expected.digest, "{shown}");
            }
        }
        Err(expected) => assert_eq!(reason, expected, "{shown}"),
    }
    rig.leave(&path.leaving(message));
    for nonce in host_nonces(seed, message) {
        let kernel = rig.run.nonce(nonce).unwrap().unwrap_or_else(|| panic!("nonce not remembered: {shown}"));
        assert!(kernel.receiver == source(path) || kernel.flags & Nonce::SHARED != 0);
    }
}

/// Every peer once, so that no message meets another's transaction.
fn peers() -> impl Iterator<Item = Path> {
    (0u32..).map(|i| Path { peer: (i % 250) as u8, v6: i / 250 % 2 == 1, ..UDP4 })
}

pub fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "data", folder].iter().collect();
    let mut files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .filter(|bytes| !bytes.is_empty() && bytes.len() <= 1472)
        .collect()
}

#[test]
fn the_torture_messages() {
    let mut rig = Rig::new();
    let messages = [corpus("rfc4475"), corpus("rfc5118")].concat();
    assert!(messages.len() > 50, "{}", messages.len());
    for (path, message) in peers().zip(&messages) {
        compare(&mut rig, path, message);
    }
}

#[test]
fn the_torture_messages_cut_anywhere() {
    let mut rig = Rig::new();
    for (path, message) in peers().zip(corpus("rfc4475").iter().filter(|message| message.len() < 700)) {
        for cut in (1..message.len()).step_by(13) {
            compare(&mut rig, path, &message[..cut]);
        }
    }
}

#[test]
fn generated_messages() {
    let mut random = Random::new(0x5eed);
    let mut rig = Rig::new();
    for (path, round) in peers().zip(0..4000) {
        let message = generate(&mut random, round);
        compare(&mut rig, path, &message);
    }
}

#[test]
fn an_unused_source_stays_unknown() {
    let rig = Rig::new();
    assert!(rig.run.tables.source(Source::v4(1)).unwrap().is_none());
}

/// A message of pieces that mean something to the scanner, then a few random changes.
fn generate(random: &mut Random, round: u32) -> Vec<u8> {
    let branch = format!("z9hG4bK{round}");
    let text = match random.below(4) {
        0 => Reply::challenge(401, "n").text("REGISTER", &branch),
        1 => String::from("\r\n\r\n") + &Ask::attempt("INVITE", "n").text(&branch),
        2 => Ask::plain("OPTIONS").text(&branch),
        _ => Ask::attempt("REGISTER", "n").text(&branch),
    };
    mangle(random, text.into_bytes())
}
