//! Whether a pinned link still leads to its interface: links of deleted interfaces stay pinned, but are dead.

use std::fs;
use std::path::Path;

use aya::programs::links::{FdLink, Link as _, PinnedLink};
use nix::net::if_::if_nametoindex;

use super::pins::{INGRESS_MODES, existing_mode};

/// Whether the interface is there.
#[must_use]
pub fn exists(interface: &str) -> bool {
    if_nametoindex(interface).is_ok()
}

/// Whether a link in this folder leads nowhere, or to an interface that has another name by now.
pub(super) fn is_dead(folder: &Path, interface: &str) -> bool {
    let ingress = existing_mode(folder, "ingress", INGRESS_MODES).map(|mode| format!("ingress-{mode}"));
    // With clsact nothing says where the filter is; it goes with the interface, as ingress does.
    let pins = ingress.into_iter().chain(["egress-tcx".to_owned()]);
    let now = if_nametoindex(interface).ok();
    pins.filter_map(|pin| index(&folder.join(pin))).any(|index| is_elsewhere(index, now))
}

fn is_elsewhere(index: u32, now: Option<u32>) -> bool {
    // Where nobody has the name, a link that leads somewhere was renamed with its interface, and still protects it.
    index == 0 || now.is_some_and(|now| now != index)
}

/// The interface of a pinned link, 0 if it was deleted; None if this kernel does not tell.
fn index(pin: &Path) -> Option<u32> {
    let link = FdLink::from(PinnedLink::from_pin(pin).ok()?);
    // aya shows neither the descriptor nor the interface; what it prints for people has the descriptor.
    let id = format!("{:?}", link.id());
    let descriptor: u32 = id.strip_prefix("FdLinkId(")?.strip_suffix(')')?.parse().ok()?;
    field(&fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?)
}

fn field(info: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix("ifindex:")).and_then(|index| index.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_link_leads() {
        assert_eq!(field("pos:\t0\nlink_type:\txdp\nlink_id:\t7\nifindex:\t12\n"), Some(12));
        assert_eq!(field("pos:\t0\nlink_type:\txdp\n"), None);
        assert!(is_elsewhere(0, None) && is_elsewhere(0, Some(7)) && is_elsewhere(12, Some(7)));
        assert!(!is_elsewhere(12, Some(12)) && !is_elsewhere(12, None));
    }
}
