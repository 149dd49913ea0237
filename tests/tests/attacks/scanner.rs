//! svmap as it comes: its User-Agent says what it is, so not one of its packets reaches the PBX.

use std::time::Duration;

use sip_fw_e2e::actors::Client;
use sip_fw_e2e::peers::Vicious;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Family, over_both_families};

use super::siege::{Pbx, Siege, usual};

over_both_families!(svmap_finds_no_kamailio, svmap_finds_no_asterisk, a_scanner_over_tcp_is_not_heard);

fn svmap_finds_no_kamailio(family: Family) {
    svmap_finds_nothing(family, Pbx::Kamailio);
}

fn svmap_finds_no_asterisk(family: Family) {
    svmap_finds_nothing(family, Pbx::Asterisk);
}

fn svmap_finds_nothing(family: Family, pbx: Pbx) {
    let Some(mut siege) = Siege::begin(family, pbx, &usual(), &["svmap"]) else { return };
    let attacker = siege.attacker();
    // All addresses of the host's network over IPv4; svmap takes no IPv6 ranges.
    let target = match family {
        Family::V4 => "10.98.0.1-10.98.0.254".to_owned(),
        Family::V6 => siege.scene.bed.pbx.address(family).to_string(),
    };
    let svmap = |siege: &Siege| Vicious::start(&siege.scene.bed.attacker, "svmap", attacker, &target, &[]).unwrap();

    let first = svmap(&siege);
    siege.add_newcomers(|bed| &bed.carrier);
    let output = first.output().unwrap();
    assert!(output.contains("found nothing"), "{output}");
    assert!(siege.wait_for_event("scanner", attacker).contains("scanner's"));
    siege.assert_shunned();
    let sent = siege.scene.sent_by(attacker);
    assert_eq!(sent, if family == Family::V4 { 254 } else { 1 }, "{output}");
    let (scanner, shunned) = (siege.counter("scanner"), siege.counter("shunned"));
    assert!(scanner >= 1, "{scanner}");
    assert_eq!(scanner + shunned, sent, "{scanner} scanner, {shunned} shunned");

    let output = svmap(&siege).output().unwrap();
    assert!(output.contains("found nothing"), "{output}");
    let sent = siege.scene.sent_by(attacker);
    assert_eq!((siege.counter("scanner"), siege.counter("shunned")), (scanner, sent - scanner));
    assert_eq!((siege.arrived(attacker), siege.answered(attacker)), (0, 0));
    siege.assert_shunned();
    siege.end();
}

/// No tool of SIPVicious 0.3.3 speaks TCP.
fn a_scanner_over_tcp_is_not_heard(family: Family) {
    let Some(mut siege) = Siege::begin(family, Pbx::Kamailio, &usual(), &[]) else { return };
    let (attacker, host, pbx) = (siege.attacker(), &siege.scene.bed.attacker, siege.scene.bed.pbx.sip(family));
    let mut client = Client::dial(host, attacker, pbx, Transport::Tcp).unwrap();
    let mut request = client.request("OPTIONS", "100");
    request.user_agent = "friendly-scanner".to_owned();
    assert!(client.transact(&request, Duration::from_secs(2)).is_none());
    siege.add_newcomers(|bed| &bed.carrier);
    siege.wait_for_event("scanner", attacker);
    siege.assert_shunned();
    assert_eq!(siege.arrived(attacker), 0);
    siege.end();
}

#[test]
fn a_shun_is_explained() {
    let Some(siege) = Siege::begin(Family::V4, Pbx::Kamailio, &usual(), &[]) else { return };
    let bed = &siege.scene.bed;
    let attacker = siege.attacker();
    let mut client = Client::dial(&bed.attacker, attacker, bed.pbx.sip(Family::V4), Transport::Udp).unwrap();
    let mut request = client.request("OPTIONS", "100");
    request.user_agent = "friendly-scanner".to_owned();
    assert!(client.transact(&request, Duration::from_secs(1)).is_none());
    siege.assert_shunned();
    let outcome = siege.scene.agent.call(&["explain", &attacker.to_string(), "--json"]).unwrap();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("shun"), "{outcome:?}");
    assert!(outcome.stdout.contains("\"service\":\"drop\""), "{outcome:?}");
}
