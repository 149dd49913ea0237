//! `run`: the agent.

use std::path::Path;

use log::LevelFilter;

use super::CliError;
use super::output::Output;
use crate::daemon::{self, Options};
use crate::report::LogFormat;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Form of the log on stderr; without it the journal, where stderr leads there
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Messages of the kernel programs themselves, for development: off, error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", default_value = "off")]
    kernel_log: LevelFilter,
}

/// Runs the agent; with `--json` its log is JSON.
pub fn run(file: &Path, args: &Args, output: Output) -> Result<(), CliError> {
    let log_format = args.log_format.or(output.json.then_some(LogFormat::Json));
    Ok(daemon::run(&Options { file: file.to_owned(), log_format, kernel_log: args.kernel_log })?)
}
