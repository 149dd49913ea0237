//! The judge: labelled scenarios through the real kernel programs and the controller, each on its own clock.
//!
//! * [`scenarios`]: what happens, and who deserves what; [`feature`] says which of them wait for what is not built yet.
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
pub mod feature;
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
use feature::is_built;
use firewall::Firewall;
use report::{Outcome, Report};

/// Plays every scenario whose name contains `filter`; `watch` is told of each as it ends.
pub fn run(filter: &str, watch: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    run_on(Firewall::new(false)?, filter, watch)
}

/// The same, on this firewall.
pub fn run_on(mut firewall: Firewall, filter: &str, watch: &mut dyn FnMut(&Outcome)) -> Result<Report> {
    let mut report = Report::default();
    for scenario in scenarios::all().iter().filter(|scenario| scenario.name.contains(filter)) {
        let outcome = play(&mut firewall, scenario).with_context(|| scenario.name.clone())?;
        watch(&outcome);
        report.add(outcome);
    }
    Ok(report)
}

fn play(firewall: &mut Firewall, scenario: &Scenario) -> Result<Outcome> {
    if scenario.needs.iter().all(|feature| is_built(*feature)) {
        scenario.play(firewall)
    } else {
        Ok(Outcome::pending(scenario))
    }
}
