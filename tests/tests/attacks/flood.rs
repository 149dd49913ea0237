//! SIPp sends thousands of messages per second from one source: the PBX sees no more than one source may send. Over TCP a
//! packet may hold several messages, and packets are counted.

use sip_fw_e2e::peers::Sipp;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wire::Direction;
use sip_fw_e2e::{Family, over_both_families};

use super::siege::{Pbx, Siege, usual};

const PER_SECOND: u32 = 2000;
const MESSAGES: u32 = 3 * PER_SECOND;

/// Defaults of a service: at once, and per second.
const BURST: f64 = 100.0;
const RATE: f64 = 20.0;

over_both_families!(options_over_udp, options_over_tcp, registers_over_udp);

fn options_over_udp(family: Family) {
    let Some(siege) = flood(family, Pbx::Kamailio, Transport::Udp, include_str!("../../data/sipp/flood_options.xml"))
    else {
        return;
    };
    let attacker = siege.attacker();
    let (sent, arrived) = (siege.scene.sent_by(attacker), siege.arrived(attacker));
    assert_eq!(sent, u64::from(MESSAGES));
    assert_eq!(siege.counter("flood"), sent - arrived);
    siege.wait_for_event("flood", attacker);
    assert_eq!(siege.events("flood", attacker).len(), 1);
    assert!(siege.events("shun", attacker).is_empty(), "OPTIONS of the PBX itself are no enumeration");
    siege.end();
}

/// A segment that was dropped is repeated, ever more seldom, and with more messages in it.
fn options_over_tcp(family: Family) {
    let Some(siege) = flood(family, Pbx::Kamailio, Transport::Tcp, include_str!("../../data/sipp/flood_options.xml"))
    else {
        return;
    };
    siege.wait_for_event("flood", siege.attacker());
    assert!(siege.counter("flood") > 0);
    let arrived = siege.arrived(siege.attacker());
    assert!(arrived < u64::from(MESSAGES) / 4, "{arrived}");
    siege.end();
}

/// Nobody follows up the challenges, so that it is an enumeration, too: at the hundredth, just before the first of the excess
/// or just after it.
fn registers_over_udp(family: Family) {
    let Some(siege) = flood(family, Pbx::Asterisk, Transport::Udp, include_str!("../../data/sipp/flood_register.xml"))
    else {
        return;
    };
    let attacker = siege.attacker();
    let (sent, arrived) = (siege.scene.sent_by(attacker), siege.arrived(attacker));
    assert_eq!(sent, u64::from(MESSAGES));
    let (flood, shunned) = (siege.counter("flood"), siege.counter("shunned"));
    assert_eq!(flood + shunned, sent - arrived, "{flood} flood, {shunned} shunned");
    siege.wait_for_event("enumeration", attacker);
    siege.assert_shunned();
    siege.end();
}

fn flood(family: Family, pbx: Pbx, transport: Transport, scenario: &str) -> Option<Siege> {
    let mut siege = Siege::begin(family, pbx, &usual(), &[])?;
    let attacker = siege.attacker();
    let (host, to) = (&siege.scene.bed.attacker, siege.scene.bed.pbx.sip(family));
    let sipp = Sipp::play(host, attacker, to, transport, scenario, &[], (MESSAGES, PER_SECOND)).unwrap();
    siege.add_newcomers(|bed| &bed.carrier);
    // Over TCP it hangs in its connection, and ends at its time limit.
    sipp.wait().unwrap();
    siege.scene.assert_nobody_banned();
    if transport == Transport::Udp {
        assert_within_rate(&siege);
    }
    Some(siege)
}

/// No more messages of the attacker reached the PBX than one source may send.
fn assert_within_rate(siege: &Siege) {
    let attacker = siege.attacker();
    let seen = siege.scene.cable.seen().unwrap();
    let times =
        || seen.iter().filter(|it| it.direction == Direction::Out && it.source.ip() == attacker).map(|it| it.time);
    let seconds = times().max().unwrap().duration_since(times().min().unwrap()).unwrap().as_secs_f64();
    let arrived = siege.arrived(attacker);
    eprintln!("{} sent within {seconds:.1} s, {arrived} arrived", siege.scene.sent_by(attacker));
    // Two processors that pay at once may let one more pass.
    assert!(arrived as f64 <= BURST + RATE * seconds + 2.0, "{arrived} within {seconds} s");
}
