//! A removal ends what is enforced and keeps what the operator wrote; a purge leaves nothing.

use sip_fw_e2e::wait::{PATIENCE, wait_for};

use crate::site::{CONFIG, Site};

#[test]
fn a_removal_ends_enforcement_and_a_purge_leaves_nothing() {
    let Some(mut site) = Site::enforcing() else { return };
    site.assert_dropped();
    site.must("dpkg --remove sip-fw");
    wait_for("the programs to be off", PATIENCE, || site.bed.pbx.has_xdp().is_ok_and(|has| !has)).unwrap();
    site.assert_passing();
    assert_ne!(site.code("systemctl is-active sip-fw"), 0);
    assert_eq!(site.code("test -e /sys/fs/bpf/sip-fw"), 1);
    site.must(&format!("grep --quiet enforce {CONFIG} && test -d /var/lib/sip-fw && ! command -v sip-fw"));

    site.must("dpkg --purge sip-fw");
    for gone in ["/etc/sip-fw", "/var/lib/sip-fw", "/run/sip-fw", "/sys/fs/bpf/sip-fw"] {
        assert_eq!(
            site.code(&format!("test -e {gone}")),
            1,
            "{gone} is still there: {}",
            site.must(&format!("ls {gone}"))
        );
    }
    assert_eq!(site.code("getent group sip-fw"), 2);
    assert_ne!(site.code("systemctl cat sip-fw"), 0);
}

#[test]
fn a_removal_ends_enforcement_without_an_agent_too() {
    let Some(mut site) = Site::enforcing() else { return };
    site.must(&format!("systemctl stop sip-fw && echo nonsense >> {CONFIG}"));
    site.assert_dropped();
    site.must("dpkg --remove sip-fw");
    site.assert_passing();
    // Nothing to end any more.
    site.install_again_with_fault();
    site.must("dpkg --purge sip-fw");
}

impl Site {
    /// The kept configuration is faulty: the agent cannot start, the installation succeeds.
    fn install_again_with_fault(&self) {
        self.must("dpkg --install /root/first.deb");
        assert_ne!(self.code("systemctl is-active sip-fw"), 0);
    }
}
