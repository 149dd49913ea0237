//! The judge: labelled scenarios through the real kernel programs and the controller, each on its own clock.
//!
//! * [`scenarios`]: what happens, and who deserves what.
//! * [`cast`], [`schedule`], [`expect`]: of what a scenario is made.
//! * [`pbx`], [`dialect`]: what every PBX answers, and what its answers prove; they know nothing of the firewall.
//! * [`phone`], [`message`], [`peer`]: who sends, what, and how it travels.
//! * [`bed`], [`firewall`], [`fate`]: between the peers and the PBX, and what the firewall decided.
//! * [`account`], [`report`]: what became of every source, and whether it deserved that.

pub mod account;
pub mod bed;
pub mod cast;
pub mod dialect;
pub mod expect;
pub mod fate;
pub mod firewall;
pub mod message;
pub mod pbx;
pub mod peer;
pub mod phone;
pub mod report;
pub mod scenarios;
pub mod schedule;

use anyhow::{Context as _, Result};

use cast::Scenario;
use firewall::{Firewall, Refusal};
use report::{Outcome, Report};

/// Plays every scenario whose name contains `filter`; `watch` is told of each as it ends.
pub fn run(filter: &str, watch: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    run_with(false, filter, watch)
}

/// The same with a firewall that (`observe`) decides and drops nothing.
pub fn run_with(observe: bool, filter: &str, watch: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    let mut report = Report::default();
    let all = scenarios::all();
    for refusal in [Refusal::Auto, Refusal::Challenge] {
        let wanted = |scenario: &&Scenario| scenario.refusal == refusal && scenario.name.contains(filter);
        let mut scenarios = all.iter().filter(wanted).peekable();
        if scenarios.peek().is_none() {
            continue;
        }
        let mut firewall = Firewall::new(observe, refusal)?;
        for scenario in scenarios {
            let outcome = scenario.play(&mut firewall).with_context(|| scenario.name.clone())?;
            watch(&outcome);
            report.add(outcome);
        }
    }
    Ok(report)
}
