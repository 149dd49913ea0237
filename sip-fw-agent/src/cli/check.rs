//! `check`: is this configuration valid?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sip_fw_core::SCHEMA;

use super::CliError;
use super::output::Output;
use crate::config::{self, ConfigError, Faults};
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::report::stderr_line;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; without it the one of --config
    file: Option<PathBuf>,
}

/// Reads the file and prints every fault.
pub fn run(file: &Path, args: &Args, output: Output) -> Result<(), CliError> {
    let file = args.file.as_deref().unwrap_or(file);
    match config::load(file) {
        Ok(_) if output.json => Ok(output.json(&render(&[]))?),
        Ok(_) => Ok(output.text(&format!("{}: valid\n", file.display()))?),
        Err(ConfigError::Faulty(faults)) => {
            if output.json {
                output.json(&render(&faults.list))?;
            } else {
                say(&faults);
            }
            Err(CliError::Said(ExitCode::Usage))
        }
        Err(error @ ConfigError::Unreadable { .. }) => Err(Failure::new(ExitCode::Usage, error.to_string()).into()),
    }
}

fn say(faults: &Faults) {
    stderr_line(&faults.to_string());
}

fn render(faults: &[config::Fault]) -> Value {
    let fault = |fault: &config::Fault| json!({"line": fault.line, "key": fault.key, "found": fault.found, "allowed": fault.allowed});
    json!({"schema": SCHEMA, "valid": faults.is_empty(), "faults": faults.iter().map(fault).collect::<Vec<_>>()})
}
