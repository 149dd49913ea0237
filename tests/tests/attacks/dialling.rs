//! SIPp dials one number under many prefixes, without credentials, to find a way out.

use sip_fw_e2e::peers::{Sipp, SippEnd};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Family, over_both_families};

use super::siege::{Pbx, Siege, usual};

const NUMBER: &str = "442039967796";
const PREFIXES: [&str; 16] =
    ["00", "011", "900", "9011", "850", "0", "9", "00011", "8011", "7", "99", "90011", "810", "1", "2", "3"];

over_both_families!(
    a_dial_scan_over_udp_at_kamailio_is_shunned,
    a_dial_scan_over_udp_at_asterisk_is_shunned,
    a_dial_scan_over_tcp_at_kamailio_is_banned,
    a_dial_scan_over_tcp_at_asterisk_is_banned,
);

fn a_dial_scan_over_udp_at_kamailio_is_shunned(family: Family) {
    shunned(family, Pbx::Kamailio);
}

fn a_dial_scan_over_udp_at_asterisk_is_shunned(family: Family) {
    shunned(family, Pbx::Asterisk);
}

fn a_dial_scan_over_tcp_at_kamailio_is_banned(family: Family) {
    banned(family, Pbx::Kamailio);
}

fn a_dial_scan_over_tcp_at_asterisk_is_banned(family: Family) {
    banned(family, Pbx::Asterisk);
}

fn shunned(family: Family, pbx: Pbx) {
    let Some(siege) = scan(family, pbx, Transport::Udp) else { return };
    siege.assert_shunned();
    assert!(siege.counter("shunned") > 0);
    siege.end();
}

fn banned(family: Family, pbx: Pbx) {
    let Some(siege) = scan(family, pbx, Transport::Tcp) else { return };
    let reason = siege.assert_banned();
    assert!(reason.contains("dialled under 5 prefixes"), "{reason}");
    assert!(siege.events("shun", siege.attacker()).is_empty());
    siege.end();
}

fn scan(family: Family, pbx: Pbx, transport: Transport) -> Option<Siege> {
    let mut siege = Siege::begin(family, pbx, &usual(), &[])?;
    let numbers = PREFIXES.map(|prefix| format!("{prefix}{NUMBER}"));
    let attacker = siege.attacker();
    let (host, to) = (&siege.scene.bed.attacker, siege.scene.bed.pbx.sip(family));
    let scenario = include_str!("../../data/sipp/dial.xml");
    let sipp = Sipp::play(host, attacker, to, transport, scenario, &numbers, (16, 5)).unwrap();
    siege.add_newcomers(|bed| &bed.carrier);
    assert_ne!(sipp.wait().unwrap(), SippEnd::AllPassed);
    let reason = siege.wait_for_event("dial-scan", attacker);
    assert!(reason.starts_with("…9967796 dialled under 5 prefixes: "), "{reason}");
    // User space decides: an INVITE may be under way until it did.
    let answered = siege.answered(attacker);
    assert!((5..=6).contains(&answered), "{answered}");
    Some(siege)
}
