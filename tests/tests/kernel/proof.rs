//! What proves a source, and what a forger can do: nothing.

use sip_fw_common::reason::Reason;

use crate::frames::{Path, TCP4, UDP4, UDP6};
use crate::rig::{Ask, Reply, Rig};

const OFFICE: Path = Path { peer: 20, ..UDP4 };
const SPOOFER: Path = Path { peer: 66, ..UDP4 };

fn forge(rig: &mut Rig, nonce: &str) {
    for _ in 0..20 {
        // The PBX refuses with a new nonce, which goes to the office and not to the forger.
        let reply = Reply::challenge(401, "sent to the office");
        assert_eq!(rig.exchange(OFFICE, Ask::attempt("REGISTER", nonce), reply).1, Reason::FailureUnproven);
    }
    assert!(!rig.is_dropped(OFFICE));
    assert_eq!(rig.state(OFFICE).failures_proven, 0);
}

#[test]
fn a_nonce_nobody_sent_proves_nothing() {
    forge(&mut Rig::new(), "made up");
}

#[test]
fn a_nonce_sent_to_somebody_else_proves_nothing() {
    let mut rig = Rig::new();
    rig.fetch(SPOOFER, "spoofer's");
    for _ in 0..20 {
        let reply = Reply::plain(403);
        assert_eq!(rig.exchange(OFFICE, Ask::attempt("REGISTER", "spoofer's"), reply).1, Reason::FailureUnproven);
    }
    assert!(!rig.is_dropped(OFFICE));
}

#[test]
fn a_nonce_that_two_sources_received_proves_nothing_whoever_was_first() {
    for first in [OFFICE, SPOOFER] {
        let mut rig = Rig::new();
        let second = if first == OFFICE { SPOOFER } else { OFFICE };
        rig.fetch(first, "this second's");
        rig.fetch(second, "this second's");
        forge(&mut rig, "this second's");
    }
}

#[test]
fn the_challenges_to_forged_requests_give_the_forger_nothing() {
    let mut rig = Rig::new();
    // Forged requests make the PBX send nonces to the office; the forger never sees them.
    for round in 0..20 {
        rig.fetch(OFFICE, &format!("secret {round}"));
    }
    forge(&mut rig, "guessed");
}

#[test]
fn a_decoy_before_the_real_credentials_hides_nothing() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "real");
    for _ in 0..5 {
        let branch = rig.branch();
        let decoy = "User-Agent: x\r\nAuthorization: Digest username=\"1\", realm=\"other\", nonce=\"decoy\", response=\"0\"\r\n";
        let ask = Ask::attempt("REGISTER", "real").text(&branch).replace("User-Agent: test phone\r\n", decoy);
        rig.arrive(&UDP4.arriving(ask.as_bytes()));
        let reply = Reply::challenge(401, "real").text("REGISTER", &branch);
        assert_eq!(rig.leave(&UDP4.leaving(reply.as_bytes())), Reason::FailureProven);
    }
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn over_tcp_the_connection_is_the_proof() {
    let mut rig = Rig::new();
    for _ in 0..5 {
        assert_eq!(rig.guess(TCP4, "anything").1, Reason::FailureProven);
    }
    assert!(rig.is_dropped(TCP4));
}

#[test]
fn an_answer_on_another_connection_proves_nothing() {
    let mut rig = Rig::new();
    let branch = rig.branch();
    rig.arrive(&TCP4.arriving(Ask::attempt("REGISTER", "x").text(&branch).as_bytes()));
    let elsewhere = Path { peer_port: 50_000, ..TCP4 };
    let reply = Reply::challenge(401, "n").text("REGISTER", &branch);
    assert_eq!(rig.leave(&elsewhere.leaving(reply.as_bytes())), Reason::FailureUnproven);

    let branch = rig.branch();
    rig.arrive(&UDP4.arriving(Ask::attempt("REGISTER", "x").text(&branch).as_bytes()));
    let reply = Reply::challenge(401, "n2").text("REGISTER", &branch);
    assert_eq!(rig.leave(&TCP4.leaving(reply.as_bytes())), Reason::FailureUnproven, "asked over UDP");
}

