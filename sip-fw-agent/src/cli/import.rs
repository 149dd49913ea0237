//! `import`: bans from elsewhere. All of a text is understood before anything is done.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use sip_fw_core::SCHEMA;
use sip_fw_core::time::{Timestamp, Until};

use super::{CliError, Site, length_above_zero, read};
use crate::bulk::{self, Entry, Form, Reading, TEXT_BYTES_MAX, Terms};
use crate::clock;
use crate::control::client::fetch;
use crate::control::import::REFUSALS_MAX;
use crate::control::protocol::{Failure, IMPORT_BANS_MAX, REQUEST_BYTES_MAX, Request};
use crate::control::view::{ImportedView, StoppedView};
use crate::exit_code::ExitCode;
use crate::files;
use crate::report::stderr_line;

/// Bytes of a request that are not bans: the name of the file and the reason, escaped, are cut well below.
const AROUND_BYTES: usize = 8192;
/// Bytes of a file name or a reason that are sent.
const SENT_BYTES_MAX: usize = 200;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; - for standard input
    file: PathBuf,
    /// Its form
    #[arg(long, value_enum, default_value_t = Form::Auto)]
    format: Form,
    /// How long to ban where the file says no deadline, such as 1d
    #[arg(long = "for", value_name = "TIME", value_parser = length_above_zero, conflicts_with = "permanent")]
    length: Option<Duration>,
    /// Until the ban is lifted, where the file says no deadline
    #[arg(long)]
    permanent: bool,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Import the rest where some of the file is not understood
    #[arg(long)]
    skip_faulty: bool,
}

/// Reads, asks part by part, and prints.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    let reading = understood(args)?;
    let mut sum = ImportedView {
        schema: SCHEMA,
        dry_run: args.dry_run,
        skipped: reading.faulty() as u64,
        ..ImportedView::default()
    };
    if let Err(failure) = ask(site, args, reading.into_entries(), &mut sum) {
        let done = format!("{failure}; {} bans were imported before", sum.imported);
        return Err(Failure::new(failure.exit, if sum.imported > 0 { done } else { failure.message }).into());
    }
    if site.output.json {
        site.output.json(&sum)?;
    } else {
        site.output.text(&render(&sum))?;
    }
    say(&sum)
}

/// Everything in the file, or every fault.
fn understood(args: &Args) -> Result<Reading, CliError> {
    let usage = |message: String| Failure::new(ExitCode::Usage, message);
    let name = name(&args.file);
    let now = clock::wall();
    let until = match args.length {
        Some(length) => {
            let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
            Some(Until::At(Timestamp { unix_ms: now.unix_ms.saturating_add(length_ms) }))
        }
        None => args.permanent.then_some(Until::Lifted),
    };
    let terms = Terms { now, until, zone: TimeZone::system() };
    let is_database = matches!(args.format, Form::Auto | Form::Fail2ban) && bulk::is_database(&args.file);
    let reading = if is_database {
        bulk::read_database(&args.file, terms)
            .map_err(|error| usage(format!("{name}: {error}; is it the database of fail2ban 0.11 or later?")))?
    } else {
        let text = text(&args.file).map_err(|error| usage(format!("{name}: {error}")))?;
        bulk::read(&text, args.format, terms)
    };
    for fault in reading.faults() {
        stderr_line(&format!("{name}:{fault}"));
    }
    let more = reading.faulty() - reading.faults().len();
    if more > 0 {
        stderr_line(&format!("{name}: {more} more faults"));
    }
    if reading.faulty() > 0 && !args.skip_faulty {
        stderr_line("sip-fw: nothing was imported; mend the file, or import the rest of it with --skip-faulty");
        return Err(CliError::Said(ExitCode::Usage));
    }
    if let Some(line) = reading.undated() {
        let message = format!("{name}:{line}: says no deadline; say how long to ban: --for 1d, or --permanent");
        return Err(usage(message).into());
    }
    Ok(reading)
}

