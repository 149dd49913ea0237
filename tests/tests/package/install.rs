//! What an installation brings, and that it harms nobody on a host that it does not know.

use serde_json::Value;
use sip_fw_e2e::Family;

use crate::site::{CONFIG, Site};

/// Tenths of what `systemd-analyze security` may say; docs/systemd.md names what it says.
const EXPOSURE_MAX: u32 = 25;

#[test]
fn it_is_ready_and_observes() {
    let Some(mut site) = Site::installed() else { return };
    site.must("systemctl is-enabled sip-fw");
    let status = site.status();
    assert_eq!((&status["agent"]["running"], &status["agent"]["mode"]), (&true.into(), &"observe".into()), "{status}");
    assert!(site.bed.pbx.has_xdp().unwrap());
    for family in Family::BOTH {
        site.must(&format!("sip-fw ban {}", site.bed.attacker.address(family)));
    }
    site.assert_passing();

    // Its journal has fields, as everything that it says.
    let journal = site.must("journalctl --unit sip-fw --output json");
    let entries: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&Value> = entries.iter().map(|entry| &entry["SIP_FW_EVENT"]).collect();
    assert!(["agent-started", "attached", "ban"].iter().all(|event| events.contains(&&(*event).into())), "{journal}");

    // Nothing of the unit is unknown to this systemd.
    let said = site.must("systemd-analyze verify --man=no sip-fw.service 2>&1");
    assert_eq!(said, "");
    site.must(&format!("systemd-analyze security --no-pager --threshold={EXPOSURE_MAX} sip-fw.service"));
}

#[test]
fn the_files_are_there_and_belong_to_whom_they_should() {
    let Some(site) = Site::installed() else { return };
    assert_eq!(site.must(&format!("stat --format '%a %U %G' {CONFIG}")), "640 root sip-fw");
    assert_eq!(site.must("stat --format '%a %U %G' /run/sip-fw/control.sock"), "660 root sip-fw");
    assert_eq!(site.must("stat --format '%a %U %G' /var/lib/sip-fw"), "750 root sip-fw");
    assert!(site.must("dpkg-query --show --showformat '${Conffiles}' sip-fw").contains(CONFIG));
    let depends = site.must("dpkg-query --show --showformat '${Depends}' sip-fw");
    let mut packages = depends.split(", ").filter_map(|package| package.split(' ').next());
    assert!(packages.all(|package| ["libc6", "libgcc-s1", "systemd"].contains(&package)), "{depends}");

    let files = site.must("dpkg --listfiles sip-fw");
    let verbs = site.must("sip-fw --help | sed -n '/^Commands:/,/^$/s/^  \\([a-z]*\\) .*/\\1/p'");
    let pages =
        verbs.lines().filter(|verb| *verb != "help").map(|verb| format!("/usr/share/man/man1/sip-fw-{verb}.1.gz"));
    let others = [
        "/usr/share/man/man1/sip-fw.1.gz",
        "/usr/share/man/man5/sip-fw.toml.5.gz",
        "/usr/share/bash-completion/completions/sip-fw",
        "/usr/share/zsh/vendor-completions/_sip-fw",
        "/usr/share/fish/vendor_completions.d/sip-fw.fish",
        "/usr/share/doc/sip-fw/copyright",
    ];
    let wanted: Vec<String> = pages.chain(others.map(str::to_owned)).collect();
    assert!(wanted.len() > 15, "{verbs}");
    for file in wanted {
        assert!(files.lines().any(|line| line == file), "{file} is not in\n{files}");
    }
}

#[test]
fn the_group_may_ask_and_nobody_else_may_change() {
    let Some(site) = Site::installed() else { return };
    let as_nobody = |groups: &str, verb: &str| {
        site.machine.run(&format!("setpriv --reuid nobody --regid nogroup {groups} sip-fw {verb}")).unwrap()
    };
    let member = as_nobody("--groups sip-fw", "status --json");
    assert!(member.code == 0 && member.stdout.contains("\"running\":true"), "{member:?}");
    let change = as_nobody("--groups sip-fw", "unban --all");
    assert!(change.code == 1 && change.stderr.contains("only root may change"), "{change:?}");
    let stranger = as_nobody("--clear-groups", "status --json");
    assert!(stranger.code != 0 && !stranger.stdout.contains("\"running\":true"), "{stranger:?}");
}
