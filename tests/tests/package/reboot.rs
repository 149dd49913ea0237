//! After a reboot the agent is there by itself, with what was in force for good, bans included.

use crate::site::Site;

#[test]
fn it_starts_at_boot_by_itself() {
    let Some(mut site) = Site::enforcing() else { return };
    site.assert_dropped();
    site.machine.reboot().unwrap();
    site.must("systemctl is-active sip-fw");
    assert_eq!(site.status()["agent"]["mode"], "enforce");
    assert!(site.bed.pbx.has_xdp().unwrap());
    site.assert_dropped();
    for pbx in ["asterisk", "freeswitch", "kamailio", "opensips"] {
        site.must(&format!("systemctl show --property Before --value sip-fw | grep --quiet {pbx}.service"));
    }
}
