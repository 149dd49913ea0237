//! The figures of a report in a few sentences.

use std::time::Duration;

use sip_fw_core::duration::Short;

use super::view::{ReportView, SignInView};

/// Names that a sentence lists.
const NAMED_MAX: usize = 3;

/// The sentences, the most important first.
#[must_use]
pub fn sentences(report: &ReportView) -> Vec<String> {
    let mut sentences = vec![attacks(report)];
    sentences.extend(bans(report));
    sentences.extend(busiest_day(report));
    sentences.extend(tried(report));
    sentences.extend(devices(report));
    sentences.extend(hours(report));
    sentences.extend(report.unusual.sign_ins.first().map(|first| sign_ins(first, report.unusual.sign_ins.len())));
    sentences.extend(caveats(report));
    sentences
}

/// The time that is reported, such as `7d`.
#[must_use]
pub fn period(report: &ReportView) -> String {
    let ms = report.until.unix_ms.saturating_sub(report.since.unix_ms);
    Short(Duration::from_millis(u64::try_from(ms).unwrap_or(0))).to_string()
}

/// `1 ban`, `2 bans`.
#[must_use]
pub fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// Hours of the day as people write them: `03:00, 04:00`.
#[must_use]
pub fn clock(hours: &[u8]) -> String {
    hours.iter().map(|hour| format!("{hour:02}:00")).collect::<Vec<_>>().join(", ")
}

fn attacks(report: &ReportView) -> String {
    let period = period(report);
    if report.attacks == 0 {
        return format!("No attack within {period}.");
    }
    let kind = report.kinds.iter().max_by_key(|(_, count)| **count);
    let mostly = kind
        .filter(|_| report.kinds.len() > 1)
        .map_or_else(String::new, |(kind, count)| format!(", most of them {kind} ({count})"));
    let (attacks, sources) = (counted(report.attacks, "attack"), counted(report.sources_seen as u64, "source"));
    format!("{attacks} by {sources} within {period}{mostly}.")
}

fn bans(report: &ReportView) -> Option<String> {
    let bans = &report.bans;
    if bans.total == 0 {
        return (report.shuns > 0)
            .then(|| format!("Nobody was banned; {} for a while.", counted(report.shuns, "shun")));
    }
    let back = match bans.came_back {
        0 => String::new(),
        back => format!("; {back} of them came back"),
    };
    let network = report.networks.first().filter(|network| network.sources > 1);
    let network = network.map_or_else(String::new, |network| {
        format!(". Most are in {} ({})", network.network, counted(network.sources as u64, "banned source"))
    });
    Some(format!("{} of {}{back}{network}.", counted(bans.total, "ban"), counted(bans.sources as u64, "source")))
}

fn busiest_day(report: &ReportView) -> Option<String> {
    let day = report.days.iter().max_by_key(|day| day.attacks())?;
    let alone = report.days.len() < 2 || day.attacks() == 0;
    (!alone).then(|| format!("The busiest day was {} with {}.", day.day, counted(day.attacks(), "attack")))
}

fn tried(report: &ReportView) -> Option<String> {
    let named = report.users.iter().take(NAMED_MAX).map(|user| format!("{:?} ({})", user.user, user.attacks));
    let named: Vec<_> = named.collect();
    let users = counted(report.users_seen as u64, "user name");
    (!named.is_empty()).then(|| format!("{users} tried, most often {}.", named.join(", ")))
}

fn devices(report: &ReportView) -> Option<String> {
    let first = report.devices.first()?;
    let user = first.user.as_ref().map_or_else(String::new, |user| format!("{user:?} at "));
    let more = match report.devices.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("Devices fail steadily and need their password set: {user}{}{more}.", first.source))
}

fn hours(report: &ReportView) -> Option<String> {
    let unusual = &report.unusual;
    let hours = clock(&unusual.hours);
    (!unusual.hours.is_empty()).then(|| format!("Attacks gather at {hours} ({}).", report.time_zone))
}

fn sign_ins(first: &SignInView, count: usize) -> String {
    let SignInView { user, source, hour, .. } = first;
    let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
    format!("Signed in far from the usual hours: {user:?} from {source} at {hour:02}h{more}.")
}

fn caveats(report: &ReportView) -> Vec<String> {
    let mut caveats = Vec::new();
    if report.not_told > 0 {
        let not_told = counted(report.not_told, "failure");
        caveats
            .push(format!("{not_told} came too fast to be told one by one: their sources and users are not listed."));
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, ban, digest, record};
    use super::*;
    use sip_fw_core::record::{EventName, Record};

    #[test]
    fn a_quiet_week() {
        assert_eq!(sentences(&digest([], 7 * 24)), ["No attack within 7d."]);
    }

    #[test]
    fn everything_that_can_be_said() {
        let mut records: Vec<_> = (0..20).map(|_| record(3, EventName::AuthFailure, "203.0.113.9", "1000")).collect();
        records.push(record(30, EventName::Enumeration, "203.0.113.10", "100"));
        records.extend([ban(3, "203.0.113.9", 1), ban(4, "203.0.113.9", 2), ban(30, "203.0.113.10", 1)]);
        records.push(record(30, EventName::DeviceFault, "192.0.2.7", "2000"));
        records.extend((0..6).map(|day| record(24 * day + 9, EventName::AuthSuccess, "192.0.2.7", "2001")));
        records.push(record(27, EventName::AuthSuccess, "203.0.113.77", "2001"));
        records.push(Record::new(at(40), EventName::AuthFailure).because("30 more proven failures"));
        assert_eq!(
            sentences(&digest(records, 7 * 24)),
            [
                "51 attacks by 2 sources within 7d, most of them auth-failure (50).",
                "3 bans of 2 sources; 1 of them came back. Most are in 203.0.113.0/24 (2 banned sources).",
                "The busiest day was 2026-11-23 with 31 attacks.",
                "2 user names tried, most often \"1000\" (20), \"100\" (1).",
                "Devices fail steadily and need their password set: \"2000\" at 192.0.2.7.",
                "Attacks gather at 03:00, 16:00 (UTC).",
                "Signed in far from the usual hours: \"2001\" from 203.0.113.77 at 03h.",
                "30 failures came too fast to be told one by one: their sources and users are not listed.",
            ]
        );
    }
}
