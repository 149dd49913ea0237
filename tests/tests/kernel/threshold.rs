//! Counting to the threshold, the ban at the deciding answer, the ladder, and what clears.

use sip_fw_agent::kernel::Action;
use sip_fw_common::abi::{BanOrigin, EventKind, Evidence};
use sip_fw_common::reason::Reason;

use crate::frames::{EVERY_WAY, UDP4};
use crate::rig::{Ask, MINUTE, Reply, Rig, SECOND, source};

#[test]
fn the_fifth_failure_bans_and_the_next_packet_is_dropped() {
    let mut rig = Rig::new();
    for (path, peer) in EVERY_WAY.into_iter().zip(20..) {
        let path = path.from(peer);
        let nonce = format!("n{peer}");
        rig.fetch(path, &nonce);
        rig.events();
        for guess in 1..=4 {
            assert_eq!(rig.guess(path, &nonce), (Reason::Request, Reason::FailureProven), "guess {guess}, {path:?}");
            assert!(!rig.is_dropped(path));
        }
        assert_eq!(rig.guess(path, &nonce).1, Reason::FailureProven);
        let frame = path.arriving(Ask::attempt("REGISTER", &nonce).text("after").as_bytes());
        assert_eq!(rig.arrive(&frame), (Action::Drop, Reason::Banned), "{path:?}");

        let kinds: Vec<_> = rig.events().iter().map(|event| (event.kind, event.strikes)).collect();
        let failure = EventKind::AuthFailure as u8;
        assert_eq!(
            kinds,
            [(failure, 1), (failure, 2), (failure, 3), (failure, 4), (failure, 5), (EventKind::Ban as u8, 5)]
        );
        let ban = rig.run.tables.ban(source(path)).unwrap().unwrap();
        assert_eq!((ban.level, ban.strikes, ban.packets), (1, 5, 1));
        assert_eq!((ban.origin, ban.evidence), (BanOrigin::Failures as u8, Evidence::Proven as u8));
        assert_eq!(ban.user.as_bytes(), b"1000");
        assert_eq!(ban.user_agent.as_bytes(), b"test phone");
        assert!(ban.bytes >= frame.len() as u64);
        assert!(!rig.is_dropped(path.from(8)), "others pass");
    }
}

#[test]
fn a_ban_ends_and_the_next_is_longer() {
    let mut rig = Rig::new();
    let length = |rig: &mut Rig| {
        rig.fetch(UDP4, "n");
        for _ in 0..5 {
            rig.guess(UDP4, "n");
        }
        assert!(rig.is_dropped(UDP4));
        let ban = rig.run.tables.ban(source(UDP4)).unwrap().unwrap();
        let length = ban.until_ns - ban.since_ns;
        rig.wait(length - SECOND);
        assert!(rig.is_dropped(UDP4), "a second before its end");
        rig.wait(2 * SECOND);
        assert!(!rig.is_dropped(UDP4), "after its end");
        (ban.level, length / MINUTE)
    };
    assert_eq!(length(&mut rig), (1, 1));
    assert_eq!(length(&mut rig), (2, 10));
    assert_eq!(length(&mut rig), (3, 60));
    assert_eq!(length(&mut rig), (3, 60), "the top of the ladder");
    rig.wait(31 * 24 * 60 * MINUTE);
    assert_eq!(length(&mut rig), (1, 1), "decayed");
}

#[test]
fn strikes_before_a_ban_are_settled_by_it() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    for _ in 0..5 {
        rig.guess(UDP4, "n");
    }
    // Answers to what was in flight when the ban came.
    rig.wait(MINUTE + SECOND);
    for _ in 0..4 {
        rig.guess(UDP4, "n");
        assert!(!rig.is_dropped(UDP4));
    }
    rig.guess(UDP4, "n");
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn guesses_in_flight_do_not_climb_the_ladder() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    let branches: Vec<_> = (0..30).map(|_| rig.branch()).collect();
    for branch in &branches {
        rig.arrive(&UDP4.arriving(Ask::attempt("REGISTER", "n").text(branch).as_bytes()));
    }
    for branch in &branches {
        rig.leave(&UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", branch).as_bytes()));
    }
    assert_eq!(rig.state(UDP4).failures_proven, 30);
    assert_eq!(rig.run.tables.ban(source(UDP4)).unwrap().unwrap().level, 1);
    assert_eq!(rig.events().iter().filter(|event| event.kind == EventKind::Ban as u8).count(), 1);
}

#[test]
fn failures_outside_the_window_do_not_count() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    for _ in 0..40 {
        rig.guess(UDP4, "n");
        rig.wait(3 * MINUTE);
    }
    assert!(!rig.is_dropped(UDP4), "four within any ten minutes");
}

