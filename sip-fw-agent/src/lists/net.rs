//! One address or prefix, as files and feeds write them, and lists of them in one form.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Entries of the longest list that is taken, of any origin. Its addresses and the work on them stay within some 100 MB.
pub const LIST_NETS_MAX: usize = 1_000_000;

/// What may stand in a list, for error messages.
pub const ALLOWED: &str = "203.0.113.9, 203.0.113.0/24, 2001:db8::1, 2001:db8::/48";

/// Shortest IPv4 prefix that a feed may contain: a mistake in somebody else's file must not shut out a continent.
const FEED_IPV4_PREFIX_MIN: u8 = 8;
/// The same for IPv6.
const FEED_IPV6_PREFIX_MIN: u8 = 16;
/// Bits in front of an IPv4 address that is written as an IPv6 one.
const MAPPED_BITS: u8 = 96;

/// Reads an address or a prefix. IPv4-mapped ones count as IPv4; bits below the prefix are cut. None when it is neither.
pub fn parse(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().ok()?,
    };
    Some(canonical(net))
}

/// A prefix without bits below it, as IPv4 if it is IPv4-mapped.
pub fn canonical(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(len) = v6.prefix_len().checked_sub(MAPPED_BITS)
        && let Ok(mapped) = Ipv4Net::new(v4, len)
    {
        return IpNet::V4(mapped.trunc());
    }
    net.trunc()
}

/// The same addresses in the fewest prefixes, sorted, so that equal lists compare equal.
pub fn aggregated(nets: Vec<IpNet>) -> Vec<IpNet> {
    let mut nets = IpNet::aggregate(&nets);
    nets.sort_unstable();
    nets
}

/// Whether no feed may contain it: everybody, very wide prefixes, loopback, unspecified, multicast.
pub fn is_refused_from_feeds(net: IpNet) -> bool {
    match net {
        IpNet::V4(v4) => {
            v4.prefix_len() < FEED_IPV4_PREFIX_MIN
                || v4.addr().is_loopback()
                || v4.addr().is_unspecified()
                || v4.addr().is_multicast()
        }
        IpNet::V6(v6) => {
            // The loopback address is the one after the unspecified one: a prefix that begins there contains both.
            v6.prefix_len() < FEED_IPV6_PREFIX_MIN
                || v6.addr().is_loopback()
                || v6.addr().is_unspecified()
                || v6.addr().is_multicast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_prefixes() {
        for (text, expected) in [
            ("203.0.113.9", "203.0.113.9/32"),
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:DB8::1/48", "2001:db8::/48"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse(text).map(|net| net.to_string()).as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", "host.example", "1.2.3", "010.1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "fe80::1%eth0"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_form_for_equal_lists() {
        let list = |texts: &[&str]| aggregated(texts.iter().map(|text| parse(text).unwrap()).collect());
        let shown = |texts: &[&str]| list(texts).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown(&["10.0.1.0/24", "2001:db8::1", "10.0.0.0/24", "10.0.0.7"]),
            ["10.0.0.0/23", "2001:db8::1/128"]
        );
        assert_eq!(shown(&["255.255.255.255", "0.0.0.0/0"]), ["0.0.0.0/0"]);
        assert_eq!(shown(&["::/0", "ffff::/16"]), ["::/0"]);
        assert_eq!(list(&["9.9.9.9", "1.1.1.1"]), list(&["1.1.1.1", "9.9.9.9", "1.1.1.1"]));
        assert_eq!(shown(&[]), [""; 0]);
    }

    #[test]
    fn what_no_feed_may_contain() {
        for wrong in [
            "0.0.0.0/0",
            "::/0",
            "8.0.0.0/7",
            "2000::/3",
            "127.0.0.1",
            "127.0.0.0/8",
            "0.0.0.0",
            "0.0.0.0/8",
            "224.0.0.5",
            "239.0.0.0/8",
            "::",
            "::1",
            "::/16",
            "::/127",
            "ff02::1",
            "ff00::/16",
        ] {
            assert!(is_refused_from_feeds(parse(wrong).unwrap()), "{wrong}");
        }
        for good in ["8.0.0.0/8", "203.0.113.9", "2400::/16", "2001:db8::1"] {
            assert!(!is_refused_from_feeds(parse(good).unwrap()), "{good}");
        }
    }
}
