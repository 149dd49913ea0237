//! `sip-fw-judge`: labelled scenarios through the kernel programs. See the module `judge`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use sip_fw_e2e::judge::report::Report;
use sip_fw_e2e::judge::run;

#[derive(Parser)]
#[command(about = "Plays labelled scenarios through the kernel programs, and judges what they decide")]
struct Arguments {
    /// Print the totals as one JSON object, the last line on stdout
    #[arg(long)]
    json: bool,
    /// Only scenarios whose name contains this
    #[arg(default_value = "")]
    filter: String,
}

fn main() -> ExitCode {
    match judge(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sip-fw-judge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if everybody got what he deserves.
fn judge(arguments: &Arguments) -> Result<bool> {
    println!("{}", Report::head());
    let report = run(&arguments.filter, &mut |outcome| println!("{}", outcome.row()))?;
    for fault in &report.faults {
        eprintln!("wrong: {fault}");
    }
    let totals = report.totals;
    eprintln!("{} scenarios, {} sources judged wrongly", totals.scenarios, report.faults.len());
    if arguments.json {
        println!("{}", serde_json::json!({ "totals": totals }));
    }
    Ok(report.is_right())
}
