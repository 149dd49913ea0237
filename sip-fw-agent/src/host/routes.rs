//! Default gateways, from the kernel's routes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use procfs_core::FromBufRead;
use procfs_core::net::RouteEntries;

/// The routes of the network namespace that this thread is in.
const IPV4: &str = "/proc/thread-self/net/route";
const IPV6: &str = "/proc/thread-self/net/ipv6_route";
/// `RTF_UP` and `RTF_GATEWAY`: in use, and through a gateway.
const UP: u32 = 0x1;
const GATEWAY: u32 = 0x2;
/// `RTF_REJECT`: packets are refused there.
const REJECT: u32 = 0x200;

/// The default gateways of IPv4 and IPv6, each once, link-local ones among them; none when they cannot be told.
#[must_use]
pub fn gateways() -> Vec<IpAddr> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let mut gateways = ipv4(&text(IPV4));
    gateways.extend(ipv6(&text(IPV6)));
    gateways.sort_unstable();
    gateways.dedup();
    gateways
}

fn ipv4(routes: &str) -> Vec<IpAddr> {
    let Ok(RouteEntries(routes)) = RouteEntries::from_buf_read(routes.as_bytes()) else { return Vec::new() };
    let default = routes.iter().filter(|route| {
        let everybody = route.destination == Ipv4Addr::UNSPECIFIED && route.mask == Ipv4Addr::UNSPECIFIED;
        everybody && leads_to_gateway(route.flags.into())
    });
    default.map(|route| route.gateway.into()).collect()
}

/// Destination, length, source, length, next hop, metric, references, uses, flags, interface: all but the last in
/// base 16.
fn ipv6(routes: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, length, _, _, next_hop, _, _, _, flags, _] = fields[..] else { return None };
        let [destination, next_hop] = [destination, next_hop].map(|field| u128::from_str_radix(field, 16));
        let default = destination == Ok(0) && u8::from_str_radix(length, 16) == Ok(0);
        let leads = u32::from_str_radix(flags, 16).is_ok_and(leads_to_gateway);
        next_hop.ok().filter(|_| default && leads).map(|bits| Ipv6Addr::from_bits(bits).into())
    };
    routes.lines().filter_map(gateway).collect()
}

const fn leads_to_gateway(flags: u32) -> bool {
    flags & (UP | GATEWAY | REJECT) == UP | GATEWAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn default_routes_of_ipv4() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth1\t00000000\t016433C6\t0003\t0\t0\t200\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t300\t00000000\t0\t0\t0
*\t00000000\t00000000\t0201\t0\t0\t400\t00000000\t0\t0\t0
eth0\t0000000A\t020200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
";
        assert_eq!(ipv4(routes), ["192.0.2.1", "198.51.100.1"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert_eq!(ipv4(""), [""; 0].map(|a| a.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn default_routes_of_ipv6() {
        let none = "00000000000000000000000000000000";
        let routes = [
            format!(
                "{none} 00 {none} 00 fe80000000000000021122fffe334455 00000400 00000001 00000000 00450003     eth0"
            ),
            format!(
                "{none} 00 {none} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth1"
            ),
            format!("{none} 00 {none} 00 {none} ffffffff 00000001 00000000 00200200       lo"),
            format!(
                "20010db8000000000000000000000000 20 {none} 00 20010db8000000000000000000000002 00000400 00000001 00000000 00000003     eth1"
            ),
            format!(
                "20010db8000000000000000000000000 40 {none} 00 {none} 00000100 00000001 00000000 00000001     eth0"
            ),
            "nonsense".to_owned(),
        ];
        let expected = ["fe80::211:22ff:fe33:4455", "2001:db8::1"].map(|a| a.parse::<IpAddr>().unwrap());
        assert_eq!(ipv6(&routes.join("\n")), expected);
    }
}
