//! The bed itself, without sip-fw: hosts reach each other, phones register, taps see it, and nothing protects the PBX.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;

use sip_fw_e2e::actors::{Fleet, FleetReport, Guess, Guesser, NonceHabit, Phone, Registration, Session, Spoofer};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{ACCOUNTS, Baresip, Dns, Echo, Kamailio, ListServer, Nonces, Scenario, Sipp, SippEnd, svcrack};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::wire::{Direction, tally};
use sip_fw_e2e::{Bed, Family, Tap, require};

#[test]
fn phones_register_at_the_built_in_registrar_and_taps_count_it() {
    let bed = Bed::new().unwrap();
    let _registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let inside = Tap::inside(&bed.pbx).unwrap();
    let cable = Tap::cable(&bed, &bed.office).unwrap();
    for family in Family::BOTH {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut phone =
                Phone::new(&bed.office, bed.office.nth(family, 7), bed.pbx.sip(family), transport, ACCOUNTS[0])
                    .unwrap();
            assert_eq!(phone.register(), Registration::Done, "{family:?} {transport}");
        }
    }
    let seen = inside.seen().unwrap();
    assert_eq!(seen.len(), 16, "{seen:#?}");
    assert_eq!(cable.seen().unwrap().len(), 16);
    for family in Family::BOTH {
        let count = &tally(&seen)[&source_name(bed.office.nth(family, 7))];
        assert_eq!((count.requests, count.attempts, count.successes, count.failures), (4, 2, 2, 0));
    }
}

#[test]
fn a_fleet_loses_nothing_while_a_guesser_finds_the_weak_password() {
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let fleet = Fleet::start(&bed, &Family::BOTH).unwrap();
    for (family, transport) in [(Family::V4, Transport::Udp), (Family::V6, Transport::Tcp)] {
        let attacker = bed.attacker.address(family);
        let mut guesser =
            Guesser::new(&bed.attacker, attacker, bed.pbx.sip(family), transport, "1000", NonceHabit::Reuse).unwrap();
        let (refused, last) = guesser.guess_all(["1", "2", "3", "4", "5", "6", "7", "1234"]);
        assert_eq!((refused, last), (7, Guess::Found));
        assert_eq!(registrar.counts()[&attacker].refused, 7);
    }
    fleet.wait_for_more(20).unwrap();
    let FleetReport { registrations, lost } = fleet.stop();
    assert!(registrations >= 20);
    assert_eq!(lost, 0);
}

#[test]
fn forged_packets_of_a_thousand_sources_reach_the_pbx() {
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    for n in 0..500 {
        for family in Family::BOTH {
            spoofer.junk_credentials(SocketAddr::new(family.world(n), 5060), "1000").unwrap();
        }
    }
    let refused = || registrar.counts().values().map(|count| count.refused).sum::<u64>();
    wait_for("1,000 refusals", PATIENCE, || refused() == 1000).unwrap();
    assert_eq!(registrar.counts().len(), 1000);
}

#[test]
fn kamailio_shares_nonces_unless_told_otherwise() {
    if !require("kamailio") {
        return;
    }
    for (nonces, shared) in [(Nonces::Shared, true), (Nonces::PerSource, false)] {
        let bed = Bed::new().unwrap();
        let kamailio = Kamailio::start(&bed.pbx, nonces).unwrap();
        let tap = Tap::inside(&bed.pbx).unwrap();
        let family = Family::V4;
        // Until two sources were challenged within the same second of Kamailio's clock.
        wait_for("two challenges within one second", PATIENCE, || {
            for from in [bed.office.address(family), bed.attacker.address(family)] {
                let mut phone = Phone::new(
                    if from == bed.office.address(family) { &bed.office } else { &bed.attacker },
                    from,
                    bed.pbx.sip(family),
                    Transport::Udp,
                    ACCOUNTS[1],
                )
                .unwrap();
                assert_eq!(phone.register(), Registration::Done, "{}", kamailio.log());
            }
            let seen = tap.seen().unwrap();
            let given = |to| {
                let challenges =
                    seen.iter().filter(|message| message.direction == Direction::Out && message.destination.ip() == to);
                challenges.filter_map(|message| message.nonce.clone()).next_back().unwrap()
            };
            let (office, attacker) = (given(bed.office.address(family)), given(bed.attacker.address(family)));
            // The first eight digits are the time at which the nonce ends.
            if office[..12] != attacker[..12] && !shared {
                return office[12..] != attacker[12..];
            }
            (office == attacker) == shared
        })
        .unwrap();
        let seen = tap.seen().unwrap();
        let nonces_of = |to| -> std::collections::BTreeSet<String> {
            seen.iter()
                .filter(|message| message.status == Some(401) && message.destination.ip() == to)
                .filter_map(|message| message.nonce.clone())
                .collect()
        };
        let common =
            nonces_of(bed.office.address(family)).intersection(&nonces_of(bed.attacker.address(family))).count();
        assert_eq!(common > 0, shared, "{nonces:?}");
        assert!(kamailio.requests_from(bed.office.address(family)) >= 2, "{}", kamailio.log());
    }
}