fn text(file: &Path) -> Result<Vec<u8>, files::ReadError> {
    if file != Path::new("-") {
        return files::read(file, TEXT_BYTES_MAX);
    }
    let mut text = Vec::new();
    io::stdin().take(TEXT_BYTES_MAX + 1).read_to_end(&mut text)?;
    let found = text.len() as u64;
    if found > TEXT_BYTES_MAX { Err(files::ReadError::TooLong { found, max: TEXT_BYTES_MAX }) } else { Ok(text) }
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn ask(site: &Site, args: &Args, entries: Vec<Entry>, sum: &mut ImportedView) -> Result<(), Failure> {
    for part in parts(entries) {
        if let Some(stopped) = &mut sum.stopped {
            stopped.left += part.len() as u64;
            continue;
        }
        let request = Request::Import {
            bans: part,
            from: sip_fw_core::text::cut(&name(&args.file), SENT_BYTES_MAX),
            reason: args.reason.as_deref().map(|reason| sip_fw_core::text::cut(reason, SENT_BYTES_MAX)),
            dry_run: args.dry_run,
        };
        add(sum, read(&fetch(&site.paths, &site.services, &request)?)?);
    }
    Ok(())
}

/// As much in each as one request carries.
fn parts(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let room = REQUEST_BYTES_MAX as usize - AROUND_BYTES;
    let mut parts: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = usize::MAX;
    for entry in entries {
        let length = serde_json::to_string(&entry).map_or(room, |text| text.len() + 1);
        bytes = bytes.saturating_add(length);
        match parts.last_mut() {
            Some(part) if bytes <= room && part.len() < IMPORT_BANS_MAX => part.push(entry),
            _ => {
                parts.push(vec![entry]);
                bytes = length;
            }
        }
    }
    parts
}

fn add(sum: &mut ImportedView, part: ImportedView) {
    sum.imported += part.imported;
    sum.kept += part.kept;
    sum.over += part.over;
    sum.refused += part.refused;
    let room = REFUSALS_MAX.saturating_sub(sum.refusals.len());
    sum.refusals.extend(part.refusals.into_iter().take(room));
    sum.stopped = part.stopped;
}

fn render(view: &ImportedView) -> String {
    let would = if view.dry_run { "would be " } else { "" };
    let mut text = format!("{} bans {would}imported\n", view.imported);
    for (count, what) in [
        (view.kept, "kept: banned as long or longer already"),
        (view.over, "left out: over already"),
        (view.refused, "refused"),
        (view.skipped, "skipped: not understood"),
    ] {
        if count > 0 {
            text.push_str(&format!("{count} {what}\n"));
        }
    }
    text
}

/// What did not go well decides how it ends.
fn say(view: &ImportedView) -> Result<(), CliError> {
    for refusal in &view.refusals {
        stderr_line(&format!("refused {}: {}", refusal.source, refusal.reason));
    }
    if let Some(stopped) = &view.stopped {
        return Err(Failure::new(ExitCode::Failed, way_out(stopped)).into());
    }
    if view.refused > 0 { Err(CliError::Said(ExitCode::Refused)) } else { Ok(()) }
}

fn way_out(StoppedView { limit, held, left, reason }: &StoppedView) -> String {
    // A quarter of the bans stays free.
    let needed = held + left + if limit == "bans" { (held + left) / 3 } else { 0 };
    let size = needed.next_multiple_of(1024) + 1024;
    format!("{reason}; {left} bans are left: set [limits] {limit} = {size} and start the agent anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_into_requests() {
        let plain = Entry::new("203.0.113.9".to_owned(), Until::Lifted);
        let long = Entry { user_agent: Some("\\".repeat(4000)), ..plain.clone() };
        let lengths = |entries: Vec<Entry>| parts(entries).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(vec![plain.clone(); 600]), [256, 256, 88]);
        assert_eq!(lengths(vec![long.clone(); 8]), [7, 1]);
        assert_eq!(lengths(vec![]), [0; 0]);
        let reason = Some("\u{7}".repeat(SENT_BYTES_MAX));
        for bans in parts([vec![plain; 300], vec![long; 20]].concat()) {
            let request =
                Request::Import { bans, from: "\"".repeat(SENT_BYTES_MAX), reason: reason.clone(), dry_run: false };
            let line = serde_json::to_string(&request).unwrap() + "\n";
            assert_eq!(Request::parse(line.as_bytes()), Ok(request), "{} bytes", line.len());
        }
    }

    #[test]
    fn rendering() {
        let view = ImportedView { imported: 3, kept: 2, refused: 1, ..ImportedView::default() };
        let expected = "3 bans imported\n2 kept: banned as long or longer already\n1 refused\n";
        assert_eq!(render(&view), expected);
        let view = ImportedView { dry_run: true, over: 1, skipped: 4, ..ImportedView::default() };
        let expected = "0 bans would be imported\n1 left out: over already\n4 skipped: not understood\n";
        assert_eq!(render(&view), expected);
        let stopped = StoppedView { limit: "bans".to_owned(), held: 49_151, left: 50_849, reason: "full".to_owned() };
        let expected = "full; 50849 bans are left: set [limits] bans = 135168 and start the agent anew";
        assert_eq!(way_out(&stopped), expected);
    }
}
