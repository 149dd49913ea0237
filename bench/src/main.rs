//! `sip-fw-bench`: measures the kernel programs through BPF_PROG_TEST_RUN, beside an empty program in the same run.

mod frame;
mod measure;
mod random;
mod rules;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use serde::Serialize;

#[derive(Parser)]
#[command(about = "Measures what packets cost")]
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
}

/// What a figure must be.
struct Goal {
    text: String,
    met: bool,
}

/// A figure.
#[derive(Clone, Debug, Serialize)]
struct Row {
    bench: &'static str,
    case: String,
    prefixes: usize,
    /// Nanoseconds of the program itself: the median of what a round takes more than one of the empty program.
    own_ns: f64,
    /// Its time with the empty program's, in that of the empty program.
    ratio: f64,
    /// Its own cost in that of the smallest list.
    growth: f64,
    /// What it costs more than with the smallest list, in nanoseconds.
    added_ns: f64,
    /// Nanoseconds of the fastest round, the empty program's included.
    min: f64,
    /// Nanoseconds of the slowest round, the empty program's included.
    max: f64,
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
    let (rows, goals) = match arguments.what {
        What::Rules => rules::run()?,
    };
    if arguments.json {
        println!("{}", serde_json::json!({ "rows": rows }));
    } else {
        println!("{:<34} {:>8} {:>8} {:>6} {:>7} {:>9}", "CASE", "PREFIXES", "OWN ns", "RATIO", "GROWTH", "ADDED ns");
        for row in &rows {
            let Row { case, prefixes, own_ns, ratio, growth, added_ns, .. } = row;
            println!("{case:<34} {prefixes:>8} {own_ns:>8.1} {ratio:>6.2} {growth:>7.2} {added_ns:>9.1}");
        }
    }
    for Goal { text, met } in &goals {
        eprintln!("{}: {text}", if *met { "met" } else { "MISSED" });
    }
    Ok(goals.iter().all(|goal| goal.met))
}