#[test]
fn responses_that_arrive_count_against_nobody() {
    for path in [UDP4, UDP6, TCP4] {
        let mut rig = Rig::new();
        for status in [401, 403, 404, 407] {
            for _ in 0..10 {
                let branch = rig.branch();
                let ask = Ask::attempt("REGISTER", "carrier's").text(&branch);
                assert_eq!(rig.leave(&path.leaving(ask.as_bytes())), Reason::OutUnjudged);
                let reply = Reply::challenge(status, "carrier's").text("REGISTER", &branch);
                assert_eq!(rig.arrive(&path.arriving(reply.as_bytes())).1, Reason::ResponseIn);
            }
        }
        assert_eq!(rig.state(path).failures_proven + rig.state(path).failures_unproven, 0);
        assert!(!rig.is_dropped(path));
    }
}

#[test]
fn every_address_of_a_prefix_is_one_source() {
    let mut rig = Rig::new();
    rig.fetch(UDP6, "n");
    let frame = |rig: &mut Rig, last: u8| {
        let branch = rig.branch();
        let mut ask = UDP6.arriving(Ask::attempt("REGISTER", "n").text(&branch).as_bytes());
        let mut reply = UDP6.leaving(Reply::challenge(401, "n").text("REGISTER", &branch).as_bytes());
        ask[14 + 8 + 15] = last;
        reply[14 + 24 + 15] = last;
        rig.arrive(&ask);
        rig.leave(&reply)
    };
    for last in 1..=5 {
        assert_eq!(frame(&mut rig, last), Reason::FailureProven);
    }
    assert!(rig.is_dropped(UDP6));
    assert!(!rig.is_dropped(UDP6.from(8)), "another /64");
}

#[test]
fn the_length_of_a_source_is_configured() {
    let mut rig = Rig::with(|settings| settings.ipv6_mask = sip_fw_common::abi::Source::v6_mask(40));
    rig.fetch(UDP6, "n");
    for _ in 0..5 {
        rig.guess(UDP6, "n");
    }
    // The peers differ in their sixth byte, behind a /40.
    assert!(rig.is_dropped(UDP6.from(99)));
}

#[test]
fn a_nonce_of_the_second_of_an_unreadable_challenge_proves_nothing() {
    let mut rig = Rig::new();
    // Kamailio hands out one nonce a second; the forger has his copy split off into a later fragment.
    rig.fetch(OFFICE, "this second's");
    rig.exchange(SPOOFER, Ask::plain("REGISTER"), Reply::plain(401));
    forge(&mut rig, "this second's");
    rig.wait(3 * crate::rig::SECOND);
    rig.fetch(OFFICE, "a later second's");
    assert_eq!(rig.guess(OFFICE, "a later second's").1, Reason::FailureProven);
}

#[test]
fn whoever_guesses_the_branch_in_use_forges_no_more_than_one_failure_for_each_of_the_phones_own() {
    let mut rig = Rig::new();
    rig.fetch(OFFICE, "office's");
    let attempt = |nonce: &str, digest: &str| Ask { digest, ..Ask::attempt("REGISTER", nonce) }.text("1");
    rig.arrive(&OFFICE.arriving(attempt("office's", "own").as_bytes()));
    for number in 0..20 {
        let forged = attempt("made up", &format!("forged {number}"));
        assert_eq!(rig.arrive(&OFFICE.arriving(forged.as_bytes())).1, Reason::Request);
    }
    let refused = Reply::challenge(401, "another").text("REGISTER", "1");
    let mut proven = 0;
    for _ in 0..20 {
        proven += u32::from(rig.leave(&OFFICE.leaving(refused.as_bytes())) == Reason::FailureProven);
    }
    assert_eq!(proven, 1);
    assert_eq!(rig.leave(&OFFICE.leaving(Reply::plain(200).text("REGISTER", "1").as_bytes())), Reason::Success);
    assert_eq!(rig.run.tables.peers().unwrap().len(), 2, "the phone's success is its own all the same");
    assert!(!rig.is_dropped(OFFICE));
}
