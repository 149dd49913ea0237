//! What a network card and its settings do to the programs.

use super::finding::{Finding, Group, State, unknown};
use super::interfaces::Interface;

/// Drivers known to run XDP programs themselves, by the names that sysfs and netlink give them. What is not here is taken for
/// one that does not, and only noted.
const NATIVE: [&str; 29] = [
    "bnxt_en",
    "bond",
    "ena",
    "fec",
    "fsl_dpaa2_eth",
    "fsl_enetc",
    "gve",
    "hv_netvsc",
    "i40e",
    "ice",
    "igb",
    "igc",
    "ionic",
    "ixgbe",
    "ixgbevf",
    "mana",
    "mlx4_core",
    "mlx5_core",
    "mvneta",
    "mvpp2",
    "nfp",
    "qede",
    "rvu_nicpf",
    "sfc",
    "tun",
    "veth",
    "vif",
    "virtio_net",
    "vmxnet3",
];

/// Native XDP without several buffers a packet keeps one in a page: drivers draw the line between 3,000 bytes and 3,500.
const NATIVE_MTU: u32 = 3000;

/// Offloads that join TCP segments before any program sees them, and how `ethtool -K` calls them.
const JOINING: [(&str, &str); 2] = [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")];

/// What is to be said of an interface that something is attached to. `reads_tcp`: SIP over TCP is read there.
#[must_use]
pub fn judge(interface: &Interface, reads_tcp: bool) -> Vec<Finding> {
    if interface.ingress() == "none" {
        return Vec::new();
    }
    vec![mode(interface), offloads(interface, reads_tcp)]
}

fn mode(interface: &Interface) -> Finding {
    let Interface { name, driver, .. } = interface;
    let found = |state, text: String| Finding::new(Group::Attachment, "driver", state, text).of(name);
    let driver = driver.as_deref();
    let shown = driver.unwrap_or("an unknown driver");
    if interface.ingress() == "native" {
        let mtu = interface.link.as_ref().map_or(0, |link| link.mtu);
        return found(State::Ok, format!("{name}: {shown} drops banned packets itself, with an MTU of {mtu}"));
    }
    if driver.is_none_or(|driver| !NATIVE.contains(&driver)) {
        return found(State::Note, format!("{name}: {shown} has no native XDP, so that dropping a packet costs more"));
    }
    let reasons = obstacles(interface);
    let reasons = match reasons.as_slice() {
        [] => "; its kernel log may say why (`dmesg`): often too few queues".to_owned(),
        reasons => format!("; in its way: {}", reasons.join(", ")),
    };
    found(
        State::Warning,
        format!("{name}: {shown} knows native XDP, but the program runs later, where dropping costs more{reasons}"),
    )
    .advise("change that, remove the pin ingress-generic of this interface, and restart the agent")
}

/// What keeps drivers from native XDP.
fn obstacles(interface: &Interface) -> Vec<String> {
    let mtu = interface.link.as_ref().map(|link| link.mtu).filter(|mtu| *mtu > NATIVE_MTU);
    let mut found: Vec<_> = mtu.map(|mtu| format!("its MTU of {mtu}")).into_iter().collect();
    found.extend(joining(interface).into_iter().map(|(name, _)| format!("{name} is on")));
    found
}

fn joining(interface: &Interface) -> Vec<(&'static str, &'static str)> {
    let active = interface.offloads.as_deref().unwrap_or_default();
    JOINING.into_iter().filter(|(name, _)| active.iter().any(|found| found == name)).collect()
}

fn offloads(interface: &Interface, reads_tcp: bool) -> Finding {
    let name = &interface.name;
    let found = |state, text: String| Finding::new(Group::Attachment, "offloads", state, text).of(name);
    let active = match &interface.offloads {
        Ok(active) => active,
        Err(error) => return unknown(Group::Attachment, "offloads", error).of(name),
    };
    let joining = joining(interface);
    if reads_tcp && !joining.is_empty() {
        let (names, switches): (Vec<_>, Vec<_>) = joining.into_iter().unzip();
        let text = format!(
            "{name}: {} on: segments are joined before they are read, and of several SIP messages only the first is",
            names.join(" and ")
        );
        let off = format!("ethtool -K {name} {} off", switches.join(" off "));
        return found(State::Warning, text).advise(off);
    }
    if reads_tcp && interface.ingress() == "generic" && active.iter().any(|found| found == "rx-gro") {
        let text =
            format!("{name}: rx-gro joins TCP segments before they are read, as the driver does not run the program");
        return found(State::Note, text).advise(format!("if SIP over TCP matters: ethtool -K {name} gro off"));
    }
    found(State::Ok, format!("{name}: nothing joins packets before they are read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;
    use crate::kernel::Attachment;

    fn said(ingress: &'static str, driver: &str, mtu: u32, offloads: &[&str], reads_tcp: bool) -> Vec<(State, String)> {
        let link = host::Interface { mtu, ..host::Interface::default() };
        let interface = Interface {
            name: "eth0".to_owned(),
            link: Some(link),
            driver: Some(driver.to_owned()),
            attachment: Ok(Some(Attachment { interface: "eth0".to_owned(), ingress, egress: "tcx", dead: false })),
            ours: Ok(Some(7)),
            xdp: Vec::new(),
            arriving: Ok(Vec::new()),
            leaving: Ok(Vec::new()),
            offloads: Ok(offloads.iter().map(|name| (*name).to_owned()).collect()),
        };
        let told = judge(&interface, reads_tcp).into_iter();
        told.map(|finding| (finding.state, format!("{} {}", finding.text, finding.advice.unwrap_or_default())))
            .collect()
    }

    #[test]
    fn modes() {
        let mode = |ingress, driver, mtu, offloads: &[&str]| said(ingress, driver, mtu, offloads, false).remove(0);
        assert_eq!(mode("native", "ixgbe", 1500, &[]).0, State::Ok);
        assert_eq!(mode("generic", "r8169", 9000, &[]).0, State::Note);
        let (state, text) = mode("generic", "virtio_net", 9000, &["rx-gro-hw", "rx-gro"]);
        assert_eq!(state, State::Warning);
        assert!(text.contains("in its way: its MTU of 9000, rx-gro-hw is on"), "{text}");
        assert!(mode("generic", "virtio_net", 1500, &[]).1.contains("too few queues"));
        assert_eq!(said("none", "virtio_net", 1500, &[], true), []);
    }

    #[test]
    fn what_joins_segments() {
        let offloads = |ingress, active: &[&str], reads_tcp| said(ingress, "ixgbe", 1500, active, reads_tcp).remove(1);
        let (state, text) = offloads("native", &["rx-lro", "rx-gro-hw"], true);
        assert_eq!(state, State::Warning);
        assert!(text.ends_with("ethtool -K eth0 lro off rx-gro-hw off"), "{text}");
        assert_eq!(offloads("native", &["rx-lro"], false).0, State::Ok, "datagrams are never joined");
        assert_eq!(offloads("generic", &["rx-gro"], true).0, State::Note);
        assert_eq!(offloads("native", &["rx-gro"], true).0, State::Ok, "it comes later");
    }
}
