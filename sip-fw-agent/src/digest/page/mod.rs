//! A report as one page for browsers: no scripts, no fonts, nothing from anywhere else. Everything in it is escaped.

mod plot;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sip_fw_core::record::EventName;
use sip_fw_core::time::Timestamp;

use super::view::{DayView, HourView, ReportView};
use super::words::{clock, counted, period, sentences};
use plot::{Column, columns};

const STYLE: &str = include_str!("style.css");

/// Kinds of attacks in the order in which they are stacked, with their colours.
const KINDS: [(EventName, &str); 7] = [
    (EventName::AuthFailure, "var(--k0)"),
    (EventName::Enumeration, "var(--k1)"),
    (EventName::DialScan, "var(--k2)"),
    (EventName::Scanner, "var(--k3)"),
    (EventName::Flood, "var(--k4)"),
    (EventName::DistributedGuessing, "var(--k5)"),
    (EventName::Denied, "var(--k6)"),
];

/// Renders a report.
#[must_use]
pub fn page(report: &ReportView) -> String {
    let title = format!("sip-fw: the last {}", period(report));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p class="when" {
                    (moment(report.since)) " to " (moment(report.until)) "; days and hours are those of " (report.time_zone)
                }
                div class="summary" { @for sentence in sentences(report) { p { (sentence) } } }
                (tiles(report))
                (days(report))
                (hours(report))
                (unusual(report))
                (sources(report))
                (networks(report))
                (countries(report))
                (users(report))
                (steps(report))
                (devices(report))
            }
        }
    };
    page.into_string()
}

fn tiles(report: &ReportView) -> Markup {
    let tiles = [
        ("attacks", report.attacks),
        ("attackers", report.sources_seen as u64),
        ("bans", report.bans.total),
        ("shuns", report.shuns),
        ("users tried", report.users_seen as u64),
        ("devices at fault", report.devices.len() as u64),
    ];
    html! { div class="tiles" { @for (name, count) in tiles { div class="tile" { b { (count) } (name) } } } }
}

fn days(report: &ReportView) -> Markup {
    let used: Vec<_> = KINDS.into_iter().filter(|(kind, _)| report.kinds.contains_key(kind.name())).collect();
    let of = |day: &DayView, kind: EventName| day.kinds.get(kind.name()).copied().unwrap_or(0);
    let column = |day: &DayView| Column {
        name: day.day.get(5..).unwrap_or_default().to_owned(),
        title: format!("{}: {} attacks, {} bans", day.day, day.attacks(), day.bans),
        parts: used.iter().map(|(kind, colour)| (*colour, of(day, *kind))).collect(),
    };
    let bars: Vec<_> = report.days.iter().map(column).collect();
    html! {
        h2 { "Attacks by day and kind" }
        figure id="days" {
            (columns("attacks by day", &bars))
            ul class="legend" {
                @for (kind, colour) in &used {
                    li { i style={ "background:" (colour) } {} (kind.name()) " " (report.kinds[kind.name()]) }
                }
            }
        }
        details {
            summary { "The same in numbers" }
            div class="scroll" { table {
                tr {
                    th { "day" }
                    @for (kind, _) in &used { th class="number" { (kind.name()) } }
                    th class="number" { "bans" }
                    th class="number" { "shuns" }
                }
                @for day in &report.days {
                    tr {
                        td { (day.day) }
                        @for (kind, _) in &used { td class="number" { (of(day, *kind)) } }
                        td class="number" { (day.bans) }
                        td class="number" { (day.shuns) }
                    }
                }
            } }
        }
    }
}

