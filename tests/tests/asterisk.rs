//! Asterisk 22 (pjsip): guessing is banned, and a full account is not guessing.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit, Phone, Registration};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{ACCOUNTS, Asterisk, find_asterisk};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

const FULL: (&str, &str) = ("full", "fullpw");

over_both_families!(a_full_account_is_not_guessing, guessing_ends_at_the_fifth_answer);

/// Without sip-fw: what the tests below rely on.
#[test]
fn an_unprotected_asterisk_says_403_to_the_right_password_of_a_full_account() {
    let Some(chroot) = find_asterisk() else { return };
    let bed = Bed::new().unwrap();
    let asterisk = Asterisk::start(&bed.pbx, &chroot).unwrap();
    for (family, number) in Family::BOTH.into_iter().zip([1, 2]) {
        let register = |host, from, transport, account| {
            Phone::new(host, from, bed.pbx.sip(family), transport, account).unwrap().register()
        };
        for transport in [Transport::Udp, Transport::Tcp] {
            assert_eq!(
                register(&bed.office, bed.office.address(family), transport, ACCOUNTS[number]),
                Registration::Done,
                "{}",
                asterisk.log()
            );
        }
        let first = if number == 1 { Registration::Done } else { Registration::Refused(403) };
        assert_eq!(register(&bed.office, bed.office.nth(family, 2), Transport::Udp, FULL), first, "{}", asterisk.log());
        assert_eq!(
            register(&bed.office, bed.office.nth(family, 3), Transport::Udp, FULL),
            Registration::Refused(403),
            "{}",
            asterisk.log()
        );
        assert_eq!(
            register(&bed.office, bed.office.nth(family, 3), Transport::Udp, ("full", "wrong")),
            Registration::Refused(401)
        );
    }
}

fn a_full_account_is_not_guessing(family: Family) {
    let Some((_asterisk, scene)) = protected_asterisk() else { return };
    let bed = &scene.bed;
    let phone = |from, account| Phone::new(&bed.office, from, bed.pbx.sip(family), Transport::Udp, account).unwrap();
    assert_eq!(phone(bed.office.address(family), FULL).register(), Registration::Done);
    // Somebody elsewhere mistypes once: this is how an Asterisk that says 401 to a wrong password is known.
    let mut typo =
        Phone::new(&bed.attacker, bed.attacker.address(family), bed.pbx.sip(family), Transport::Udp, ("1000", "12345"))
            .unwrap();
    assert_eq!(typo.register(), Registration::Refused(401));
    // The phone was rebooted, has a new port, and its account has no room left.
    for _ in 0..12 {
        assert_eq!(phone(bed.office.address(family), FULL).register(), Registration::Refused(403));
    }
    scene.assert_nobody_banned();
    let said = scene.agent.source(&source_name(bed.office.address(family))).unwrap();
    assert_eq!((said.failures_proven, said.drops), (0, 0), "{said:?}");
    assert_eq!(phone(bed.office.address(family), ACCOUNTS[1]).register(), Registration::Done);
}

fn guessing_ends_at_the_fifth_answer(family: Family) {
    let Some((_asterisk, scene)) = protected_asterisk() else { return };
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = Guesser::new(
        &scene.bed.attacker,
        attacker,
        scene.bed.pbx.sip(family),
        Transport::Udp,
        "1000",
        NonceHabit::Reuse,
    )
    .unwrap();
    let passwords: Vec<_> = (0..20).map(|n| format!("{n:04}")).collect();
    assert_eq!(guesser.guess_all(passwords.iter().map(String::as_str)), (5, Guess::Silence));
    scene.assert_banned_after(attacker, 5);
}

fn protected_asterisk() -> Option<(Asterisk, Scene)> {
    let binary = require_agent()?;
    let chroot = find_asterisk()?;
    let bed = Bed::new().unwrap();
    let asterisk = Asterisk::start(&bed.pbx, &chroot).unwrap();
    Some((asterisk, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}
