//! Password guessing against Kamailio: counted in the kernel, banned at the deciding answer, and the good phones notice nothing.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::actors::{Fleet, Guess, Guesser, NonceHabit};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{Kamailio, Nonces};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require, require_agent};

const WRONG: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

over_both_families!(
    guessing_over_udp_ends_at_the_fifth_answer,
    guessing_over_tcp_ends_at_the_fifth_answer,
    guessing_with_fresh_challenges_ends_at_the_fifth_answer,
    fewer_failures_than_the_threshold_are_counted_and_ban_nobody,
    a_success_clears_the_strikes,
);

fn guessing_over_udp_ends_at_the_fifth_answer(family: Family) {
    guess_until_banned(family, Transport::Udp, NonceHabit::Reuse);
}

fn guessing_over_tcp_ends_at_the_fifth_answer(family: Family) {
    guess_until_banned(family, Transport::Tcp, NonceHabit::Reuse);
}

fn guessing_with_fresh_challenges_ends_at_the_fifth_answer(family: Family) {
    guess_until_banned(family, Transport::Udp, NonceHabit::Fresh);
}

fn guess_until_banned(family: Family, transport: Transport, habit: NonceHabit) {
    let Some((kamailio, scene)) = protected_kamailio(Nonces::PerSource) else { return };
    let fleet = Fleet::start(&scene.bed, &Family::BOTH).unwrap();
    fleet.wait_for_more(8).unwrap();
    let mut guesser = guesser(&scene, family, transport, habit);
    assert_eq!(guesser.guess_all(WRONG), (5, Guess::Silence));

    let attacker = scene.bed.attacker.address(family);
    if transport == Transport::Udp && habit == NonceHabit::Reuse {
        let before = scene.sent_by(attacker);
        for password in WRONG {
            guesser.shout(password);
        }
        scene.wait_until_sent(attacker, before + 20);
    }
    scene.assert_banned_after(attacker, 5);
    let requests = scene.counted(attacker).requests;
    assert_eq!(kamailio.requests_from(attacker), requests, "Kamailio's own log\n{}", kamailio.log());
    if transport == Transport::Udp {
        let dropped = scene.sent_by(attacker) - requests as u64;
        assert_eq!(scene.agent.source(&source_name(attacker)).unwrap().drops, dropped);
    }
    fleet.wait_for_more(8).unwrap();
    let report = fleet.stop();
    assert_eq!(report.lost, 0, "{report:?}");
    let office = scene.assert_agrees(scene.bed.office.address(family));
    assert_eq!((office.failures(), office.drops), (0, 0));
}

fn fewer_failures_than_the_threshold_are_counted_and_ban_nobody(family: Family) {
    let Some((_kamailio, scene)) = protected_kamailio(Nonces::PerSource) else { return };
    for (n, transport) in [(1, Transport::Udp), (1, Transport::Tcp)] {
        let from = scene.bed.attacker.nth(family, n);
        let mut guesser =
            Guesser::new(&scene.bed.attacker, from, scene.bed.pbx.sip(family), transport, "1000", NonceHabit::Reuse)
                .unwrap();
        assert_eq!(guesser.guess_all(["x", "y"]), (2, Guess::Refused(401)));
    }
    let said = scene.assert_agrees(scene.bed.attacker.address(family));
    assert_eq!((said.failures_proven, said.failures_unproven), (4, 0));
    assert_eq!(said.challenges, 2);
    scene.assert_nobody_banned();
}

fn a_success_clears_the_strikes(family: Family) {
    let Some((_kamailio, scene)) = protected_kamailio(Nonces::PerSource) else { return };
    let mut guesser = guesser(&scene, family, Transport::Udp, NonceHabit::Fresh);
    for password in ["wrong", "wrong", "wrong", "1234", "wrong", "wrong", "wrong", "1234"] {
        let expected = if password == "1234" { Guess::Found } else { Guess::Refused(401) };
        assert_eq!(guesser.guess(password), expected);
    }
    let said = scene.assert_agrees(scene.bed.attacker.address(family));
    assert_eq!((said.failures(), said.successes), (6, 2));
    scene.assert_nobody_banned();
}

fn protected_kamailio(nonces: Nonces) -> Option<(Kamailio, Scene)> {
    let binary = require_agent()?;
    if !require("kamailio") {
        return None;
    }
    let bed = Bed::new().unwrap();
    let kamailio = Kamailio::start(&bed.pbx, nonces).unwrap();
    Some((kamailio, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}

fn guesser(scene: &Scene, family: Family, transport: Transport, habit: NonceHabit) -> Guesser {
    let from = scene.bed.attacker.address(family);
    Guesser::new(&scene.bed.attacker, from, scene.bed.pbx.sip(family), transport, "1000", habit).unwrap()
}