fn hours(report: &ReportView) -> Markup {
    let bars = |count: fn(&HourView) -> u64, what: &str| {
        let column = |hour: &HourView| {
            let stands_out = what == "attacks" && report.unusual.hours.contains(&hour.hour);
            let colour = if stands_out { "var(--alarm)" } else { "var(--bar)" };
            Column {
                name: format!("{:02}", hour.hour),
                title: format!("{:02}:00: {} {what}", hour.hour, count(hour)),
                parts: vec![(colour, count(hour))],
            }
        };
        report.hours.iter().map(column).collect::<Vec<_>>()
    };
    html! {
        h2 { "Attacks by hour of the day" }
        figure id="hours" { (columns("attacks by hour of the day", &bars(|hour| hour.attacks, "attacks"))) }
        h2 { "Sign-ins by hour of the day" }
        figure id="sign-ins" {
            (columns("sign-ins by hour of the day", &bars(|hour| hour.sign_ins, "sign-ins")))
            figcaption { "The first success of a user from a source since the agent started." }
        }
        details {
            summary { "The same in numbers" }
            div class="scroll" { table {
                tr { th { "hour" } th class="number" { "attacks" } th class="number" { "sign-ins" } }
                @for hour in &report.hours {
                    tr {
                        td { (format!("{:02}:00", hour.hour)) }
                        td class="number" { (hour.attacks) }
                        td class="number" { (hour.sign_ins) }
                    }
                }
            } }
        }
    }
}

fn unusual(report: &ReportView) -> Markup {
    let unusual = &report.unusual;
    html! {
        h2 { "Unusual hours" }
        @if !unusual.judged {
            p class="note" { "Events of less than two days tell nothing about usual hours." }
        } @else if unusual.hours.is_empty() {
            p { "No hour of the day has far more attacks than the others (the middle one: " (unusual.median) ")." }
        } @else {
            p { "Far more attacks than in the other hours (the middle one: " (unusual.median) "): " (clock(&unusual.hours)) "." }
        }
        @if unusual.judged {
            @if unusual.users_judged == 0 {
                p { "No user signed in often enough to have usual hours." }
            } @else if unusual.sign_ins.is_empty() {
                p { "Nobody signed in far from his usual hours, of " (counted(unusual.users_judged as u64, "user")) " that have some." }
            } @else {
                p { "Signed in far from their usual hours:" }
                div class="scroll" { table {
                    tr { th { "user" } th { "from" } th { "when" } th { "usual hours" } }
                    @for it in &unusual.sign_ins {
                        tr {
                            td class="name" { (it.user) }
                            td class="name" { (it.source) }
                            td { (moment(it.time)) }
                            td { (clock(&it.usual_hours)) }
                        }
                    }
                } }
            }
        }
    }
}

fn sources(report: &ReportView) -> Markup {
    let most = report.sources.first().map_or(1, |first| first.attacks);
    let with_country = report.countries.is_some();
    list(
        "Attackers",
        "sources",
        report.sources.is_empty(),
        html! {
            tr {
                th { "source" }
                @if with_country { th { "country" } }
                th class="number" { "attacks" } th {} th class="number" { "bans" } th { "last" }
            }
            @for it in &report.sources {
                tr {
                    td class="name" { (it.source) }
                    @if with_country { td { (it.country.as_deref().unwrap_or("-")) } }
                    td class="number" { (at_most(it.attacks, it.uncertain)) }
                    (share(it.attacks, most))
                    td class="number" { (it.bans) }
                    td { (moment(it.last)) }
                }
            }
        },
    )
}

fn networks(report: &ReportView) -> Markup {
    let most = report.networks.first().map_or(1, |first| first.sources as u64);
    list(
        "Networks with banned sources",
        "networks",
        report.networks.is_empty(),
        html! {
            tr { th { "network" } th class="number" { "banned sources" } th {} th class="number" { "bans" } }
            @for it in &report.networks {
                tr {
                    td class="name" { (it.network) }
                    td class="number" { (it.sources) }
                    (share(it.sources as u64, most))
                    td class="number" { (it.bans) }
                }
            }
        },
    )
}