#[test]
fn success_clears_the_strikes_of_its_user_alone() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    let guess = |rig: &mut Rig, user| {
        rig.exchange(UDP4, Ask { user, ..Ask::attempt("REGISTER", "n") }, Reply::challenge(401, "n"));
    };
    let succeed = |rig: &mut Rig, user| {
        rig.exchange(UDP4, Ask { user, ..Ask::attempt("REGISTER", "n") }, Reply::plain(200));
    };
    for _ in 0..4 {
        guess(&mut rig, "1000");
    }
    succeed(&mut rig, "1000");
    for _ in 0..4 {
        guess(&mut rig, "1000");
    }
    assert!(!rig.is_dropped(UDP4), "cleared in between");
    succeed(&mut rig, "6000");
    guess(&mut rig, "1000");
    assert!(rig.is_dropped(UDP4), "another user's success clears nothing");
}

#[test]
fn success_that_nobody_checked_clears_nothing() {
    for path in EVERY_WAY {
        let mut rig = Rig::new();
        rig.fetch(path, "n");
        for _ in 0..4 {
            rig.guess(path, "n");
        }
        assert_eq!(rig.exchange(path, Ask::attempt("OPTIONS", "n"), Reply::plain(200)).1, Reason::Neutral);
        // INVITE is open to guests here: nobody challenged it, so nobody looked at its credentials.
        assert_eq!(rig.exchange(path, Ask::attempt("INVITE", "n"), Reply::plain(200)).1, Reason::Success);
        rig.guess(path, "n");
        assert!(rig.is_dropped(path), "{path:?}");
    }
}

