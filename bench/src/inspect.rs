//! What reading a message costs, friendly and hostile ones, arriving and leaving.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result};
use sip_fw_agent::kernel::BenchRun;

use crate::Report;
use crate::bed::{self, SIP};
use crate::measure::{self, Side};
use crate::message::{challenge, changing_byte, invite, options, register, udp};
use crate::row::{self, Row};

/// Goals: a REGISTER of 500 bytes and a challenge that leaves; RTP that leaves.
const GOAL_NS: f64 = 250.0;
const RTP_GOAL_NS: f64 = 15.0;

const PHONE: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 5060);

/// Measures all cases.
pub fn run() -> Result<Report> {
    let mut rows = arriving(&mut bed::load(0, &[])?)?;
    rows.extend(leaving(&mut bed::load(0, &[])?)?);
    row::report(&rows)
}

fn arriving(run: &mut BenchRun) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let cases: [(&str, Vec<u8>, Option<f64>); 9] = [
        ("keep-alive", b"\r\n\r\n".to_vec(), None),
        ("options", options().into_bytes(), None),
        ("register-500", register(500).into_bytes(), Some(GOAL_NS)),
        ("register-1400", register(1400).into_bytes(), None),
        ("invite-sdp", invite().into_bytes(), None),
        ("hostile: all LF", hostile(b"\n"), None),
        ("hostile: all A", hostile(b"A"), None),
        ("hostile: short lines", hostile(b"a\r\n"), None),
        ("hostile: split headers", hostile(b"v \t: ,;\r\n\t"), None),
    ];
    for (name, message, goal) in cases {
        let frame = udp(PHONE, SIP, true, &message)?;
        run.rotate(&[PHONE.0], changing_byte(&frame).unwrap_or(0))?;
        rows.push(Row::new("inspect", name, &measure::one(run, Side::Ingress, &frame)?, goal));
    }
    Ok(rows)
}

/// A request line, and then as much of a text as a packet holds.
fn hostile(text: &[u8]) -> Vec<u8> {
    let line = b"REGISTER sip:a SIP/2.0\r\n";
    line.iter().chain(text.iter().cycle()).take(1400).copied().collect()
}

fn leaving(run: &mut BenchRun) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    // Whom the challenges answer: a request that was not answered yet, however often.
    run.rotate(&[PHONE.0], 0)?;
    run.time_ingress(&udp(PHONE, SIP, true, options().as_bytes())?, 1)?;
    let asked = run.transactions()?.into_iter().find(|(_, asked)| asked.credentials == 0);
    let (key, asked) = asked.context("no request is remembered")?;
    run.ask_forever(&key, asked)?;
    let cases = [
        ("egress-401", SIP, challenge("OPTIONS").into_bytes(), Some(GOAL_NS)),
        ("egress-rtp", 12_000, vec![0x80; 172], Some(RTP_GOAL_NS)),
    ];
    for (name, port, message, goal) in cases {
        let frame = udp(PHONE, port, false, &message)?;
        rows.push(Row::new("inspect", name, &measure::one(run, Side::Egress, &frame)?, goal));
    }
    Ok(rows)
}
