//! The rule of what an authentication failure is, written down slowly: every packet as text, every fact in a map.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use sip_fw_e2e::SIP_PORT;
use sip_fw_e2e::sip::Message;

use sip_fw_e2e::pcap::{Packet, segment};

/// What was counted, by the keys of the summary.
pub type Counts = BTreeMap<&'static str, u64>;

pub const KEYS: [&str; 8] =
    ["messages", "attempts", "failures_proven", "failures_unproven", "stale", "successes", "challenges", "unparsed"];

/// A request that was asked.
struct Asked {
    method: String,
    /// Its credentials as they stand in it, and the nonces in them.
    credentials: Option<(String, Vec<String>)>,
    peer: SocketAddr,
    tcp: bool,
    /// Requests on this branch that have no final answer yet.
    open: u32,
}

/// Counts a capture as `replay --observe` has to.
pub fn count(packets: &[Packet], local: &[IpAddr]) -> Counts {
    let mut counts: Counts = KEYS.map(|key| (key, 0)).into();
    let mut asked: HashMap<(String, String), Asked> = HashMap::new();
    let mut receivers: HashMap<String, HashSet<String>> = HashMap::new();
    for packet in packets {
        let Some(segment) = segment(packet) else { continue };
        let (from, to) = (segment.source, segment.destination);
        let arriving = match (local.contains(&from.ip()), local.contains(&to.ip())) {
            (false, true) => true,
            (true, false) => false,
            _ => continue,
        };
        let (service_port, peer) = if arriving { (to.port(), from) } else { (from.port(), to) };
        let blank = segment.payload.iter().take_while(|byte| **byte <= b' ').count();
        let text = &segment.payload[blank..];
        if service_port != SIP_PORT || text.is_empty() {
            continue;
        }
        let Some(message) = Message::parse(text).filter(|message| message.header("via").is_some()) else {
            if arriving {
                *counts.get_mut("unparsed").unwrap() += 1;
            }
            continue;
        };
        let mut add = |key| *counts.get_mut(key).unwrap() += 1;
        add("messages");
        let source = source_of(peer.ip());
        let key = (source.clone(), message.branch().unwrap_or_default().to_owned());
        let method = message.method().unwrap_or_default().to_owned();
        match message.status() {
            None if arriving && method != "ACK" && method != "CANCEL" => {
                let digests: Vec<&str> = message
                    .all("authorization")
                    .chain(message.all("proxy-authorization"))
                    .filter(|value| value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("digest")))
                    .collect();
                let nonces = digests.iter().filter_map(|value| nonce_of(value)).collect();
                let credentials = (!digests.is_empty()).then(|| (digests.join("\n"), nonces));
                let known = asked.get(&key);
                if known.is_some_and(|known| known.credentials == credentials && known.method == method) {
                    continue;
                }
                if credentials.is_some() {
                    add("attempts");
                }
                let open = known.map_or(0, |known| known.open) + 1;
                asked.insert(key, Asked { method, credentials, peer, tcp: segment.tcp, open });
            }
            Some(status) if !arriving && status >= 200 => {
                let challenge = message.challenge();
                if let (401 | 407, Some(challenge)) = (status, &challenge) {
                    receivers.entry(challenge.nonce.clone()).or_default().insert(source.clone());
                }
                let Some(asked) = asked.get_mut(&key).filter(|asked| asked.method == method && asked.open > 0) else {
                    continue;
                };
                asked.open -= 1;
                let Some((_, nonces)) = &asked.credentials else {
                    if status == 401 || status == 407 {
                        add("challenges");
                    }
                    continue;
                };
                let only_his =
                    |nonce: &String| receivers.get(nonce).is_some_and(|all| all.len() == 1 && all.contains(&source));
                let connected = segment.tcp && asked.tcp && asked.peer == peer;
                let proven = connected || nonces.iter().any(only_his);
                let pjsip = nonces.iter().any(|nonce| receivers.contains_key(nonce) && is_pjsip(nonce));
                let failure = if proven { "failures_proven" } else { "failures_unproven" };
                match status {
                    401 | 407 if challenge.as_ref().is_some_and(|challenge| challenge.stale) => add("stale"),
                    401 | 407 => add(failure),
                    403 if !pjsip => add(failure),
                    404 if !pjsip && method == "REGISTER" => add(failure),
                    200..=299 if method != "OPTIONS" => add("successes"),
                    _ => {}
                }
            }
            None | Some(_) => {}
        }
    }
    counts
}

/// IPv6 sources count as their /64.
fn source_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("{:?}", &v6.segments()[..4]),
    }
}

fn nonce_of(value: &str) -> Option<String> {
    let parameters = value.split_once(' ')?.1;
    let nonce = parameters.split(',').find_map(|parameter| parameter.trim().strip_prefix("nonce="))?;
    Some(nonce.trim_matches('"').to_owned())
}

fn is_pjsip(nonce: &str) -> bool {
    nonce.split_once('/').is_some_and(|(time, rest)| time.len() == 10 && rest.len() == 32)
}
