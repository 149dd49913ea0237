//! `report`: what happened over days, as text, JSON, or a page for browsers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use sip_fw_core::duration::Short;
use sip_fw_core::record::Record;
use sip_fw_core::time::Timestamp;

use super::{CliError, Site, length_above_zero, read};
use crate::clock;
use crate::config;
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::digest::page::page;
use crate::digest::view::{DeviceView, ReportView, SourceFigures};
use crate::digest::words::{clock as hours, sentences};
use crate::digest::{CountryOf, Digest};
use crate::exit_code::ExitCode;
use crate::files;
use crate::lists::Locator;
use crate::report::stderr_line;
use crate::report::table::{Column, ago, or_dash, table};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What happened within this time
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = length_above_zero)]
    since: Duration,
    /// Write a page for browsers instead of text
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Database that tells countries, in MaxMind's format; otherwise the configuration's `country_db`
    #[arg(long, value_name = "FILE")]
    country_db: Option<PathBuf>,
}

/// Asks for the events, counts them, and prints.
pub fn run(config: &Path, site: &Site, args: &Args) -> Result<(), CliError> {
    let country_of = country_of(config, args.country_db.as_deref())?;
    let report = collect(site, args.since, country_of)?;
    if let Some(file) = &args.html {
        let fail = |error| Failure::new(ExitCode::Failed, format!("{}: {error}", file.display()));
        files::replace(file, &page(&report)).map_err(fail)?;
        stderr_line(&format!("sip-fw: {} is written", file.display()));
    }
    if site.output.json {
        site.output.json(&report)?;
    } else if args.html.is_none() {
        site.output.text(&render(&report))?;
    }
    Ok(())
}

/// A database that was asked for must be there; the configuration's may be missing today.
fn country_of(config: &Path, asked: Option<&Path>) -> Result<Option<CountryOf>, Failure> {
    let configured = || config::load(config).ok().and_then(|config| config.country_db);
    let Some(path) = asked.map(Path::to_owned).or_else(configured) else { return Ok(None) };
    match Locator::open(&path) {
        Ok(locator) => Ok(Some(Box::new(move |address| locator.country_of(address)))),
        Err(error) if asked.is_some() => Err(Failure::new(ExitCode::Failed, format!("{} {error}", path.display()))),
        Err(error) => {
            stderr_line(&format!("sip-fw: no countries: {} {error}", path.display()));
            Ok(None)
        }
    }
}

fn collect(site: &Site, since: Duration, country_of: Option<CountryOf>) -> Result<ReportView, Failure> {
    let until = clock::wall();
    let request = Request::Events { since_seconds: Some(since.as_secs()), follow: false };
    let Some(mut replies) = ask(&site.paths, &request)? else {
        let message = format!("no agent answers at {}, and it has the events", site.paths.socket.display());
        return Err(Failure::new(ExitCode::NoAgent, message));
    };
    let mut digest = Digest::new(TimeZone::system(), country_of);
    while let Some(value) = replies.next_reply()? {
        digest.add(&read::<Record>(&value)?);
    }
    let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Ok(digest.finish(Timestamp { unix_ms: until.unix_ms.saturating_sub(since_ms) }, until))
}

