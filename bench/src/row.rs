//! Figures of one kind: a case, what it costs, and the goal.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::measure::Measured;
use crate::{Goal, Report};

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The benchmark.
    pub bench: &'static str,
    /// What is measured.
    pub case: String,
    /// Nanoseconds of the program itself: the median of what a round takes more than one of the empty program.
    pub own_ns: f64,
    /// Its time with the empty program's, in that of the empty program.
    pub ratio: f64,
    /// Its own nanoseconds in the best round.
    pub min: f64,
    /// Its own nanoseconds in the worst round.
    pub max: f64,
    /// What it shall cost at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal_ns: Option<f64>,
}

impl Row {
    /// Of a measurement.
    pub fn new(bench: &'static str, case: impl Into<String>, measured: &Measured, goal_ns: Option<f64>) -> Self {
        let &Measured { own_ns, min_ns: min, max_ns: max, .. } = measured;
        Self { bench, case: case.into(), own_ns, ratio: measured.ratio(), min, max, goal_ns }
    }
}

/// The rows as a report.
pub fn report(rows: &[Row]) -> Result<Report> {
    let mut table = String::new();
    writeln!(table, "{:<10} {:<34} {:>8} {:>7} {:>8} {:>8}", "BENCH", "CASE", "OWN ns", "RATIO", "MIN", "MAX")?;
    for Row { bench, case, own_ns, ratio, min, max, .. } in rows {
        writeln!(table, "{bench:<10} {case:<34} {own_ns:>8.1} {ratio:>7.2} {min:>8.1} {max:>8.1}")?;
    }
    let goal = |row: &Row| {
        let goal_ns = row.goal_ns?;
        let text = format!("{}: {}: {:.0} ns, at most {goal_ns:.0}", row.bench, row.case, row.own_ns);
        Some(Goal { text, met: row.own_ns <= goal_ns })
    };
    let goals = rows.iter().filter_map(goal).collect();
    Ok(Report { rows: rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?, table, goals })
}
