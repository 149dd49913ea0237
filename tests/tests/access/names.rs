//! Lines with host names follow the name, and keep what they know when the name server goes away.

use std::net::IpAddr;

use sip_fw_e2e::peers::Dns;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Bed, Family, Policy, over_both_families};

use crate::stage::{Fate, Stage, access, policy};

const NAME: &str = "phones.office.test";

over_both_families!(
    a_name_that_moves_takes_its_rule_along,
    a_name_server_that_goes_away_changes_nothing,
    a_restart_without_a_name_server_knows_the_last_addresses,
);

fn a_name_that_moves_takes_its_rule_along(family: Family) {
    let Some((dns, stage)) = closed_but_for_the_name(family) else { return };
    let bed = &stage.scene.bed;
    // The office moves to where the spoofer was.
    assert_eq!(stage.fate_of(&bed.spoofer, family), Fate::Dropped);
    dns.set(NAME, &[bed.spoofer.address(family)]);
    stage.wait_for_fate(&bed.spoofer, family, Fate::Passes, PATIENCE);
    stage.wait_for_fate(&bed.office, family, Fate::Dropped, PATIENCE);
    assert_eq!(stage.explained(bed.spoofer.address(family), "sip").0, "office");
    // Two addresses of one name are both in.
    dns.set(NAME, &[bed.office.address(family), bed.spoofer.address(family)]);
    stage.wait_for_fate(&bed.office, family, Fate::Passes, PATIENCE);
    assert_eq!(stage.fate_of(&bed.spoofer, family), Fate::Passes);
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Dropped);
}

fn a_name_server_that_goes_away_changes_nothing(family: Family) {
    let Some((dns, stage)) = closed_but_for_the_name(family) else { return };
    let bed = &stage.scene.bed;
    drop(dns);
    stage.scene.agent.wait_for_event("degraded", NAME).unwrap();
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
    assert_eq!(stage.fate_of(&bed.attacker, family), Fate::Dropped);
    // A change of something else meanwhile does not forget it either.
    let extra = access("office", &[NAME], "sip", "allow") + &access("carrier", &[&family.net(4)], "sip", "allow");
    stage.scene.agent.configure(&Policy { top: top(bed, family), ..policy("deny", extra) }).unwrap();
    let outcome = stage.scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
    assert_eq!(stage.fate_of(&bed.carrier, family), Fate::Passes);
    // It comes back with news.
    let dns = Dns::start(&bed.carrier).unwrap();
    dns.set(NAME, &[bed.attacker.address(family)]);
    stage.wait_for_fate(&bed.attacker, family, Fate::Passes, 3 * PATIENCE);
    stage.wait_for_fate(&bed.office, family, Fate::Dropped, PATIENCE);
}

fn a_restart_without_a_name_server_knows_the_last_addresses(family: Family) {
    let Some((dns, mut stage)) = closed_but_for_the_name(family) else { return };
    stage.scene.agent.kill9();
    drop(dns);
    assert_eq!(stage.fate_of(&stage.scene.bed.office, family), Fate::Passes);
    stage.scene.agent.restart().unwrap();
    stage.scene.agent.wait_for_event("degraded", NAME).unwrap();
    assert_eq!(stage.fate_of(&stage.scene.bed.office, family), Fate::Passes);
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Dropped);
}

/// The name is the office's, and only it gets in.
fn closed_but_for_the_name(family: Family) -> Option<(Dns, Stage)> {
    let bed = Bed::new().unwrap();
    let dns = Dns::start(&bed.carrier).unwrap();
    let office: IpAddr = bed.office.address(family);
    dns.set(NAME, &[office]);
    let policy = Policy { top: top(&bed, family), ..policy("deny", access("office", &[NAME], "sip", "allow")) };
    let stage = Stage::on(bed, &policy)?;
    stage.wait_for_fate(&stage.scene.bed.office, family, Fate::Passes, PATIENCE);
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Dropped);
    assert!(dns.queries() > 0);
    Some((dns, stage))
}

fn top(bed: &Bed, family: Family) -> String {
    format!("dns_servers = [\"{}\"]\n", Dns::address(&bed.carrier, family))
}