fn render(report: &ReportView) -> String {
    let parts = [
        sentences(report).iter().map(|sentence| format!("{sentence}\n")).collect(),
        days(report),
        sources(report),
        networks(report),
        countries(report),
        users(report),
        steps(report),
        devices(report),
        by_hour(report),
        sign_ins(report),
    ];
    parts.into_iter().filter(|part: &String| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A table, or nothing where it has no lines.
fn lines<T, const N: usize>(columns: [Column; N], items: &[T], row: impl Fn(&T) -> [String; N]) -> String {
    if items.is_empty() { String::new() } else { table(columns, &items.iter().map(row).collect::<Vec<_>>()) }
}

fn days(report: &ReportView) -> String {
    let columns = [
        Column::Text("DAY"),
        Column::Number("ATTACKS"),
        Column::Number("BANS"),
        Column::Number("SHUNS"),
        Column::Text("KINDS"),
    ];
    lines(columns, &report.days, |day| {
        let kinds: Vec<_> = day.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        [day.day.clone(), day.attacks().to_string(), day.bans.to_string(), day.shuns.to_string(), kinds.join(", ")]
    })
}

fn sources(report: &ReportView) -> String {
    let columns = [
        Column::Text("ATTACKER"),
        Column::Text("COUNTRY"),
        Column::Number("ATTACKS"),
        Column::Number("BANS"),
        Column::Text("LAST"),
    ];
    let row = |it: &SourceFigures| {
        let country = or_dash(it.country.as_deref());
        [it.source.clone(), country, it.attacks.to_string(), it.bans.to_string(), ago(it.last, report.until)]
    };
    lines(columns, &report.sources, row)
}

fn networks(report: &ReportView) -> String {
    let columns = [Column::Text("NETWORK"), Column::Number("BANNED SOURCES"), Column::Number("BANS")];
    lines(columns, &report.networks, |it| [it.network.clone(), it.sources.to_string(), it.bans.to_string()])
}

fn countries(report: &ReportView) -> String {
    let columns = [Column::Text("COUNTRY"), Column::Number("ATTACKS"), Column::Number("BANS")];
    let countries = report.countries.as_deref().unwrap_or_default();
    lines(columns, countries, |it| [it.country.clone(), it.attacks.to_string(), it.bans.to_string()])
}

fn users(report: &ReportView) -> String {
    let columns = [Column::Text("USER TRIED"), Column::Number("ATTACKS")];
    lines(columns, &report.users, |it| [it.user.clone(), it.attacks.to_string()])
}

fn steps(report: &ReportView) -> String {
    let steps: Vec<_> = report.bans.by_level.iter().collect();
    lines([Column::Text("STEP"), Column::Number("BANS")], &steps, |(level, bans)| {
        [if **level == 0 { "outside of the ladder".to_owned() } else { level.to_string() }, bans.to_string()]
    })
}

fn devices(report: &ReportView) -> String {
    let columns = [
        Column::Text("DEVICE AT FAULT"),
        Column::Text("USER"),
        Column::Number("REPORTS"),
        Column::Text("LAST"),
        Column::Text("USER-AGENT"),
    ];
    let row = |it: &DeviceView| {
        let (user, agent) = (or_dash(it.user.as_deref()), or_dash(it.user_agent.as_deref()));
        [it.source.clone(), user, it.reports.to_string(), ago(it.last, report.until), agent]
    };
    lines(columns, &report.devices, row)
}

fn by_hour(report: &ReportView) -> String {
    let busy: Vec<_> = report.hours.iter().filter(|hour| hour.attacks > 0 || hour.sign_ins > 0).collect();
    let columns = [Column::Text("HOUR"), Column::Number("ATTACKS"), Column::Number("SIGN-INS"), Column::Text("")];
    let table = lines(columns, &busy, |hour| {
        let unusual = if report.unusual.hours.contains(&hour.hour) { "unusual" } else { "" };
        [format!("{:02}:00", hour.hour), hour.attacks.to_string(), hour.sign_ins.to_string(), unusual.to_owned()]
    });
    if table.is_empty() { table } else { format!("{table}(days and hours are those of {})\n", report.time_zone) }
}

fn sign_ins(report: &ReportView) -> String {
    let columns =
        [Column::Text("UNUSUAL SIGN-IN"), Column::Text("FROM"), Column::Text("WHEN"), Column::Text("USUAL HOURS")];
    lines(columns, &report.unusual.sign_ins, |it| {
        let length = Short(Duration::from_millis(it.time.unix_ms.abs_diff(report.until.unix_ms)));
        [it.user.clone(), it.source.clone(), format!("{length} ago"), hours(&it.usual_hours)]
    })
}

#[cfg(test)]
mod tests {
    use sip_fw_core::record::EventName;

    use super::*;

    #[test]
    fn rendering() {
        let day_ms = 86_400_000;
        let at = |unix_ms| Timestamp { unix_ms };
        let mut digest = Digest::new(TimeZone::UTC, None);
        let record = |event, unix_ms| Record {
            source: Some("203.0.113.9".to_owned()),
            user: Some("1000".to_owned()),
            ..Record::new(at(unix_ms), event)
        };
        digest.add(&record(EventName::AuthFailure, day_ms + 3_600_000));
        digest.add(&Record { level: Some(1), ..record(EventName::Ban, day_ms + 3_600_000) });
        assert_eq!(
            render(&digest.finish(at(day_ms), at(2 * day_ms))),
            "1 attack by 1 source within 1d.\n\
             1 ban of 1 source.\n\
             The busiest day was 1970-01-02 with 1 attack.\n\
             1 user name tried, most often \"1000\" (1).\n\n\
             DAY         ATTACKS  BANS  SHUNS  KINDS\n\
             1970-01-02        1     1      0  auth-failure 1\n\
             1970-01-03        0     0      0\n\n\
             ATTACKER     COUNTRY  ATTACKS  BANS  LAST\n203.0.113.9  -              1     1  23h ago\n\n\
             NETWORK         BANNED SOURCES  BANS\n203.0.113.0/24               1     1\n\n\
             USER TRIED  ATTACKS\n1000              1\n\n\
             STEP  BANS\n1        1\n\n\
             HOUR   ATTACKS  SIGN-INS\n01:00        1         0\n(days and hours are those of UTC)\n"
        );
    }
}
