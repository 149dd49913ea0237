//! Known peers: who becomes one, and that the kernel leaves its failures to user space.

use sip_fw_common::abi::{EventKind, Known};

use crate::frames::{EVERY_WAY, Path, UDP4};
use crate::rig::{Ask, MINUTE, Reply, Rig, source};

const WEEK: u64 = 7 * 24 * 60 * MINUTE;

fn rig() -> Rig {
    Rig::with(|settings| settings.known_peer_ns = WEEK)
}

fn register(rig: &mut Rig, path: Path, user: &str, nonce: &str) {
    rig.fetch(path, nonce);
    rig.exchange(path, Ask { user, ..Ask::attempt("REGISTER", nonce) }, Reply::plain(200));
}

fn fail(rig: &mut Rig, path: Path, user: &str, nonce: &str) -> Known {
    rig.events();
    rig.exchange(path, Ask { user, ..Ask::attempt("REGISTER", nonce) }, Reply::challenge(401, nonce));
    let failure = rig.events().into_iter().find(|event| event.kind == EventKind::AuthFailure as u8).unwrap();
    Known::from_number(failure.known).unwrap()
}

#[test]
fn the_kernel_bans_no_known_peer() {
    let mut rig = rig();
    for (path, peer) in EVERY_WAY.into_iter().zip(30..) {
        let path = path.from(peer);
        let nonce = format!("n{peer}");
        register(&mut rig, path, "1000", &nonce);
        for _ in 0..30 {
            assert_eq!(fail(&mut rig, path, "1000", &nonce), Known::User);
            assert_eq!(fail(&mut rig, path, "1001", &nonce), Known::Source);
        }
        assert!(!rig.is_dropped(path));
        assert_eq!(rig.run.tables.ban(source(path)).unwrap(), None);
    }
}

#[test]
fn it_stays_one_for_the_configured_time() {
    let mut rig = rig();
    register(&mut rig, UDP4, "1000", "n");
    rig.wait(WEEK - MINUTE);
    assert_eq!(fail(&mut rig, UDP4, "1000", "n"), Known::User);
    rig.wait(2 * MINUTE);
    for _ in 0..4 {
        assert_eq!(fail(&mut rig, UDP4, "1000", "n"), Known::Nobody);
    }
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn nobody_becomes_one_by_a_success_that_proves_nothing() {
    let mut rig = rig();
    let office = UDP4.from(20);
    // A forger with an account of his own spends his nonce in the office's name.
    rig.fetch(UDP4, "forger's");
    rig.exchange(office, Ask::attempt("REGISTER", "forger's"), Reply::plain(200));
    // Nobody checked these credentials.
    rig.exchange(office, Ask::attempt("OPTIONS", "forger's"), Reply::plain(200));
    assert!(rig.run.tables.peers().unwrap().is_empty());
    register(&mut rig, office, "1000", "office's");
    let peers = rig.run.tables.peers().unwrap();
    assert_eq!(peers.len(), 2, "the source and its user");
    assert!(peers.iter().all(|(key, peer)| key.source == source(office) && peer.user.as_bytes() == b"1000"));
}
