//! `sip-fw-bench`: measures what packets cost in the kernel programs, and what the agent needs.

mod agent;
mod frame;
mod measure;
mod process;
mod random;
mod rules;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use serde_json::Value;

#[derive(Parser)]
#[command(about = "Measures what packets cost, and what the agent needs")]
struct Arguments {
    /// What to measure
    #[arg(value_enum)]
    what: What,
    /// Print one JSON object on stdout instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Access rules: how the cost grows with their number
    Rules,
    /// The agent: its memory while a million sources come and go
    Agent,
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
    let Report { rows, table, goals } = match arguments.what {
        What::Rules => rules::run()?,
        What::Agent => agent::run()?,
    };
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
