//! The name servers that are asked.

use std::net::{IpAddr, SocketAddr};

use super::check::Check;
use crate::config::raw::Spot;

const DNS_PORT: u16 = 53;

impl Check<'_> {
    pub(super) fn name_servers(&mut self, raw: Option<&Spot<Vec<Spot<String>>>>) -> Vec<SocketAddr> {
        let mut servers = Vec::new();
        for Spot { line, value } in raw.iter().flat_map(|list| &list.value) {
            match parse(value) {
                Some(server) => servers.push(server),
                None => self.fault(
                    *line,
                    "dns_servers",
                    format!("{value:?}"),
                    "a list of addresses with or without a port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353",
                ),
            }
        }
        servers
    }
}

fn parse(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    let server = match address {
        Some(address) => SocketAddr::new(address, DNS_PORT),
        None => text.parse().ok()?,
    };
    let reachable = !server.ip().is_unspecified() && !server.ip().is_multicast();
    (server.port() > 0 && reachable).then_some(server)
}
