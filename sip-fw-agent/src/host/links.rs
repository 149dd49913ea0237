//! The network interfaces of this host. Not from sysfs, which may show those of another network namespace.

use std::fs;
use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp};

use super::netlink::dump;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Bytes of the longest IP packet.
    pub mtu: u32,
    /// It is switched on.
    pub up: bool,
    /// Somebody is at the other end.
    pub carrier: bool,
    /// Its packets begin with an Ethernet header.
    pub ethernet: bool,
    /// Packets to it never leave this host.
    pub loopback: bool,
    /// What it is if it is no hardware, such as `veth`, `vlan` or `bridge`.
    pub kind: Option<String>,
    /// Number of the interface of this host that it is stacked on.
    pub below: Option<u32>,
    /// Number of the bridge or bond that it is a port of.
    pub controller: Option<u32>,
    /// Numbers of the XDP programs on it.
    pub xdp: Vec<u32>,
}

/// The network interfaces of this host.
///
/// # Errors
///
/// When the kernel does not list them.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let listed = dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let link = |message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(interface(link)),
        _ => None,
    };
    Ok(listed.into_iter().filter_map(link).collect())
}

/// Name of the driver, or of what stands in its place; None where sysfs does not show this interface.
#[must_use]
pub fn driver(interface: &Interface) -> Option<String> {
    if let Some(kind) = &interface.kind {
        return Some(kind.clone());
    }
    let folder = format!("/sys/class/net/{}", interface.name);
    let index: u32 = fs::read_to_string(format!("{folder}/ifindex")).ok()?.trim().parse().ok()?;
    let driver = fs::read_link(format!("{folder}/device/driver")).ok().filter(|_| index == interface.index)?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

fn interface(link: LinkMessage) -> Interface {
    let flags = link.header.flags;
    let mut found = Interface {
        index: link.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        loopback: flags.contains(LinkFlags::Loopback),
        ethernet: matches!(link.header.link_layer_type, LinkLayerType::Ether | LinkLayerType::Loopback),
        ..Interface::default()
    };
    let mut elsewhere = false;
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name = name,
            LinkAttribute::Mtu(mtu) => found.mtu = mtu,
            LinkAttribute::Link(below) => found.below = Some(below),
            LinkAttribute::Controller(controller) => found.controller = Some(controller),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(infos) => found.kind = infos.into_iter().find_map(kind),
            LinkAttribute::Xdp(parts) => found.xdp = programs(&parts),
            _ => {}
        }
    }
    // The other end of a veth pair is not below it, and what is in another namespace has numbers of its own.
    if elsewhere || found.kind.as_deref() == Some("veth") {
        found.below = None;
    }
    found
}

fn kind(info: LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

/// Programs of several modes have attributes of their own, and a single one has a second one that says it again.
fn programs(parts: &[LinkXdp]) -> Vec<u32> {
    let id = |part: &LinkXdp| match part {
        LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) | LinkXdp::HwProgId(id) => Some(*id),
        _ => None,
    };
    let mut ids: Vec<u32> = parts.iter().filter_map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there() {
        let all = interfaces().unwrap();
        let lo = all.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(lo.loopback && lo.ethernet && lo.index > 0 && lo.mtu > 0, "{lo:?}");
        assert_eq!((lo.kind.as_deref(), lo.below, driver(lo)), (None, None, None));
    }

    #[test]
    fn each_program_once() {
        assert_eq!(programs(&[LinkXdp::Flags(4), LinkXdp::ProgId(7), LinkXdp::DrvProgId(7)]), [7]);
        assert_eq!(programs(&[LinkXdp::SkbProgId(9), LinkXdp::DrvProgId(7)]), [7, 9]);
        assert_eq!(programs(&[]), [0; 0]);
    }
}