fn countries(report: &ReportView) -> Markup {
    let Some(countries) = &report.countries else { return html! {} };
    let most = countries.first().map_or(1, |first| first.attacks);
    list(
        "Countries",
        "countries",
        countries.is_empty(),
        html! {
            tr { th { "country" } th class="number" { "attacks" } th {} th class="number" { "bans" } }
            @for it in countries {
                tr {
                    td { (it.country) }
                    td class="number" { (it.attacks) }
                    (share(it.attacks, most))
                    td class="number" { (it.bans) }
                }
            }
        },
    )
}

fn users(report: &ReportView) -> Markup {
    let most = report.users.first().map_or(1, |first| first.attacks);
    list(
        "Users tried",
        "users",
        report.users.is_empty(),
        html! {
            tr { th { "user" } th class="number" { "attacks" } th {} }
            @for it in &report.users {
                tr {
                    td class="name" { (it.user) }
                    td class="number" { (at_most(it.attacks, it.uncertain)) }
                    (share(it.attacks, most))
                }
            }
        },
    )
}

fn steps(report: &ReportView) -> Markup {
    let bans = &report.bans;
    let most = bans.by_level.values().copied().max().unwrap_or(1);
    let name = |level: u8| if level == 0 { "outside of the ladder".to_owned() } else { format!("step {level}") };
    list(
        "Bans by step",
        "steps",
        bans.by_level.is_empty(),
        html! {
            tr { th { "step of the ladder" } th class="number" { "bans" } th {} }
            @for (level, count) in &bans.by_level {
                tr { td { (name(*level)) } td class="number" { (count) } (share(*count, most)) }
            }
            tr { td { "of them by operators" } td class="number" { (bans.by_operator) } (share(bans.by_operator, most)) }
        },
    )
}

fn devices(report: &ReportView) -> Markup {
    list(
        "Devices at fault",
        "devices",
        report.devices.is_empty(),
        html! {
            tr { th { "user" } th { "at" } th { "device" } th class="number" { "reports" } th { "last" } th { "what" } }
            @for it in &report.devices {
                tr {
                    td class="name" { (it.user.as_deref().unwrap_or("-")) }
                    td class="name" { (it.source) }
                    td class="name" { (it.user_agent.as_deref().unwrap_or("-")) }
                    td class="number" { (it.reports) }
                    td { (moment(it.last)) }
                    td { (it.reason.as_deref().unwrap_or_default()) }
                }
            }
        },
    )
}

fn list(title: &str, id: &str, is_empty: bool, rows: Markup) -> Markup {
    html! {
        h2 { (title) }
        @if is_empty { p class="note" { "None." } }
        @else { div class="scroll" { table id=(id) { (rows) } } }
    }
}

/// A time to the minute.
fn moment(time: Timestamp) -> String {
    let time = time.to_string();
    time.get(..16).map_or_else(|| time.clone(), |minute| format!("{} UTC", minute.replace('T', " ")))
}

/// A bar beside a number.
fn share(count: u64, most: u64) -> Markup {
    let percent = count as f64 * 100.0 / most.max(1) as f64;
    html! { td class="share" { div style=(format!("width:{percent:.1}%")) {} } }
}

fn at_most(count: u64, uncertain: u64) -> String {
    if uncertain == 0 { count.to_string() } else { format!("{} to {count}", count - uncertain.min(count)) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ban, digest, record};
    use super::*;

    #[test]
    fn nothing_comes_from_elsewhere_and_everything_is_escaped() {
        let hostile = "<script src=\"https://evil.example/x.js\"></script>";
        let page =
            page(&digest([record(1, EventName::AuthFailure, "203.0.113.9", hostile), ban(1, "203.0.113.9", 1)], 72));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script src="), "{page}");
        for reference in ["src=\"", "href=", "url(", "@import"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn a_quiet_week_is_a_page_too() {
        let page = page(&digest([], 7 * 24));
        assert!(page.contains("No attack within 7d."), "{page}");
        assert!(!page.contains("NaN"), "{page}");
    }
}
