//! A day of capture.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;

use crate::run::replay;
use sip_fw_e2e::pcap::write;

const MESSAGES: u64 = if cfg!(debug_assertions) { 40_000 } else { 1_000_000 };
const LIMIT: Duration = Duration::from_secs(60);

/// One registration: request, challenge, attempt, success.
fn exchange(number: u64) -> [Vec<u8>; 4] {
    let [_, a, b, c] = (0x0a40_0000 + number as u32 % 50_000).to_be_bytes();
    let frame = |arriving: bool, payload: &str| {
        let (peer, pbx) = ([10, a, b, c], [192, 0, 2, 10]);
        let (from, to) = if arriving { (peer, pbx) } else { (pbx, peer) };
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).udp(5060, 5060);
        builder.write(&mut frame, payload.as_bytes()).unwrap();
        frame
    };
    let lines = |turn: u8| {
        format!(
            "Via: SIP/2.0/UDP phone;branch=z9hG4bK{number}-{turn}\r\nFrom: <sip:{b}@pbx>;tag=a\r\nTo: <sip:{b}@pbx>\r\n\
             Call-ID: {number}\r\nCSeq: {turn} REGISTER\r\n"
        )
    };
    let ask = |turn, more: &str| {
        let text =
            format!("REGISTER sip:pbx SIP/2.0\r\n{}User-Agent: phone\r\n{more}Content-Length: 0\r\n\r\n", lines(turn));
        frame(true, &text)
    };
    let answer = |turn, line: &str, more: &str| {
        frame(false, &format!("SIP/2.0 {line}\r\n{}{more}Content-Length: 0\r\n\r\n", lines(turn)))
    };
    let digest = format!("Digest realm=\"pbx\", nonce=\"n{number:x}\"");
    [
        ask(1, ""),
        answer(1, "401 Unauthorized", &format!("WWW-Authenticate: {digest}\r\n")),
        ask(2, &format!("Authorization: {digest}, username=\"{b}\", uri=\"sip:pbx\", response=\"{number:032x}\"\r\n")),
        answer(2, "200 OK", ""),
    ]
}

#[test]
fn a_million_messages_in_under_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.pcap");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    file.write_all(&write(1, false, &[])).unwrap();
    let step_ns = 86_400_000_000_000 / MESSAGES;
    for number in 0..MESSAGES / 4 {
        let packets: Vec<_> = exchange(number)
            .into_iter()
            .zip(0..)
            .map(|(frame, turn)| (1_700_000_000_000_000_000 + (4 * number + turn) * step_ns, frame))
            .collect();
        file.write_all(&write(1, false, &packets)[24..]).unwrap();
    }
    file.into_inner().unwrap();
    let began = Instant::now();
    let Some(outcome) = replay(&path, &["192.0.2.10"], &[]) else { return };
    let took = began.elapsed();
    println!("{MESSAGES} messages in {took:?}: {:.0} messages/s", MESSAGES as f64 / took.as_secs_f64());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let summary = outcome.summary();
    for (key, expected) in
        [("messages", MESSAGES), ("attempts", MESSAGES / 4), ("successes", MESSAGES / 4), ("challenges", MESSAGES / 4)]
    {
        assert_eq!(summary[key], expected, "{key} in {summary}");
    }
    assert_eq!(outcome.stderr, "", "no progress bar where there is no terminal");
    assert!(took < LIMIT, "{took:?}");
}
