//! An upgrade replaces the agent, and nobody who is banned gets a packet through meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sip_fw_e2e::Family;
use sip_fw_e2e::actors::Spoofer;
use sip_fw_e2e::scene::messages_of;
use sip_fw_e2e::wire::Direction;

use crate::site::{Site, knock};

#[test]
fn an_upgrade_lets_nothing_through() {
    let Some(mut site) = Site::enforcing() else { return };
    site.assert_dropped();
    let count = |site: &Site, direction| {
        let seen = if direction == Direction::Out { site.cable.seen() } else { site.inside.seen() }.unwrap();
        Family::BOTH.map(|family| messages_of(&seen, site.bed.attacker.address(family), direction))
    };
    let (sent_before, arrived_before) = (count(&site, Direction::Out), count(&site, Direction::In));
    let (replaced, version) = (site.main_pid(), installed(&site));

    let stop = AtomicBool::new(false);
    let mut attacker = Spoofer::new(&site.bed.attacker, &site.bed.pbx).unwrap();
    thread::scope(|scope| {
        let _stop = AtEnd(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for family in Family::BOTH {
                    knock(&mut attacker, &site.bed, family);
                }
            }
        });
        site.install("next");
        site.must("sip-fw status");
    });
    assert_ne!(site.main_pid(), replaced);
    let (sent, arrived) = (count(&site, Direction::Out), count(&site, Direction::In));
    assert_eq!(arrived, arrived_before, "packets of banned sources");
    assert!(sent.iter().zip(sent_before).all(|(after, before)| after - before > 100), "{sent_before:?} {sent:?}");
    assert_eq!(installed(&site), format!("{version}+next"));
    // What the operator wrote is kept without a question.
    assert_eq!(site.status()["agent"]["mode"], "enforce");
    site.assert_dropped();
}

/// Set when it goes, also if a test fails: threads of a scope are waited for.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn installed(site: &Site) -> String {
    site.must("dpkg-query --show --showformat '${Version}' sip-fw")
}
