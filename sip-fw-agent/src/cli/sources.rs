//! `sources`: who was seen, and what they did.

use sip_fw_core::time::Timestamp;

use super::{CliError, Site};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{SourceView, SourcesView};
use crate::report::table::{Column, ago, table};

/// Arguments of `sources`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks and prints.
pub fn run(site: &Site, _args: &Args) -> Result<(), CliError> {
    site.show(&Request::Sources { worst: None }, |view| render(view, clock::wall())).map(drop)
}

fn render(view: &SourcesView, now: Timestamp) -> String {
    if view.sources.is_empty() {
        return "no sources\n".to_owned();
    }
    let columns = [
        Column::Text("SOURCE"),
        Column::Text("STATE"),
        Column::Number("REQUESTS"),
        Column::Number("ATTEMPTS"),
        Column::Number("OK"),
        Column::Number("FAILED"),
        Column::Number("UNPROVEN"),
        Column::Number("STRIKES"),
        Column::Number("DROPPED"),
        Column::Number("SEEN"),
    ];
    let row = |source: &SourceView| {
        [
            source.source.clone(),
            source.state.clone(),
            source.requests.to_string(),
            source.attempts.to_string(),
            source.successes.to_string(),
            source.failures_proven.to_string(),
            source.failures_unproven.to_string(),
            source.strikes.to_string(),
            source.drops.to_string(),
            ago(source.last_seen, now),
        ]
    };
    table(columns, &view.sources.iter().map(row).collect::<Vec<_>>())
}
