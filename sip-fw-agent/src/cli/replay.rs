//! `replay`: what sip-fw would have decided about a capture.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use ipnet::IpNet;
use serde_json::json;
use sip_fw_core::record::Record;

use super::CliError;
use super::output::Output;
use crate::config::{self, Config, ConfigError, DEFAULT_FILE};
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::host::effective_uid;
use crate::replay::{self, Options, ReplayError, Watcher};
use crate::report::stderr_line;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The capture, pcap or pcapng
    file: PathBuf,
    /// Address or prefix of the host it was taken on; may be given several times
    #[arg(long, value_name = "ADDR", required = true, value_delimiter = ',', value_parser = net)]
    local: Vec<IpNet>,
    /// Decide and count everything, drop nothing. Without it drops are replayed, whatever `mode` says
    #[arg(long)]
    observe: bool,
    /// Write the packets that pass to this file
    #[arg(long, value_name = "FILE")]
    write_kept: Option<PathBuf>,
    /// Write the packets that are dropped to this file
    #[arg(long, value_name = "FILE")]
    write_dropped: Option<PathBuf>,
}

/// Replays, and prints the decisions and their summary.
pub fn run(file: &Path, args: &Args, output: Output) -> Result<(), CliError> {
    let config = configuration(file)?;
    let options = Options {
        file: args.file.clone(),
        local: args.local.clone(),
        observe: args.observe,
        kept: args.write_kept.clone(),
        dropped: args.write_dropped.clone(),
    };
    let mut screen = Screen { output, lines: BufWriter::new(io::stdout()), bar: bar() };
    let result = replay::run(&options, &config, &mut screen);
    screen.bar.finish_and_clear();
    // What was decided before a failure is told as well.
    screen.lines.flush()?;
    let summary = result.map_err(failure)?;
    if output.json {
        output.json(&json!({ "summary": summary }))?;
    } else {
        output.text(&summary.text())?;
    }
    Ok(())
}

/// The rules to judge by. Without a file they are the defaults.
fn configuration(file: &Path) -> Result<Config, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::new(ExitCode::Usage, error.to_string());
    match config::load(file) {
        Ok(config) => Ok(config),
        Err(ConfigError::Unreadable { error, .. }) if error.is_missing() && file == Path::new(DEFAULT_FILE) => {
            replay::default_config().map_err(|faults| usage(&faults))
        }
        Err(error) => Err(usage(&error)),
    }
}

fn failure(error: ReplayError) -> CliError {
    match error {
        ReplayError::Output(error) => CliError::Output(error),
        ReplayError::Kernel(error) if effective_uid() != 0 => {
            Failure::new(ExitCode::Failed, format!("{error} (replay runs kernel programs: run it as root)")).into()
        }
        other => Failure::new(ExitCode::Failed, other.to_string()).into(),
    }
}

/// Reads an address or a prefix of this host for clap.
fn net(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        "neither an address nor a prefix: allowed are 192.0.2.10, 192.0.2.0/24, 2001:db8::1, 2001:db8::/48".to_owned()
    })
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{percent:>3}% [{bar:40}] {bytes} of {total_bytes}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Where decisions and progress are shown.
struct Screen {
    output: Output,
    lines: BufWriter<io::Stdout>,
    bar: ProgressBar,
}

impl Watcher for Screen {
    fn decided(&mut self, record: &Record) -> io::Result<()> {
        let lines = &mut self.lines;
        let line = if self.output.json { serde_json::to_string(record)? } else { record.to_string() };
        if self.bar.is_hidden() {
            return writeln!(lines, "{line}");
        }
        self.bar.suspend(|| writeln!(lines, "{line}").and_then(|()| lines.flush()))
    }

    fn progress(&mut self, bytes: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(bytes);
    }

    fn warn(&mut self, what: &str) {
        self.bar.suspend(|| stderr_line(&format!("sip-fw: {what}")));
    }
}
