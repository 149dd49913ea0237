//! What sip-fw should do and does not yet: each test says what, and runs with `--ignored` only.

use std::net::SocketAddr;
use std::time::Duration;

use sip_fw_e2e::actors::{Client, Spoofer};
use sip_fw_e2e::sip::{Request, Transport};
use sip_fw_e2e::{Family, Policy};

use super::flood::{assert_within_rate, flood};
use super::guessing::{crack, unrecognized};
use super::siege::{Pbx, Siege};

const FORGED_PORT: u16 = 5077;

#[test]
#[ignore = "explain knows bans only: of a shunned source it says that its packets pass"]
fn a_shun_is_explained() {
    let Some(siege) = Siege::begin(Family::V4, Pbx::Kamailio, &Policy::default(), &[]) else { return };
    let bed = &siege.scene.bed;
    let attacker = siege.attacker();
    let mut client = Client::dial(&bed.attacker, attacker, bed.pbx.sip(Family::V4), Transport::Udp).unwrap();
    let mut request = client.request("OPTIONS", "100");
    request.user_agent = "friendly-scanner".to_owned();
    assert!(client.transact(&request, Duration::from_secs(1)).is_none());
    siege.assert_shunned();
    let outcome = siege.scene.agent.call(&["explain", &attacker.to_string(), "--json"]).unwrap();
    eprintln!("{outcome:?}");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("shun"), "{outcome:?}");
    assert!(outcome.stdout.contains("\"service\":\"drop\""), "{outcome:?}");
}

#[test]
#[ignore = "guesses on nonces that the office has, too, prove nothing: a hundred pass before the rate or a shun stops them"]
fn svcrack_does_not_find_a_weak_password_at_a_busy_kamailio() {
    let Some(siege) = Siege::begin(Family::V4, Pbx::Kamailio, &unrecognized(), &["svcrack"]) else { return };
    let end = crack(&siege, "1200-1300");
    assert!(!end.found, "{}", end.output);
    siege.end();
}

#[test]
#[ignore = "over TCP packets are counted, and one may hold several messages"]
fn the_rate_over_tcp_is_one_of_messages() {
    let scenario = include_str!("../../data/sipp/flood_options.xml");
    let Some(siege) = flood(Family::V4, Pbx::Kamailio, Transport::Tcp, scenario) else { return };
    assert_within_rate(&siege);
    siege.end();
}

#[test]
#[ignore = "a known peer's rate is spent by whoever forges its address over UDP"]
fn a_forged_flood_in_the_offices_name_costs_it_no_message() {
    let Some(siege) = Siege::begin(Family::V4, Pbx::Kamailio, &Policy::default(), &[]) else { return };
    let bed = &siege.scene.bed;
    let source = SocketAddr::new(siege.office(), FORGED_PORT);
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    for _ in 0..8000 {
        let request = Request::new("OPTIONS", "100", source, bed.pbx.sip(Family::V4), Transport::Udp);
        spoofer.send(source, &request.bytes()).unwrap();
    }
    eprintln!("{} dropped as flood", siege.counter("flood"));
    siege.end_but_for(|message| message.source.port() == FORGED_PORT);
}
