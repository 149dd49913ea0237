//! The demo: an attacker is banned at his fifth wrong password, phones keep registering, and forged packets ban nobody.
//!
//! Every figure is counted on the wire or by the PBX; sip-fw's own figures are read at the end and must agree.

mod attack;
mod evidence;
mod forgery;
mod picture;
mod stage;
mod story;
mod summary;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::wait::catch_interrupts;
use evidence::Evidence;
use stage::Stage;
use story::Story;
use summary::Summary;

/// Which PBX is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pbx {
    /// The registrar of this program.
    Builtin,
    /// Kamailio, with nonces that depend on the source address.
    Kamailio,
}

/// Shows sip-fw at work in network namespaces of its own: needs root, no network and no PBX.
#[derive(Clone, Debug, Parser)]
#[command(name = "sip-fw-demo", version)]
pub struct Arguments {
    /// The PBX to protect.
    #[arg(long, value_enum, default_value = "builtin")]
    pub pbx: Pbx,
    /// Tell the story on stderr and end with one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// Draw `sip-fw top` during attacks as an SVG into this file, instead of telling the story.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json"])]
    pub picture: Option<PathBuf>,
}

/// Runs the demo; true if every claim held.
pub fn run(arguments: &Arguments) -> Result<bool> {
    catch_interrupts()?;
    let story = Story::new(arguments.json);
    let mut stage = Stage::set(arguments.pbx, &story)?;
    if let Some(file) = &arguments.picture {
        return picture::draw(&stage, &story, file).map(|()| true);
    }
    stage.fleet.wait_for_more(12)?;
    story.tell(
        "office",
        &format!("{} registrations, and again and again from now on", stage.fleet.report().registrations),
    );

    let attacker = attack::perform(&stage, &story)?;
    let spoofer = forgery::perform(&stage, &story)?;
    stage.fleet.wait_for_more(20)?;
    let evidence = Evidence::collect(&mut stage, attacker, spoofer)?;

    let summary = Summary::from(&evidence);
    table::print(&story, &evidence);
    let broken = evidence.broken_claims(&summary);
    for claim in &broken {
        story.tell("FAILED", claim);
    }
    if broken.is_empty() {
        story.tell("result", "everything held: counted on the wire and by the PBX, and sip-fw's own figures agree");
    }
    if arguments.json {
        story.object(&serde_json::to_string(&summary)?);
    }
    Ok(broken.is_empty())
}
