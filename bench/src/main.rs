//! `sip-fw-bench`: measures what packets cost in the kernel programs, what the agent needs, and how fast an attack is stopped.

mod agent;
mod attacked;
mod bed;
mod drop;
mod frame;
mod inspect;
mod measure;
mod message;
mod pass;
mod process;
mod random;
mod react;
mod row;
mod rules;
mod scale;
mod schedule;
mod veth;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use serde_json::Value;

#[derive(Parser)]
#[command(about = "Measures what packets cost, and what the agent needs")]
struct Arguments {
    /// What to measure; everything but `rules`, `agent` and `react` without any
    #[arg(value_enum)]
    what: Vec<What>,
    /// Print one JSON object on stdout instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Packets of banned sources, by themselves and end to end beside other firewalls
    Drop,
    /// Packets that sip-fw has nothing to do with
    Pass,
    /// Messages that are read
    Inspect,
    /// Tables: what grows with them; the agent under attack
    Scale,
    /// Access rules: how the cost grows with their number
    Rules,
    /// The agent: its memory while a million sources come and go
    Agent,
    /// An attack: what gets through until it is stopped, beside fail2ban
    React,
}

/// What is measured without a choice.
const EVERY_DAY: &[What] = &[What::Pass, What::Drop, What::Inspect, What::Scale];

impl What {
    fn run(self) -> Result<Report> {
        match self {
            Self::Drop => drop::run(),
            Self::Pass => pass::run(),
            Self::Inspect => inspect::run(),
            Self::Scale => scale::run(),
            Self::Rules => rules::run(),
            Self::Agent => agent::run(),
            Self::React => react::run(),
        }
    }
}

/// What a figure must be.
struct Goal {
    text: String,
    met: bool,
}

/// What was measured.
struct Report {
    /// For machines.
    rows: Vec<Value>,
    /// For people.
    table: String,
    goals: Vec<Goal>,
}

impl Report {
    /// With another one behind it.
    fn and(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.table.push_str(&other.table);
        self.goals.extend(other.goals);
        self
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sip-fw-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if every goal was met.
fn run(arguments: &Arguments) -> Result<bool> {
    let chosen = if arguments.what.is_empty() { EVERY_DAY } else { &arguments.what };
    let mut whole = Report { rows: Vec::new(), table: String::new(), goals: Vec::new() };
    for what in chosen {
        whole = whole.and(what.run()?);
    }
    let Report { rows, table, goals } = whole;
    if arguments.json {
        println!("{}", serde_json::json!({ "rows": rows }));
    } else {
        print!("{table}");
    }
    for Goal { text, met } in &goals {
        eprintln!("{}: {text}", if *met { "met" } else { "MISSED" });
    }
    Ok(goals.iter().all(|goal| goal.met))
}
