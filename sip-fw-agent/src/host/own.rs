//! The addresses of this host.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// The addresses of this host; none when they cannot be told.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    interface_addresses().into_iter().map(|(_, address)| address).collect()
}

/// The same, each with the name of its interface.
#[must_use]
pub fn interface_addresses() -> Vec<(String, IpAddr)> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let address = |storage: nix::sys::socket::SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    // An IPv4 address may have a label of its own, eth0:1; names have no colons.
    let name = |label: String| label.split(':').next().unwrap_or_default().to_owned();
    interfaces.filter_map(|found| Some((name(found.interface_name), found.address.and_then(address)?))).collect()
}
