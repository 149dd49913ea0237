//! Values the tests start from. Both clocks begin together, so seconds are seconds on both.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::sync::Arc;

use sip_fw_common::abi::{Ban, BanOrigin, Event, EventKind, Evidence, Method, Settings, Source};
use sip_fw_core::controller::{Controller, Rules};
use sip_fw_core::text::pack;
use sip_fw_core::time::{Time, Timestamp};

pub const SECOND_NS: u64 = 1_000_000_000;
pub const MINUTE_NS: u64 = 60 * SECOND_NS;

pub fn rules() -> Rules {
    let settings = Settings {
        window_ns: 10 * MINUTE_NS,
        decay_ns: 1000 * MINUTE_NS,
        ladder_ns: [MINUTE_NS, 10 * MINUTE_NS, 60 * MINUTE_NS, 0, 0, 0, 0, 0],
        ipv6_mask: u64::MAX,
        threshold: 5,
        ladder_steps: 3,
        known_peer_ns: 0,
        observe: 0,
        scope_host: 0,
    };
    Rules { settings, services: vec!["sip".to_owned()], access: Arc::from(["office".to_owned()]), bans_max: 65_536 }
}

pub fn controller() -> Controller {
    Controller::new(rules())
}

pub fn at(seconds: u64) -> Time {
    Time { kernel_ns: seconds * SECOND_NS, wall: Timestamp { unix_ms: seconds as i64 * 1000 } }
}

pub fn event(kind: EventKind, source: Source, seconds: u64) -> Event {
    Event {
        time_ns: seconds * SECOND_NS,
        source,
        until_ns: 0,
        strikes: 3,
        status: 401,
        kind: kind as u8,
        method: Method::Register as u8,
        evidence: Evidence::Proven as u8,
        service: 0,
        level: 0,
        tcp: 0,
        observed: 0,
        known: 0,
        _pad: [0; 2],
        user: pack("1000"),
        user_agent: pack("friendly-scanner"),
    }
}

pub fn active_ban(since: u64, until: u64) -> Ban {
    Ban {
        strikes: 5,
        level: 1,
        user: pack("1000"),
        user_agent: pack("friendly-scanner"),
        ..Ban::new(BanOrigin::Failures, since * SECOND_NS, until * SECOND_NS)
    }
}
