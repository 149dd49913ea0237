//! Hand-made records in, figures out.

use super::*;

/// 2026-11-22T00:00:00Z, a Sunday.
const MIDNIGHT_MS: i64 = 1_795_305_600_000;
const HOUR_MS: i64 = 3_600_000;

pub(super) fn at(hours: i64) -> Timestamp {
    Timestamp { unix_ms: MIDNIGHT_MS + hours * HOUR_MS }
}

pub(super) fn record(hours: i64, event: EventName, source: &str, user: &str) -> Record {
    Record { source: Some(source.to_owned()), user: Some(user.to_owned()), ..Record::new(at(hours), event) }
}

pub(super) fn digest(records: impl IntoIterator<Item = Record>, hours: i64) -> ReportView {
    let mut digest = Digest::new(TimeZone::UTC, None);
    records.into_iter().for_each(|record| digest.add(&record));
    digest.finish(at(0), at(hours))
}

pub(super) fn ban(hours: i64, source: &str, level: u8) -> Record {
    Record { level: Some(level), ..record(hours, EventName::Ban, source, "1000").because("5 auth failures within 10m") }
}

#[test]
fn attacks_by_day_kind_source_and_user() {
    let mut records: Vec<_> = (0..5).map(|_| record(1, EventName::AuthFailure, "203.0.113.9", "1000")).collect();
    records.push(ban(1, "203.0.113.9", 1));
    records.push(record(30, EventName::Enumeration, "198.51.100.7", "100"));
    records.push(record(30, EventName::AuthFailure, "203.0.113.9", "admin"));
    records.push(record(30, EventName::Shun, "198.51.100.7", "100"));
    records.push(Record::new(at(31), EventName::AgentStarted));
    let view = digest(records, 72);
    assert_eq!((view.events, view.attacks, view.shuns), (10, 7, 1));
    assert_eq!(view.kinds, BTreeMap::from([("auth-failure".to_owned(), 6), ("enumeration".to_owned(), 1)]));
    let days: Vec<_> = view.days.iter().map(|day| (day.day.as_str(), day.attacks(), day.bans, day.shuns)).collect();
    assert_eq!(
        days,
        [("2026-11-22", 5, 1, 0), ("2026-11-23", 2, 0, 1), ("2026-11-24", 0, 0, 0), ("2026-11-25", 0, 0, 0)]
    );
    let sources: Vec<_> = view.sources.iter().map(|it| (it.source.as_str(), it.attacks, it.bans, it.last)).collect();
    assert_eq!(sources, [("203.0.113.9", 6, 1, at(30)), ("198.51.100.7", 1, 0, at(30))]);
    let users: Vec<_> = view.users.iter().map(|it| (it.user.as_str(), it.attacks)).collect();
    assert_eq!(users, [("1000", 5), ("100", 1), ("admin", 1)]);
    assert_eq!((view.hours[1].attacks, view.hours[6].attacks), (5, 2));
    assert_eq!((view.first_event, view.countries), (Some(at(1)), None));
}

#[test]
fn failures_that_were_not_told_one_by_one_are_counted() {
    let mut told = record(1, EventName::AuthFailure, "203.0.113.9", "1000");
    told.reason = Some("answered 401, unproven and 12 more unproven failures".to_owned());
    let rest = Record::new(at(1), EventName::AuthFailure).because("30 more proven failures");
    let view = digest([told, rest], 2);
    assert_eq!((view.attacks, view.not_told), (43, 42));
    assert_eq!(view.sources[0].attacks, 1);
}

