//! hping3 sends SIP in the name of thousands of random sources, of the office and of the carrier: nobody is banned for it.
//! hping3 speaks no IPv6; there the crate's own spoofer does the same.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use sip_fw_e2e::actors::{Client, Spoofer};
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::process::Process;
use sip_fw_e2e::sip::{Challenge, Request, Transport, token};
use sip_fw_e2e::wire::Seen;
use sip_fw_e2e::{Bed, Family, Policy, SIP_PORT};

use super::siege::{Pbx, Siege, usual};

/// The port that forged packets come from; no phone uses it.
const FORGED_PORT: u16 = 5077;

/// Forged packets of each kind, each of a source of its own.
const RANDOM: u16 = 2000;

/// Forged packets in the name of the office, and of the carrier: of each kind so many messages, each sent so often. All of
/// them together are within the burst of a known peer.
const MESSAGES: usize = 10;
const REPETITIONS: u16 = 12;

const PATIENCE: Duration = Duration::from_secs(3);

#[test]
fn hping3_against_kamailio() {
    hping3(Pbx::Kamailio);
}

#[test]
fn hping3_against_asterisk() {
    hping3(Pbx::Asterisk);
}

#[test]
fn a_spoofer_over_ipv6_against_kamailio() {
    let Some(mut siege) = begin(Family::V6, Pbx::Kamailio, &[]) else { return };
    let bed = &siege.scene.bed;
    let mut spoofer = Spoofer::new(&bed.spoofer, &bed.pbx).unwrap();
    let mut send =
        |source: IpAddr, payload: &[u8]| spoofer.send(SocketAddr::new(source, FORGED_PORT), payload).unwrap();
    for payload in payloads(bed, Family::V6, 1) {
        for n in 0..RANDOM {
            send(Family::V6.world(n), &payload);
        }
    }
    for payload in payloads(bed, Family::V6, MESSAGES) {
        for source in [bed.office.address(Family::V6), bed.carrier.address(Family::V6)] {
            for _ in 0..REPETITIONS {
                send(source, &payload);
            }
        }
    }
    let sent = spoofer.sent;
    siege.add_newcomers(|bed| &bed.attacker);
    end(siege, sent);
}

fn hping3(pbx: Pbx) {
    let Some(mut siege) = begin(Family::V4, pbx, &["hping3"]) else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let bed = &siege.scene.bed;
    let mut sent = 0;
    let mut start = |payload: &[u8], source: Option<IpAddr>, count: u16| {
        let file = folder.path().join(token());
        std::fs::write(&file, payload).unwrap();
        let mut command = Command::new("hping3");
        command.args(["--udp", "--quiet", "-p", &SIP_PORT.to_string(), "-s", &FORGED_PORT.to_string(), "--keep"]);
        command.args(["-I", bed.spoofer.interface(), "-i", "u500", "-c", &count.to_string()]);
        command.args(["--data", &payload.len().to_string(), "--file"]).arg(&file);
        match source {
            Some(source) => command.args(["--spoof", &source.to_string()]),
            None => command.arg("--rand-source"),
        };
        command.arg(bed.pbx.address(Family::V4).to_string());
        sent += u64::from(count);
        bed.spoofer.spawn(command).unwrap()
    };
    let random: Vec<_> = payloads(bed, Family::V4, 1).iter().map(|payload| start(payload, None, RANDOM)).collect();
    wait_for_all(random);
    for source in [bed.office.address(Family::V4), bed.carrier.address(Family::V4)] {
        let named = payloads(bed, Family::V4, MESSAGES);
        wait_for_all(named.iter().map(|payload| start(payload, Some(source), REPETITIONS)).collect());
    }
    siege.add_newcomers(|bed| &bed.attacker);
    end(siege, sent);
}

fn wait_for_all(processes: Vec<Process>) {
    for mut process in processes {
        // It says that nobody answered it.
        process.wait(10 * PATIENCE).unwrap();
    }
}

/// The carrier is trusted; whatever the PBX answers to forged senders leaves through its interface and ends at the carrier.
fn begin(family: Family, pbx: Pbx, tools: &[&str]) -> Option<Siege> {
    let carrier = family.address(4, 1);
    let trust = format!("[[access]]\nname = \"carrier\"\nfrom = \"{carrier}\"\naction = \"trust\"\n");
    let siege = Siege::begin(family, pbx, &Policy { extra: trust, ..usual() }, tools)?;
    let host = &siege.scene.bed.pbx;
    assert_eq!(siege.scene.bed.carrier.address(family), carrier);
    let route = format!("route add default via {carrier} dev {} onlink\n", host.interface());
    host.namespace().ip_batch(&route).unwrap();
    assert_carrier_is_answered(&siege);
    Some(siege)
}

fn end(siege: Siege, sent: u64) {
    siege.scene.cable.wait("all forged packets on the cable", |seen| forged(seen) >= sent).unwrap();
    siege.wait_for_phones();
    assert_carrier_is_answered(&siege);
    let dropped = ["scanner", "shunned", "flood"].map(|reason| (reason, siege.counter(reason)));
    eprintln!("{sent} forged, {} arrived, dropped: {dropped:?}", forged(&siege.scene.inside.seen().unwrap()));
    siege.scene.assert_nobody_banned();
    let events = siege.scene.agent.events();
    assert_eq!(events.iter().find(|event| event["event"] == "ban"), None);
    let carrier = source_name(siege.scene.bed.carrier.address(siege.family));
    assert_eq!(events.iter().find(|event| event["event"] == "shun" && event["source"] == carrier.as_str()), None);
    siege.end_but_for(|message| message.source.port() == FORGED_PORT);
}

fn assert_carrier_is_answered(siege: &Siege) {
    let bed = &siege.scene.bed;
    let (host, family) = (&bed.carrier, siege.family);
    let mut client = Client::dial(host, host.address(family), bed.pbx.sip(family), Transport::Udp).unwrap();
    let request = client.request("OPTIONS", "1001");
    assert!(client.transact(&request, PATIENCE).is_some());
}

fn forged(seen: &[Seen]) -> u64 {
    seen.iter().filter(|it| it.source.port() == FORGED_PORT && it.status.is_none()).count() as u64
}

/// So many of each kind: a scanner's OPTIONS, passwords guessed on a nonce of nobody, a dial scan.
fn payloads(bed: &Bed, family: Family, each: usize) -> Vec<Vec<u8>> {
    let pbx = bed.pbx.sip(family);
    let from = SocketAddr::new(bed.spoofer.address(family), FORGED_PORT);
    let request = |method, user| Request::new(method, user, from, pbx, Transport::Udp);
    let message = |number: usize| {
        let mut scan = request("OPTIONS", "100");
        scan.user_agent = "friendly-scanner".to_owned();
        let challenge =
            Challenge { realm: "pbx.test".into(), nonce: token(), opaque: None, qop: true, stale: false, proxy: false };
        let mut guess = request("REGISTER", "1000");
        guess.extra = vec![challenge.answer("1000", &token(), "REGISTER", &guess.uri)];
        let mut call = request("INVITE", "1001");
        call.uri = format!("sip:{number}00442039967796@{}", sip_fw_e2e::family::uri_host(pbx.ip()));
        [scan.bytes(), guess.bytes(), call.bytes()]
    };
    (0..each).flat_map(message).collect()
}
