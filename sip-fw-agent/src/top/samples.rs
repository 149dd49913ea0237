//! A picture for the tests.

use serde_json::json;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::Timestamp;

use super::picture::{News, Picture};
use crate::control::view::StatusView;

/// The time of the picture: ten minutes past midnight.
pub const NOW: Timestamp = Timestamp { unix_ms: 600_000 };

/// A status with counters as they were at the time of the picture.
pub fn status() -> StatusView {
    status_with(40, 812)
}

fn status_with(failures: u64, banned: u64) -> StatusView {
    serde_json::from_value(json!({
        "schema": 1,
        "agent": {"running": true, "pid": 7, "uptime_seconds": 3700, "version": "0.1.0", "events_lost": 0, "mode": "enforce"},
        "attachments": [{"interface": "eth0", "ingress": "native", "egress": "tcx"}],
        "services": [
            {"name": "sip", "kind": "sip", "listen": ["udp/5060", "tcp/5060"]},
            {"name": "web", "kind": "opaque", "listen": ["tcp/443"]}
        ],
        "rules": {"threshold": 5, "window_seconds": 600, "ladder_seconds": [60, 600], "scope": "services"},
        "bans_active": 3, "bans_by_level": {"0": 1, "2": 2}, "sources": 41,
        "counters": {
            "failure-proven": {"packets": failures, "bytes": 0}, "banned": {"packets": banned, "bytes": 0}
        },
        "per_cpu": {}
    }))
    .unwrap()
}

/// A picture in which something happens.
pub fn picture() -> Picture {
    let mut picture = Picture::default();
    let mut tell = |news, ms_ago| assert!(picture.take(news, Timestamp { unix_ms: NOW.unix_ms - ms_ago }).is_none());
    for (second, (failures, banned)) in [(0, 0), (10, 0), (40, 12), (40, 412), (40, 812)].into_iter().enumerate() {
        tell(News::Status(Box::new(status_with(failures, banned))), 4000 - 1000 * second as i64);
    }
    let zero = json!({"requests": 0, "attempts": 0, "failures_proven": 0, "failures_unproven": 0, "successes": 0,
        "challenges": 0, "stale": 0, "drops": 0, "first_seen": "1970-01-01T00:00:00.000Z", "state": "ok", "strikes": 0});
    let source = |with: serde_json::Value| {
        let mut source = zero.clone();
        source.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        source
    };
    let sources = json!({"schema": 1, "sources": [
        source(json!({"source": "203.0.113.9", "state": "banned", "failures_proven": 40, "drops": 812,
            "last_seen": "1970-01-01T00:09:50.000Z", "level": 2, "until": "1970-01-01T00:19:00.000Z",
            "reason": "5 auth failures", "users": ["1000", "1001"], "users_cut": true, "user_agent": "friendly-scanner"})),
        source(json!({"source": "2001:db8:7:1::/64", "state": "shunned", "last_seen": "1970-01-01T00:09:00.000Z",
            "drops": 3, "until": "1970-01-01T00:10:20.000Z", "reason": "one number under 5 prefixes"})),
        source(json!({"source": "198.51.100.7", "failures_unproven": 1, "successes": 9,
            "last_seen": "1970-01-01T00:09:59.000Z", "users": ["2000"]})),
    ]});
    tell(News::Sources(serde_json::from_value(sources).unwrap()), 0);
    let bans = json!({"schema": 1, "bans": [
        {"source": "203.0.113.0/24", "state": "active", "level": 0, "origin": "operator", "evidence": null,
         "since": "1970-01-01T00:05:00.000Z", "until": null, "strikes": 0, "packets": 0, "bytes": 0, "user": null,
         "user_agent": null, "service": null},
        {"source": "203.0.113.9", "state": "active", "level": 2, "origin": "auth-failures", "evidence": "proven",
         "since": "1970-01-01T00:04:00.000Z", "until": "1970-01-01T00:19:00.000Z", "strikes": 5, "packets": 812,
         "bytes": 0, "user": "1000", "user_agent": "friendly-scanner", "service": "sip"}
    ], "shuns": [
        {"source": "2001:db8:7:1::/64", "since": "1970-01-01T00:09:20.000Z", "until": "1970-01-01T00:10:20.000Z",
         "packets": 3, "bytes": 0}
    ]});
    tell(News::Bans(serde_json::from_value(bans).unwrap()), 0);
    let mut ban = Record::new(Timestamp { unix_ms: 540_000 }, EventName::Ban).because("5 auth failures within 10m");
    ban.source = Some("203.0.113.9".to_owned());
    tell(News::Record(Box::new(Record::new(Timestamp { unix_ms: 1000 }, EventName::AgentStarted))), 0);
    tell(News::Record(Box::new(ban)), 0);
    picture
}
