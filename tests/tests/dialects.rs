//! PBXs say no in different ways: 403 instead of 401, stale=true, and the same answer again to a retransmission.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use sip_fw_e2e::actors::{Client, Guess, Guesser, NonceHabit};
use sip_fw_e2e::registrar::{Dialect, Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

const PATIENCE: Duration = Duration::from_secs(3);

over_both_families!(
    a_pbx_that_says_403_is_protected_like_one_that_says_401,
    stale_is_no_failure,
    retransmissions_are_one_failure,
    refused_invites_are_failures,
);

fn a_pbx_that_says_403_is_protected_like_one_that_says_401(family: Family) {
    let settings = Settings { dialect: Dialect::Forbidden, says_stale: true, ..Settings::standard() };
    let Some((_registrar, scene)) = protected(settings) else { return };
    let mut guesser = guesser(&scene, family);
    let passwords: Vec<_> = (0..20).map(|n| format!("{n:04}")).collect();
    assert_eq!(guesser.guess_all(passwords.iter().map(String::as_str)), (5, Guess::Silence));
    scene.assert_banned_after(scene.bed.attacker.address(family), 5);
}

fn stale_is_no_failure(family: Family) {
    let Some((_registrar, scene)) = protected(Settings { says_stale: true, ..Settings::standard() }) else { return };
    let from = scene.bed.office.address(family);
    let mut phone = Client::dial(&scene.bed.office, from, scene.bed.pbx.sip(family), Transport::Udp).unwrap();
    let mut request = phone.request("REGISTER", "1000");
    let mut challenge = phone.transact(&request, PATIENCE).unwrap().challenge().unwrap();
    for n in 0..20 {
        // A phone that comes back with a nonce of yesterday.
        challenge.nonce = format!("yesterday{n}");
        request = request.next();
        request.extra = vec![challenge.answer("1000", "1234", "REGISTER", &request.uri)];
        let answer = phone.transact(&request, PATIENCE).unwrap().challenge().unwrap();
        assert!(answer.stale);
        challenge = answer;
    }
    request = request.next();
    request.extra = vec![challenge.answer("1000", "1234", "REGISTER", &request.uri)];
    assert_eq!(phone.transact(&request, PATIENCE).unwrap().status(), Some(200));
    let said = scene.assert_agrees(from);
    assert_eq!((said.failures(), said.successes, said.stale), (0, 1, 20));
    scene.assert_nobody_banned();
}

fn retransmissions_are_one_failure(family: Family) {
    let Some((_registrar, scene)) = protected(Settings::standard()) else { return };
    let mut guesser = guesser(&scene, family);
    assert_eq!(guesser.guess("wrong"), Guess::Refused(401));
    for _ in 0..20 {
        guesser.repeat();
    }
    let attacker = scene.bed.attacker.address(family);
    // The challenge, the guess and its 20 repetitions, all of them answered.
    scene.wait_until_sent(attacker, 22);
    scene
        .inside
        .wait("the answers", |seen| {
            sip_fw_e2e::wire::tally(seen).values().map(|count| count.answers).sum::<usize>() >= 22
        })
        .unwrap();
    let said = scene.assert_agrees(attacker);
    assert_eq!((said.failures(), said.attempts), (1, 1), "{said:?}");
    scene.assert_nobody_banned();
}

fn refused_invites_are_failures(family: Family) {
    let Some((_registrar, scene)) = protected(Settings::standard()) else { return };
    let from = scene.bed.attacker.address(family);
    let mut dialer = Client::dial(&scene.bed.attacker, from, scene.bed.pbx.sip(family), Transport::Udp).unwrap();
    let mut refused = 0;
    for method in ["INVITE", "SUBSCRIBE", "MESSAGE", "PUBLISH", "INVITE", "INVITE", "INVITE"] {
        let first = dialer.request(method, "1000");
        let Some(answer) = dialer.transact(&first, Duration::from_millis(800)) else { break };
        let mut guess = first.next();
        guess.extra = vec![answer.challenge().unwrap().answer("1000", "wrong", method, &guess.uri)];
        refused += u32::from(dialer.transact(&guess, PATIENCE).unwrap().status() == Some(407));
    }
    assert_eq!(refused, 5);
    scene.assert_banned_after(from, 5);
}

fn protected(settings: Settings) -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, settings).unwrap();
    Some((registrar, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}

fn guesser(scene: &Scene, family: Family) -> Guesser {
    let from = scene.bed.attacker.address(family);
    Guesser::new(&scene.bed.attacker, from, scene.bed.pbx.sip(family), Transport::Udp, "1000", NonceHabit::Reuse)
        .unwrap()
}
