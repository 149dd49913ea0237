//! The figures of all contenders beside those of the floor, and the goals.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::contender::{FLOOR, OURS, READING};
use super::measure::{LOAD, Round};
use crate::{Goal, Report};

/// Goal: packets a second in those of the floor.
const OF_FLOOR: f64 = 0.9;

/// What became of a contender: its rounds, or why it is not measured.
pub type Outcome = (&'static str, Result<Vec<Round>, String>);

/// A contender's figures.
#[derive(Debug, Serialize)]
struct Row {
    bench: &'static str,
    case: String,
    #[serde(flatten)]
    figures: Option<Figures>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<String>,
}

/// Medians over the rounds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    /// Flat out: nanoseconds of the receiver's CPU for a packet, with what the network costs; the best and the worst round.
    own_ns: f64,
    /// In those of the floor.
    ratio: f64,
    min: f64,
    max: f64,
    /// Flat out: packets dropped.
    packets_per_second: f64,
    /// With the load that is the same for all: share of the receiver's CPU, packets a second, round-trip times of a good caller.
    cpu_share: f64,
    load_per_second: f64,
    rtt_p50_us: Option<f64>,
    rtt_p99_us: Option<f64>,
    /// Share of the good caller's packets that did not come back.
    lost: f64,
    /// Round-trip times of a good caller without an attack.
    quiet_p50_us: Option<f64>,
    quiet_p99_us: Option<f64>,
}

/// Puts the outcomes beside each other.
pub fn report(outcomes: Vec<Outcome>) -> Result<Report> {
    let floor = outcomes.iter().find(|(name, _)| *name == FLOOR).and_then(|(_, rounds)| rounds.as_ref().ok());
    let floor_ns = floor.and_then(|rounds| median(rounds, |round| Some(round.flat_out.ns_per_packet)));
    let floor_ns = floor_ns.context("the floor was not measured")?;
    let row = |(name, rounds): Outcome| {
        let (figures, not_measured) = match rounds {
            Ok(rounds) => (Figures::of(&rounds, floor_ns), None),
            Err(why) => (None, Some(why)),
        };
        Row { bench: "drop", case: format!("veth {name}"), figures, not_measured }
    };
    let rows: Vec<Row> = outcomes.into_iter().map(row).collect();
    let values = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(Report { rows: values, table: table(&rows)?, goals: goals(&rows)? })
}

impl Figures {
    fn of(rounds: &[Round], floor_ns: f64) -> Option<Self> {
        let of = |figure: fn(&Round) -> f64| sorted(rounds, |round| Some(figure(round)));
        let own = of(|round| round.flat_out.ns_per_packet);
        let own_ns = middle(&own)?;
        Some(Self {
            own_ns,
            ratio: own_ns / floor_ns,
            min: *own.first()?,
            max: *own.last()?,
            packets_per_second: middle(&of(|round| round.flat_out.per_second))?,
            cpu_share: middle(&of(|round| round.loaded.cpu_share))?,
            load_per_second: middle(&of(|round| round.loaded.per_second))?,
            rtt_p50_us: median(rounds, |round| round.trips.quantile(0.5)),
            rtt_p99_us: median(rounds, |round| round.trips.quantile(0.99)),
            lost: middle(&of(|round| round.trips.lost()))?,
            quiet_p50_us: median(rounds, |round| round.quiet.quantile(0.5)),
            quiet_p99_us: median(rounds, |round| round.quiet.quantile(0.99)),
        })
    }
}

fn median(rounds: &[Round], figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
    middle(&sorted(rounds, figure))
}

fn sorted(rounds: &[Round], figure: impl Fn(&Round) -> Option<f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = rounds.iter().filter_map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn middle(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

fn table(rows: &[Row]) -> Result<String> {
    let mut table = String::new();
    writeln!(
        table,
        "{:<10} {:<28} {:>8} {:>7} {:>7} {:>7} {:>7} | {:>6} {:>8} {:>12} {:>12}",
        "BENCH", "CASE", "M/s", "ns", "RATIO", "MIN", "MAX", "CPU %", "load/s", "RTT us 50/99", "quiet 50/99"
    )?;
    for Row { bench, case, figures, not_measured } in rows {
        let Some(figures) = figures else {
            let why = not_measured.as_deref().unwrap_or("no round");
            writeln!(table, "{bench:<10} {case:<28} not measured: {}", why.replace('\n', " "))?;
            continue;
        };
        let Figures { own_ns, ratio, min, max, packets_per_second, cpu_share, load_per_second, .. } = figures;
        writeln!(
            table,
            "{bench:<10} {case:<28} {:>8.2} {own_ns:>7.0} {ratio:>7.2} {min:>7.0} {max:>7.0} | {:>6.1} {load_per_second:>8.0} {:>12} {:>12}",
            packets_per_second / 1e6,
            cpu_share * 100.0,
            pair(figures.rtt_p50_us, figures.rtt_p99_us),
            pair(figures.quiet_p50_us, figures.quiet_p99_us),
        )?;
    }
    writeln!(
        table,
        "Left of the line as many packets as can be sent, right of it {LOAD} a second; the floors drop the good caller, too."
    )?;
    Ok(table)
}

fn pair(p50: Option<f64>, p99: Option<f64>) -> String {
    match (p50, p99) {
        (Some(p50), Some(p99)) => format!("{p50:.0}/{p99:.0}"),
        _ => "-".to_owned(),
    }
}

fn goals(rows: &[Row]) -> Result<Vec<Goal>> {
    let speed = |row: &Row| row.figures.map(|figures| figures.packets_per_second);
    let of = |name: &str| rows.iter().find(|row| row.case == format!("veth {name}")).and_then(speed);
    let (floor, ours) = (of(FLOOR).context("no floor")?, of(OURS).context("no figures of sip-fw")?);
    let mut goals = vec![Goal {
        text: format!(
            "drop: veth {OURS}: {:.2} M packets/s, {:.2} of the floor's {:.2} M, at least {OF_FLOOR}",
            ours / 1e6,
            ours / floor,
            floor / 1e6
        ),
        met: ours >= OF_FLOOR * floor,
    }];
    let no_rivals = [FLOOR, READING, OURS].map(|name| format!("veth {name}"));
    for rival in rows.iter().filter(|row| !no_rivals.contains(&row.case)) {
        let Some(theirs) = speed(rival) else { continue };
        goals.push(Goal {
            text: format!("drop: veth {OURS}: {:.1} times as many packets/s as {}", ours / theirs, rival.case),
            met: ours > theirs,
        });
    }
    Ok(goals)
}
