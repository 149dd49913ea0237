//! The figures: medians over the rounds, beside those of sip-fw's kernel ban at the same rate.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::defence::{Defence, Tool};
use super::pbx::Kind;
use super::reaction::Reaction;
use crate::{Goal, Report};

const NS_PER_MS: f64 = 1e6;

/// What a defence did at one rate.
pub struct Row {
    /// The PBX that was attacked.
    pub pbx: Kind,
    /// Who defended it.
    pub defence: Defence,
    /// Attempts a second that it was meant to see.
    pub rate: u32,
    /// One for each round.
    pub reactions: Vec<Reaction>,
}

/// Over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

/// What is told of a row.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    bench: &'static str,
    case: String,
    /// From the deciding refusal to the first attempt after it from which on none is answered, in nanoseconds: at least what was left
    /// of the pause between two attempts.
    own_ns: f64,
    /// The same in that of sip-fw's kernel ban.
    ratio: f64,
    min: f64,
    max: f64,
    /// Attempts answered though they came after the deciding refusal.
    let_through: Spread,
    /// Attempts that were with the PBX already when it decided.
    under_way: Spread,
    /// Attempts a second that came.
    rate: f64,
    /// Attempts a second that the PBX answered, until the last one.
    answered: f64,
    rounds: usize,
}

impl Row {
    /// Nothing was measured yet.
    pub const fn new(pbx: Kind, defence: Defence, rate: u32) -> Self {
        Self { pbx, defence, rate, reactions: Vec::new() }
    }

    /// What it is called.
    pub fn case(&self) -> String {
        format!("{} {}/s: {}", self.pbx.name(), self.rate, self.defence.name())
    }

    /// Measured under the same conditions.
    fn is_beside(&self, other: &Self) -> bool {
        (self.pbx, self.rate) == (other.pbx, other.rate)
    }

    fn spread(&self, figure: impl Fn(&Reaction) -> f64) -> Result<Spread> {
        let mut figures: Vec<f64> = self.reactions.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let (min, max) = figures.first().zip(figures.last()).context("nothing was measured")?;
        Ok(Spread { median: figures[figures.len() / 2], min: *min, max: *max })
    }

    fn time(&self) -> Result<Spread> {
        self.spread(|reaction| reaction.time.as_nanos() as f64)
    }

    fn let_through(&self) -> Result<Spread> {
        self.spread(|reaction| reaction.let_through as f64)
    }

    fn figures(&self, floor_ns: f64) -> Result<Figures> {
        let time = self.time()?;
        Ok(Figures {
            bench: "react",
            case: self.case(),
            own_ns: time.median,
            ratio: time.median / floor_ns,
            min: time.min,
            max: time.max,
            let_through: self.let_through()?,
            under_way: self.spread(|reaction| reaction.under_way as f64)?,
            rate: self.spread(|reaction| reaction.offered)?.median,
            answered: self.spread(|reaction| reaction.answered)?.median,
            rounds: self.reactions.len(),
        })
    }
}

/// The rows as a report. `absent` says why there is no fail2ban, if so.
pub fn report(rows: &[Row], absent: Option<&str>) -> Result<Report> {
    let floor = |row: &Row| {
        let floor = rows.iter().find(|it| it.is_beside(row) && it.defence == Defence::Kernel);
        floor.context("no kernel ban at this rate")?.time()
    };
    let figures = rows.iter().map(|row| row.figures(floor(row)?.median)).collect::<Result<Vec<_>>>()?;
    let mut told = figures.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
    let mut table = table(&figures)?;
    if let Some(why) = absent {
        told.push(json!({ "bench": "react", "case": "fail2ban", "not_measured": why }));
        writeln!(table, "{:<6} fail2ban: not measured: {why}", "react")?;
    }
    Ok(Report { rows: told, table, goals: goals(rows)? })
}

fn table(figures: &[Figures]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{:<6} {:<41} {:>9} {:>11} {:>10} {:>10} {:>10} {:>9} {:>8} {:>5} {:>6} {:>9}",
        "BENCH",
        "CASE",
        "OFFERED/s",
        "ANSWERED/s",
        "TIME ms",
        "MIN",
        "MAX",
        "RATIO",
        "THROUGH",
        "MIN",
        "MAX",
        "UNDER WAY"
    )?;
    for Figures { bench, case, own_ns, ratio, min, max, let_through, under_way, rate, answered, .. } in figures {
        let [time, fastest, slowest] = [own_ns, min, max].map(|ns| ns / NS_PER_MS);
        let Spread { median: through, min: fewest, max: most } = let_through;
        writeln!(
            text,
            "{bench:<6} {case:<41} {rate:>9.0} {answered:>11.0} {time:>10.2} {fastest:>10.2} {slowest:>10.2} {ratio:>9.1} \
             {through:>8} {fewest:>5} {most:>6} {:>9}",
            under_way.median
        )?;
    }
    Ok(text)
}

/// The kernel ban lets nothing through; sip-fw's worst round is ahead of the best one of fail2ban.
fn goals(rows: &[Row]) -> Result<Vec<Goal>> {
    let mut goals = Vec::new();
    for row in rows.iter().filter(|row| row.defence == Defence::Kernel) {
        let most = row.let_through()?.max;
        let text = format!("react: {}: {most} attempts let through, at most 0", row.case());
        goals.push(Goal { text, met: most == 0.0 });
    }
    for ours in rows.iter().filter(|row| row.defence.tool() == Tool::SipFw) {
        let theirs = rows.iter().filter(|row| row.is_beside(ours) && row.defence.tool() != Tool::SipFw);
        let theirs = theirs.map(|row| Ok(row.let_through()?.min)).collect::<Result<Vec<_>>>()?;
        let Some(fewest) = theirs.into_iter().min_by(f64::total_cmp) else { continue };
        let most = ours.let_through()?.max;
        let text = format!("react: {}: {most} let through, fewer than the {fewest} of fail2ban", ours.case());
        goals.push(Goal { text, met: most < fewest });
    }
    Ok(goals)
}
