//! Addresses on the web.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::host_name::is_host_name;

/// Whether this is `http://` or `https://`, a host, and what may follow.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|_| text.bytes().all(|b| b.is_ascii_graphic())) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, port)) => {
            host.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }
        None => {
            let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
            (is_host_name(host) || host.parse::<Ipv4Addr>().is_ok()) && port.is_none_or(is_port)
        }
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for url in [
            "http://lists.example",
            "https://lists.example/a?b=c#d",
            "https://user:secret@lists.example:8443/a",
            "http://192.0.2.1:8080",
            "http://[2001:db8::1]",
            "http://[2001:db8::1]:8080/a",
        ] {
            assert!(is_url(url), "{url}");
        }
        for wrong in [
            "",
            "lists.example",
            "ftp://lists.example",
            "HTTP://lists.example",
            "https://",
            "https:///a",
            "https://:443/",
            "https://user@/",
            "https://lists.example:/",
            "https://lists.example:0/",
            "https://lists.example:65536/",
            "https://192.0.2.300/",
            "https://[2001:db8::1/",
            "https://[2001:db8::1]8080/",
            "https://lists.example/a b",
            "https://lists.example/é",
            "https://lists_example/",
        ] {
            assert!(!is_url(wrong), "{wrong}");
        }
    }
}