#[test]
fn svcrack_finds_the_weak_password_on_an_unprotected_kamailio() {
    if !(require("kamailio") && require("svcrack")) {
        return;
    }
    let bed = Bed::new().unwrap();
    let _kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
    let (attacker, pbx) = (bed.attacker.address(Family::V4), bed.pbx.address(Family::V4));
    let end = svcrack(&bed.attacker, attacker, pbx, "1000", "1234", "1200-1300").unwrap();
    assert!(end.found, "{}", end.output);
}

#[test]
fn sipp_registers_at_an_unprotected_kamailio() {
    if !(require("kamailio") && require("sipp")) {
        return;
    }
    let bed = Bed::new().unwrap();
    let kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
    for family in Family::BOTH {
        for transport in [Transport::Udp, Transport::Tcp] {
            let run = |scenario, accounts: &[(&str, &str)]| {
                Sipp::start(
                    &bed.office,
                    bed.office.address(family),
                    bed.pbx.sip(family),
                    transport,
                    scenario,
                    accounts,
                    3,
                )
                .unwrap()
                .wait()
                .unwrap()
            };
            assert_eq!(run(Scenario::Good, &ACCOUNTS), SippEnd::AllPassed, "{family:?} {transport} {}", kamailio.log());
            assert_eq!(run(Scenario::Bad, &[("1000", "wrong")]), SippEnd::AllPassed, "{family:?} {transport}");
            assert_eq!(run(Scenario::Bad, &[ACCOUNTS[0]]), SippEnd::SomeFailed, "{family:?} {transport}");
        }
    }
}

#[test]
fn a_mistyped_baresip_tries_many_times_at_once() {
    if !(require("kamailio") && require("baresip")) {
        return;
    }
    for family in Family::BOTH {
        let bed = Bed::new().unwrap();
        let _kamailio = Kamailio::start(&bed.pbx, Nonces::Shared).unwrap();
        let tap = Tap::inside(&bed.pbx).unwrap();
        let baresip =
            Baresip::start(&bed.office, bed.office.address(family), bed.pbx.address(family), ("1000", "wrong"))
                .unwrap();
        let office = source_name(bed.office.address(family));
        tap.wait("baresip to fail more than five times", |seen| {
            tally(seen).get(&office).is_some_and(|count| count.failures > 5)
        })
        .unwrap();
        baresip.stop(PATIENCE);
    }
}

#[test]
fn a_session_carries_lines_and_a_tap_sees_it_open() {
    let bed = Bed::new().unwrap();
    let echo = Echo::start(&bed.pbx, 443).unwrap();
    let cable = Tap::cable(&bed, &bed.pbx).unwrap();
    for family in Family::BOTH {
        let web = SocketAddr::new(bed.pbx.address(family), 443);
        let mut session = Session::open(&bed.office, bed.office.nth(family, 9), web).unwrap();
        assert!(session.carries(PATIENCE) && session.carries(PATIENCE), "{family:?}");
        let openings = cable.openings().unwrap();
        let ours: Vec<_> = openings.iter().filter(|opening| Family::of(&opening.source.ip()) == family).collect();
        assert_eq!(ours.len(), 2, "{ours:?}");
        assert_eq!(
            (ours[0].source, ours[0].direction, ours[0].accepted),
            (session.local().unwrap(), Direction::Out, false)
        );
        assert_eq!((ours[1].source, ours[1].direction, ours[1].accepted), (web, Direction::In, true));
        let closed = SocketAddr::new(web.ip(), 444);
        assert!(Session::open(&bed.office, bed.office.address(family), closed).is_err());
    }
    assert_eq!((echo.accepted(), echo.bytes()), (2, 4 * 17));
}

#[test]
fn names_and_lists_are_served_until_the_servers_go_away() {
    let bed = Bed::new().unwrap();
    let within = |work: &(dyn Fn() -> std::io::Result<Vec<u8>> + Sync)| bed.pbx.namespace().within(work).unwrap();
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06office\x04test\0\0\x01\0\x01";
    for family in Family::BOTH {
        let (dns, lists) =
            (Dns::start(&bed.carrier).unwrap(), ListServer::start(&bed.carrier, "203.0.113.9\n").unwrap());
        dns.set("office.test", &[bed.office.address(Family::V4)]);
        let ask = || -> std::io::Result<Vec<u8>> {
            let socket = UdpSocket::bind((bed.pbx.address(family), 0))?;
            socket.connect(Dns::address(&bed.carrier, family))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.send(question)?;
            let mut answer = vec![0; 512];
            let length = socket.recv(&mut answer)?;
            answer.truncate(length);
            Ok(answer)
        };
        assert!(within(&ask).unwrap().ends_with(&[0, 4, 10, 98, 1, 1]));
        let url = ListServer::url(&bed.carrier, family);
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let fetch = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
            let mut page = Vec::new();
            stream.read_to_end(&mut page)?;
            Ok(page)
        };
        assert!(String::from_utf8(within(&fetch).unwrap()).unwrap().ends_with("\r\n\r\n203.0.113.9\n"));
        assert_eq!((dns.queries(), lists.served()), (1, 1));
        drop((dns, lists));
        assert!(within(&ask).is_err() && within(&fetch).is_err());
    }
}

#[test]
fn a_bed_leaves_nothing_behind() {
    let name = {
        let bed = Bed::new().unwrap();
        bed.name.clone()
    };
    let listed = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&listed.stdout).contains(&format!("{name}-")));
}
