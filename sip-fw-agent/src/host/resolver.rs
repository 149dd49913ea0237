//! The name servers of the system.

use std::fs;
use std::net::IpAddr;

const FILE: &str = "/etc/resolv.conf";

/// The name servers that the system asks, each once, without those on this host; none when they cannot be told.
#[must_use]
pub fn name_servers() -> Vec<IpAddr> {
    parse(&fs::read_to_string(FILE).unwrap_or_default())
}

fn parse(text: &str) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some("nameserver"), Some(address)) = (words.next(), words.next()) else { continue };
        // A link-local address names its interface: fe80::1%eth0.
        let address = address.split('%').next().unwrap_or_default();
        let Ok(server) = address.parse::<IpAddr>() else { continue };
        let server = server.to_canonical();
        // The resolver takes the unspecified address for this host, too.
        let elsewhere = !server.is_loopback() && !server.is_unspecified();
        if elsewhere && !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_elsewhere() {
        let text = "# nameserver 192.0.2.1
;nameserver 192.0.2.2
nameserver 127.0.0.53
nameserver\t192.0.2.53
nameserver 192.0.2.53
nameserver fe80::1%eth0
nameserver ::1
nameserver 0.0.0.0
nameserver 2001:db8::53 # comment
nameserver
nameserver ns.example
options edns0
";
        let expected = ["192.0.2.53", "fe80::1", "2001:db8::53"].map(|a| a.parse::<IpAddr>().unwrap());
        assert_eq!(parse(text), expected);
        assert!(parse("").is_empty());
    }
}