/// The PBX takes the credentials of its own realm; the others are there for the firewall alone.
#[test]
fn an_own_account_clears_no_strikes_of_others() {
    let decoy = |user: &str| {
        format!("Authorization: Digest username=\"{user}\", realm=\"x\", nonce=\"x\", response=\"0\"\r\nContent-Length")
    };
    for (tried, good) in [("1000", "6000"), ("6000", "6000")] {
        let mut rig = Rig::new();
        rig.fetch(UDP4, "n");
        for _ in 0..5 {
            let branch = rig.branch();
            let guess = Ask::attempt("REGISTER", "n").text(&branch).replace("Content-Length", &decoy(tried));
            rig.arrive(&UDP4.arriving(guess.as_bytes()));
            rig.leave(&UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", &branch).as_bytes()));
            if rig.is_dropped(UDP4) {
                break;
            }
            let branch = rig.branch();
            let own = Ask { user: good, ..Ask::attempt("REGISTER", "n") }.text(&branch);
            let own = if tried == good { own } else { own.replace("Content-Length", &decoy(tried)) };
            rig.arrive(&UDP4.arriving(own.as_bytes()));
            rig.leave(&UDP4.leaving(Reply::plain(200).text("REGISTER", &branch).as_bytes()));
        }
        assert!(rig.is_dropped(UDP4), "{tried} {good}");
    }
}

#[test]
fn the_answer_to_a_cancel_is_not_the_answer_to_its_invite() {
    let mut rig = Rig::new();
    rig.exchange(UDP4, Ask::plain("INVITE"), Reply::challenge(407, "n"));
    for _ in 0..4 {
        rig.exchange(UDP4, Ask::attempt("INVITE", "n"), Reply::challenge(407, "n"));
    }
    let branch = rig.branch();
    rig.arrive(&UDP4.arriving(Ask::attempt("INVITE", "n").text(&branch).as_bytes()));
    let cancel = UDP4.arriving(Ask::plain("CANCEL").text(&branch).as_bytes());
    assert_eq!(rig.arrive(&cancel).1, Reason::AckOrCancel);
    assert_eq!(rig.leave(&UDP4.leaving(Reply::plain(200).text("CANCEL", &branch).as_bytes())), Reason::OutUnmatched);
    let refused = UDP4.leaving(Reply::challenge(407, "n").text("INVITE", &branch).as_bytes());
    assert_eq!(rig.leave(&refused), Reason::FailureProven);
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn retransmissions_count_once_on_either_side() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    let branch = rig.branch();
    let ask = UDP4.arriving(Ask::attempt("REGISTER", "n").text(&branch).as_bytes());
    let reply = UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", &branch).as_bytes());
    assert_eq!(rig.arrive(&ask).1, Reason::Request);
    for _ in 0..5 {
        assert_eq!(rig.arrive(&ask).1, Reason::Retransmission);
    }
    assert_eq!(rig.leave(&reply), Reason::FailureProven);
    for _ in 0..5 {
        assert_eq!(rig.leave(&reply), Reason::OutUnmatched);
        assert_eq!(rig.arrive(&ask).1, Reason::Retransmission);
    }
    let state = rig.state(UDP4);
    assert_eq!((state.requests, state.attempts, state.failures_proven), (2, 1, 1));
}

#[test]
fn guesses_dressed_up_as_retransmissions_are_counted() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    for digest in ["a", "b", "c", "d", "e"] {
        let ask = Ask { digest, ..Ask::attempt("REGISTER", "n") };
        assert_eq!(rig.arrive(&UDP4.arriving(ask.text("same").as_bytes())).1, Reason::Request, "{digest}");
    }
    for _ in 0..5 {
        let reply = UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", "same").as_bytes());
        assert_eq!(rig.leave(&reply), Reason::FailureProven);
    }
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn nothing_on_the_same_branch_covers_a_guess_that_waits_for_its_answer() {
    for cover in
        [Ask::plain("REGISTER"), Ask::plain("OPTIONS"), Ask::attempt("REGISTER", "junk"), Ask::attempt("INVITE", "x")]
    {
        let mut rig = Rig::new();
        rig.fetch(UDP4, "n");
        for _ in 0..5 {
            let branch = rig.branch();
            rig.arrive(&UDP4.arriving(Ask::attempt("REGISTER", "n").text(&branch).as_bytes()));
            rig.arrive(&UDP4.arriving(cover.text(&branch).as_bytes()));
            let reply = UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", &branch).as_bytes());
            assert_eq!(rig.leave(&reply), Reason::FailureProven, "{cover:?}");
        }
        assert!(rig.is_dropped(UDP4), "{cover:?}");
    }
}

#[test]
fn a_cseq_of_another_method_hides_no_refusal() {
    for method in ["INVITE", "CANCEL", "%52EGISTER"] {
        let mut rig = Rig::new();
        rig.fetch(UDP4, "n");
        for _ in 0..5 {
            let branch = rig.branch();
            let ask = Ask::attempt("REGISTER", "n").text(&branch).replace("2 REGISTER", &format!("2 {method}"));
            rig.arrive(&UDP4.arriving(ask.as_bytes()));
            let reply = Reply::challenge(401, "n").text(method, &branch);
            assert_eq!(rig.leave(&UDP4.leaving(reply.as_bytes())), Reason::FailureProven, "{method}");
        }
        assert!(rig.is_dropped(UDP4), "{method}");
    }
}

#[test]
fn a_request_without_branch_is_counted_too() {
    let mut rig = Rig::new();
    rig.fetch(UDP4, "n");
    for digest in ["a", "b", "c", "d", "e"] {
        let ask = Ask { digest, ..Ask::attempt("REGISTER", "n") }.text("x").replace(";branch=x", "");
        let reply = Reply::challenge(401, "n").text("REGISTER", "x").replace(";branch=x", "");
        assert_eq!(rig.arrive(&UDP4.arriving(ask.as_bytes())).1, Reason::Request);
        assert_eq!(rig.leave(&UDP4.leaving(reply.as_bytes())), Reason::FailureProven);
    }
    assert!(rig.is_dropped(UDP4));
}

#[test]
fn observe_decides_and_drops_nothing() {
    let mut rig = Rig::with(|settings| settings.observe = 1);
    rig.fetch(UDP4, "n");
    for _ in 0..5 {
        rig.guess(UDP4, "n");
    }
    assert_eq!(rig.guess(UDP4, "n"), (Reason::WouldDrop, Reason::FailureProven));
    assert_eq!(rig.state(UDP4).failures_proven, 6);
    assert!(rig.events().iter().all(|event| event.observed == 1));
    assert_eq!(rig.run.tables.ban(source(UDP4)).unwrap().unwrap().packets, 0);
}

#[test]
fn counters_are_exact_when_packets_come_on_every_cpu_at_once() {
    let mut rig = Rig::with(|settings| settings.observe = 1);
    rig.fetch(UDP4, "n");
    const EACH: usize = 2000;
    let frames: Vec<_> = (0..2 * EACH)
        .map(|_| {
            let branch = rig.branch();
            let ask = UDP4.arriving(Ask::attempt("REGISTER", "n").text(&branch).as_bytes());
            (ask, UDP4.leaving(Reply::challenge(401, "n").text("REGISTER", &branch).as_bytes()))
        })
        .collect();
    std::thread::scope(|scope| {
        for part in frames.chunks(EACH) {
            let run = &rig.run;
            scope.spawn(move || {
                for (ask, reply) in part {
                    run.ingress(ask).unwrap();
                    run.egress(reply).unwrap();
                }
            });
        }
    });
    let state = rig.state(UDP4);
    let all = 2 * EACH as u64;
    assert_eq!((state.requests, state.attempts, state.failures_proven), (all + 1, all, all));
    assert_eq!(rig.run.tables.strikes(source(UDP4)).unwrap().unwrap().written, all);
}
