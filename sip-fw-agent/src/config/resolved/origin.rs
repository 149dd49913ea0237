//! Where the addresses of an access line come from, as people write it, and what no line may say.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::host_name::is_host_name;
use crate::config::{AccessAction, Origin};

/// What may stand for an origin.
pub(super) const ALLOWED: &str = "an address, a prefix, a host name, own, learned, file:/PATH, feed:NAME or country:XX";
/// Bits of the prefix under which IPv6 holds the addresses of IPv4.
const MAPPED_BITS: u8 = 96;
const LOOPBACK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);

/// What the rest of the file offers to origins.
pub(super) struct Offer<'a> {
    /// Names of the feeds.
    pub(super) feeds: HashSet<&'a str>,
    /// Whether there is a database of countries.
    pub(super) country_db: bool,
}

/// Why an origin is refused, in the words of a fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What is there.
    pub(super) found: String,
    /// What may be there.
    pub(super) allowed: String,
}

impl Refused {
    fn new(found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { found: found.into(), allowed: allowed.into() }
    }
}

/// Reads one origin of a line with this action; None for a line whose action is wrong.
pub(super) fn parse(text: &str, action: Option<AccessAction>, offer: &Offer<'_>) -> Result<Origin, Refused> {
    let origin = read(text, offer)?;
    match refuse(text, &origin, action) {
        Some(refused) => Err(refused),
        None => Ok(origin),
    }
}

fn read(text: &str, offer: &Offer<'_>) -> Result<Origin, Refused> {
    let refused = |allowed: &str| Err(Refused::new(format!("{text:?}"), allowed));
    match text {
        "own" => return Ok(Origin::Own),
        "learned" => return Ok(Origin::Learned),
        // Host names by their form, and other firewalls' word for everybody.
        "any" | "all" => return refused("\"0.0.0.0/0\" and \"::/0\" for everybody"),
        _ => {}
    }
    if let Some(path) = text.strip_prefix("file:") {
        let sound = path.starts_with('/') && !path.contains('\0');
        return if sound { Ok(Origin::File(path.into())) } else { refused("file: and an absolute path") };
    }
    if let Some(name) = text.strip_prefix("feed:") {
        return feed(name, offer).map_or_else(|allowed| refused(&allowed), Ok);
    }
    if let Some(code) = text.strip_prefix("country:") {
        return country(text, code, offer);
    }
    if let Some(net) = parse_net(text) {
        return Ok(Origin::Net(net));
    }
    if is_host_name(text) {
        // DNS does not tell capital letters from small ones, so neither may what compares origins.
        return Ok(Origin::Host(text.to_ascii_lowercase()));
    }
    if is_like_an_address(text) {
        return Err(Refused::new(
            format!("{text:?}, which is neither an address nor a prefix"),
            "203.0.113.9, 203.0.113.0/24, 2001:db8::1, 2001:db8::/48 and the like",
        ));
    }
    refused(ALLOWED)
}

/// Says why no line with this action may have this origin.
fn refuse(text: &str, origin: &Origin, action: Option<AccessAction>) -> Option<Refused> {
    let (trust, deny) = (action == Some(AccessAction::Trust), action == Some(AccessAction::Deny));
    match origin {
        Origin::Own if deny => Some(Refused::new(
            "\"own\" with action \"deny\", which would cut this host off from itself",
            "addresses of others",
        )),
        Origin::Learned if trust => Some(Refused::new(
            "\"learned\" with action \"trust\", so that nobody who guesses beside a known peer would be judged",
            "\"learned\" with action \"allow\": known peers pass the gate, and are judged",
        )),
        Origin::Net(net) if net.prefix_len() == 0 && trust => Some(Refused::new(
            format!("{text:?} with action \"trust\", so that nobody would be judged"),
            "narrower prefixes; action \"allow\" lets everybody pass, and judges them",
        )),
        Origin::Net(net) if net.prefix_len() == 0 && deny => Some(Refused::new(
            format!("{text:?} with action \"deny\", which closes the service for everybody"),
            "narrower prefixes; default = \"deny\" of the [[service]] denies all whom no line matches",
        )),
        Origin::Net(net) if net.network().is_multicast() => Some(Refused::new(
            format!("{text:?}, which is multicast: nothing is ever sent from there"),
            "addresses that packets come from",
        )),
        Origin::Net(net) if deny && touches_loopback(*net) => Some(Refused::new(
            format!("{text:?} with action \"deny\", in which this host talks to itself"),
            "prefixes without 127.0.0.0/8 and ::1",
        )),
        _ => None,
    }
}

/// Reads an address or a prefix; bits beyond the prefix are cut off. IPv4-mapped IPv6 counts as IPv4.
fn parse_net(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => return Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>().ok()?.trunc(),
    };
    let IpNet::V6(v6) = net else { return Some(net) };
    let mapped = v6.prefix_len().checked_sub(MAPPED_BITS).zip(v6.addr().to_ipv4_mapped());
    let v4 = mapped.and_then(|(len, address)| Ipv4Net::new(address, len).ok());
    Some(v4.map_or(net, IpNet::V4))
}

fn feed(name: &str, offer: &Offer<'_>) -> Result<Origin, String> {
    if offer.feeds.contains(name) {
        return Ok(Origin::Feed(name.to_owned()));
    }
    let mut names: Vec<_> = offer.feeds.iter().map(|name| format!("{name:?}")).collect();
    names.sort();
    Err(if names.is_empty() {
        "feed: and the name of a [[feed]]; there is none".to_owned()
    } else {
        format!("feed: and the name of a [[feed]]: {}", names.join(", "))
    })
}

fn country(text: &str, code: &str, offer: &Offer<'_>) -> Result<Origin, Refused> {
    if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(Refused::new(format!("{text:?}"), "country: and two letters (ISO 3166-1)"));
    }
    if !offer.country_db {
        return Err(Refused::new(
            format!("{text:?} without country_db"),
            "countries only with country_db = \"/PATH.mmdb\" at the top of the file",
        ));
    }
    Ok(Origin::Country(code.to_ascii_uppercase()))
}

fn is_like_an_address(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_hexdigit() || b".:/".contains(&b);
    text.bytes().any(|b| b.is_ascii_digit() || b == b':') && text.bytes().all(digit)
}

fn touches_loopback(net: IpNet) -> bool {
    match net {
        IpNet::V4(v4) => v4.contains(&LOOPBACK) || LOOPBACK.contains(&v4),
        IpNet::V6(v6) => v6.contains(&Ipv6Addr::LOCALHOST),
    }
}
