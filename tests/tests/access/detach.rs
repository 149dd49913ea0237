//! The emergency exit: `detach` lets everything through, with an agent and without.

use sip_fw_e2e::actors::{Registration, Session};
use sip_fw_e2e::peers::Echo;
use sip_fw_e2e::wait::PATIENCE;
use sip_fw_e2e::{Family, over_both_families};

use crate::stage::{Fate, Stage, opaque, policy, port};

over_both_families!(detach_opens_everything_with_an_agent, detach_opens_everything_without_an_agent);

fn detach_opens_everything_with_an_agent(family: Family) {
    opens_everything(family, true);
}

fn detach_opens_everything_without_an_agent(family: Family) {
    opens_everything(family, false);
}

fn opens_everything(family: Family, alive: bool) {
    let Some(mut stage) = Stage::set(&policy("deny", opaque("web", "tcp/443", "deny"))) else { return };
    let web = Echo::start(&stage.scene.bed.pbx, 443).unwrap();
    let from = stage.scene.bed.attacker.address(family);
    let knock = |stage: &Stage| Session::open(&stage.scene.bed.attacker, from, port(&stage.scene.bed, family, 443));
    if !alive {
        stage.scene.agent.kill9();
    }
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Dropped);
    assert!(knock(&stage).is_err());

    let detach = stage.scene.agent.call(&["detach"]).unwrap();
    assert_eq!(detach.code, 0, "{}", detach.stderr);
    stage.scene.agent.wait_until_off(&stage.scene.bed.pbx).unwrap();
    assert!(!stage.scene.agent.pins().exists());
    assert_eq!(stage.fate_of(&stage.scene.bed.attacker, family), Fate::Passes);
    assert_eq!(stage.register(&stage.scene.bed.attacker, family), Registration::Done);
    assert!(knock(&stage).unwrap().carries(PATIENCE));
    assert_eq!(web.accepted(), 1);
}
