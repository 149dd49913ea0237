//! The unit: an agent that dies comes back, one that was detached does not, and operators reach what they need through it.

use sip_fw_e2e::wait::{PATIENCE, wait_for};

use crate::site::{CONFIG, Site};

#[test]
fn a_killed_agent_comes_back_and_bans_hold_meanwhile() {
    let Some(mut site) = Site::enforcing() else { return };
    site.assert_dropped();
    let killed = site.main_pid();
    site.must(&format!("kill -9 {killed}"));
    site.assert_dropped();
    site.machine.wait_until("test $(systemctl show --property NRestarts --value sip-fw) = 1").unwrap();
    site.machine.wait_until("systemctl is-active sip-fw").unwrap();
    assert_ne!(site.main_pid(), killed);
    assert_eq!(site.status()["agent"]["running"], true);
    site.assert_dropped();
}

#[test]
fn an_agent_that_ends_by_itself_comes_back() {
    let Some(site) = Site::installed() else { return };
    let ended = site.main_pid();
    site.must(&format!("kill {ended}"));
    site.machine.wait_until("test $(systemctl show --property NRestarts --value sip-fw) = 1").unwrap();
    site.machine.wait_until("systemctl is-active sip-fw").unwrap();
}

#[test]
fn an_agent_that_hangs_is_started_again() {
    let Some(mut site) = Site::enforcing() else { return };
    let folder = "/etc/systemd/system/sip-fw.service.d";
    site.must(&format!(
        "mkdir {folder} && printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=2\\n' > {folder}/short.conf"
    ));
    site.must("systemctl daemon-reload && systemctl restart sip-fw");
    let hanging = site.main_pid();
    site.must(&format!("kill -STOP {hanging}"));
    site.assert_dropped();
    site.machine.wait_until("test $(systemctl show --property NRestarts --value sip-fw) = 1").unwrap();
    site.machine.wait_until("systemctl is-active sip-fw").unwrap();
    assert_ne!(site.main_pid(), hanging);
    assert!(site.must("journalctl --unit sip-fw").contains("Watchdog timeout"));
    site.assert_dropped();
}

#[test]
fn what_was_detached_stays_off() {
    let Some(mut site) = Site::enforcing() else { return };
    site.must("sip-fw detach");
    // An agent that is to come back is `activating (auto-restart)` meanwhile.
    site.machine.wait_until("test \"$(systemctl is-active sip-fw)\" != active").unwrap();
    wait_for("the programs to be off", PATIENCE, || site.bed.pbx.has_xdp().is_ok_and(|has| !has)).unwrap();
    let state = site.must("systemctl show --property SubState,Result,ExecMainStatus --value sip-fw");
    let mut words: Vec<&str> = state.lines().collect();
    words.sort_unstable();
    assert_eq!(words, ["6", "dead", "success"]);
    site.assert_passing();

    site.must("systemctl start sip-fw");
    assert!(site.bed.pbx.has_xdp().unwrap());
}

#[test]
fn a_reload_that_cannot_be_fails_and_changes_nothing() {
    let Some(mut site) = Site::enforcing() else { return };
    site.must(&format!("cp --preserve {CONFIG} /root/good.toml && echo nonsense >> {CONFIG}"));
    assert_ne!(site.code("systemctl reload sip-fw"), 0);
    assert!(site.must("journalctl --unit sip-fw").contains(": syntax: "), "the reason is in the journal");
    site.assert_dropped();
    site.must(&format!("cp --preserve /root/good.toml {CONFIG} && systemctl reload sip-fw"));
}

#[test]
fn a_file_is_applied_from_wherever_an_operator_keeps_it() {
    let Some(site) = Site::enforcing() else { return };
    site.must("install --directory --mode 0700 --owner nobody /home/nobody");
    for (place, threshold) in [("/root", 6), ("/home/nobody", 7), ("/tmp", 8)] {
        let file = format!("{place}/new.toml");
        site.must(&format!("sed 's/^threshold = .*/threshold = {threshold}/' {CONFIG} > {file}"));
        site.must(&format!("chmod 0600 {file} && chown --reference {place} {file}"));
        site.must(&format!("sip-fw apply {file}"));
        assert_eq!(site.status()["rules"]["threshold"], threshold);
        site.must(&format!("grep --quiet '^threshold = {threshold}' {CONFIG}"));
    }
    assert_eq!(site.must(&format!("stat --format '%a %U %G' {CONFIG}")), "640 root sip-fw");
}