#[test]
fn bans_by_step_and_network() {
    let operator = record(5, EventName::Ban, "192.0.2.0/23", "").because("by operator: because");
    let view = digest(
        [
            ban(1, "203.0.113.9", 1),
            ban(2, "203.0.113.9", 2),
            ban(3, "203.0.113.200", 1),
            ban(4, "2001:db8:7:1::/64", 1),
            ban(4, "2001:db8:7:2::/64", 1),
            ban(4, "2001:db8:7:3::/64", 1),
            operator,
        ],
        24,
    );
    let expected = BansFigures {
        total: 7,
        by_level: BTreeMap::from([(0, 1), (1, 5), (2, 1)]),
        by_operator: 1,
        sources: 6,
        came_back: 1,
    };
    assert_eq!(view.bans, expected);
    let networks: Vec<_> = view.networks.iter().map(|it| (it.network.as_str(), it.sources, it.bans)).collect();
    assert_eq!(networks, [("2001:db8:7::/48", 3, 3), ("203.0.113.0/24", 2, 3), ("192.0.2.0/23", 1, 1)]);
}

#[test]
fn countries_only_with_a_database() {
    let country_of = |address: IpAddr| address.is_ipv4().then(|| "KP".to_owned());
    let mut digest = Digest::new(TimeZone::UTC, Some(Box::new(country_of)));
    digest.add(&record(1, EventName::AuthFailure, "203.0.113.9", "1000"));
    digest.add(&ban(1, "203.0.113.9", 1));
    digest.add(&record(1, EventName::Scanner, "2001:db8::/64", "1000"));
    let view = digest.finish(at(0), at(24));
    let country = |code: &str, attacks, bans| CountryView { country: code.to_owned(), attacks, bans };
    assert_eq!(view.countries, Some(vec![country("KP", 1, 1), country("unknown", 1, 0)]));
    assert_eq!(view.sources[0].country, None, "2001:db8::/64 is in no country");
    assert_eq!(view.sources[1].country.as_deref(), Some("KP"));
}

#[test]
fn devices_at_fault() {
    let fault = |hours, user| record(hours, EventName::DeviceFault, "192.0.2.7", user).because("9 failures");
    let view = digest([fault(1, "2000"), fault(2, "2000"), fault(2, "2001")], 24);
    let devices: Vec<_> = view.devices.iter().map(|it| (it.user.as_deref(), it.reports, it.last)).collect();
    assert_eq!(devices, [(Some("2000"), 2, at(2)), (Some("2001"), 1, at(2))]);
    assert_eq!(view.attacks, 0, "a device at fault is no attacker");
}

#[test]
fn hours_are_those_of_the_time_zone_and_need_two_days() {
    let records: Vec<_> = (0..12).map(|_| record(1, EventName::AuthFailure, "203.0.113.9", "1000")).collect();
    let zone = TimeZone::fixed(jiff::tz::offset(3));
    let mut digest = Digest::new(zone, None);
    records.iter().for_each(|record| digest.add(record));
    let view = digest.finish(at(0), at(72));
    assert_eq!((view.hours[4].attacks, view.unusual.hours.as_slice()), (12, &[4][..]));
    let short = tests::digest(records, 48);
    assert_eq!((short.unusual.judged, short.unusual.hours.len()), (false, 0), "47 hours after the first event");
}

#[test]
fn what_attackers_send_cannot_grow_it() {
    let mut digest = Digest::new(TimeZone::UTC, None);
    for n in 0..100_000_u32 {
        let source = std::net::Ipv4Addr::from_bits(n).to_string();
        digest.add(&record(i64::from(n % 20_000), EventName::AuthFailure, &source, &source));
        digest.add(&ban(1, &source, 1));
        digest.add(&record(1, EventName::DeviceFault, &source, &source));
        digest.add(&record(1, EventName::AuthSuccess, &source, &source));
    }
    assert_eq!(
        (digest.sources.len(), digest.users.len(), digest.devices.len()),
        (COUNTED_MAX, COUNTED_MAX, COUNTED_MAX)
    );
    assert_eq!((digest.banned.len(), digest.days.len()), (BANNED_MAX, DAYS_MAX));
    let view = digest.finish(at(0), at(20_000));
    assert_eq!((view.attacks, view.sources.len(), view.days.len()), (100_000, LISTED_MAX, DAYS_MAX));
    assert!(view.sources[0].uncertain > 0);
}
