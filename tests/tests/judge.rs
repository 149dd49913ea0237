//! The whole suite of the judge: no good source is held up, nobody is banned for what others send, no attacker goes on.

use sip_fw_e2e::judge::report::Totals;
use sip_fw_e2e::judge::{run, run_with};

const SCENARIOS_MIN: usize = 150;

#[test]
fn everybody_gets_what_he_deserves() {
    let report = run("", &mut |_| {}).unwrap();
    let scenarios = report.totals.scenarios;
    assert_eq!(report.totals, Totals { scenarios, ..Totals::default() }, "{}", report.faults.join("\n"));
    assert!(scenarios >= SCENARIOS_MIN, "only {scenarios} scenarios");
}

#[test]
fn a_firewall_that_drops_nothing_misses_every_guesser() {
    let report = run_with(true, "guesses one user", &mut |_| {}).unwrap();
    let Totals { scenarios, good_banned, forged_banned, missed } = report.totals;
    assert!(scenarios > 0);
    assert_eq!((good_banned, forged_banned, missed), (0, 0, scenarios));
}
