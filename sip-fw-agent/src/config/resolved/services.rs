//! The services: their names, kinds and ports.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use sip_fw_common::abi::{Rate, ServiceKind};
use sip_fw_common::limits::SERVICES_MAX;

use super::check::{Check, one_of};
use crate::config::DefaultAction;
use crate::config::raw::{RawService, Spot};

const NAME_BYTES_MAX: usize = 32;
/// Messages per second, and at once.
const RATE: RangeInclusive<i64> = 0..=100_000;

/// A range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// TCP, else UDP.
    pub tcp: bool,
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tcp, first, last } = self;
        write!(f, "{}/{first}", if *tcp { "tcp" } else { "udp" })?;
        if first == last { Ok(()) } else { write!(f, "-{last}") }
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRules {
    /// Its name.
    pub name: String,
    /// Whether it is parsed.
    pub kind: ServiceKind,
    /// How it refuses a wrong password; see `refusal` of [`sip_fw_common::rules::ServiceEntry`].
    pub refusal: u8,
    /// How many messages it takes of a source: of one that nobody knows, and of a known peer.
    pub rates: [Rate; 2],
    /// Its ports.
    pub listen: Vec<Listen>,
    /// What happens to those whom no line of the access list matches.
    pub default: DefaultAction,
}

impl Check<'_> {
    pub(super) fn services(&mut self, raw: &[Spot<RawService>]) -> Vec<ServiceRules> {
        if raw.is_empty() {
            let listen = |tcp| Listen { tcp, first: 5060, last: 5060 };
            let listen = vec![listen(false), listen(true)];
            let (kind, default, rates) =
                (ServiceKind::Sip, DefaultAction::Allow, self.rates(&RawService::default(), ServiceKind::Sip));
            return vec![ServiceRules { name: "sip".to_owned(), kind, refusal: 0, rates, listen, default }];
        }
        if let Some(service) = raw.get(SERVICES_MAX) {
            self.fault(service.line, "service", format!("{} services", raw.len()), format!("at most {SERVICES_MAX}"));
        }
        let mut services: Vec<ServiceRules> = Vec::new();
        let mut owners: HashMap<(bool, u16), String> = HashMap::new();
        for Spot { line, value } in raw.iter().take(SERVICES_MAX) {
            let name = self.service_name(*line, value, &services);
            let kind = self.service_kind(*line, value);
            let refusal = self.refusal(value, kind);
            let rates = self.rates(value, kind);
            let listen = self.listen(*line, value, &name, &mut owners);
            let choices = [("allow", DefaultAction::Allow), ("deny", DefaultAction::Deny)];
            let default = self.choice("service.default", value.default.as_ref(), &choices);
            services.push(ServiceRules { name, kind, refusal, rates, listen, default });
        }
        services
    }

    fn service_name(&mut self, line: usize, raw: &RawService, services: &[ServiceRules]) -> String {
        let allowed = "a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other service";
        let Some(name) = &raw.name else {
            self.missing(line, "service.name", allowed);
            return String::new();
        };
        if !is_plain_name(&name.value) || services.iter().any(|service| service.name == name.value) {
            self.fault(name.line, "service.name", format!("{:?}", name.value), allowed);
        }
        name.value.clone()
    }

    fn service_kind(&mut self, line: usize, raw: &RawService) -> ServiceKind {
        let choices = [("sip", ServiceKind::Sip), ("opaque", ServiceKind::Opaque)];
        if raw.kind.is_none() {
            self.missing(line, "service.kind", &one_of(&choices));
        }
        self.choice("service.kind", raw.kind.as_ref(), &choices)
    }

    fn refusal(&mut self, raw: &RawService, kind: ServiceKind) -> u8 {
        if let (ServiceKind::Opaque, Some(refusal)) = (kind, &raw.refusal) {
            self.fault(refusal.line, "service.refusal", format!("{:?}", refusal.value), "only with kind = \"sip\"");
            return 0;
        }
        self.choice("service.refusal", raw.refusal.as_ref(), &[("auto", 0), ("challenge", 1), ("forbidden", 2)])
    }

    fn rates(&mut self, raw: &RawService, kind: ServiceKind) -> [Rate; 2] {
        let keys = [
            [("service.rate", &raw.rate, 20), ("service.burst", &raw.burst, 100)],
            [("service.peer_rate", &raw.peer_rate, 200), ("service.peer_burst", &raw.peer_burst, 1000)],
        ];
        keys.map(|keys| {
            let [per_second, burst] = keys.map(|(key, value, default)| {
                if let (ServiceKind::Opaque, Some(Spot { line, value })) = (kind, value) {
                    self.fault(*line, key, value.to_string(), "only with kind = \"sip\"");
                }
                self.number(key, value.as_ref(), &RATE, default) as u32
            });
            match per_second {
                0 => Rate::default(),
                _ if kind == ServiceKind::Opaque => Rate::default(),
                _ => Rate { interval_us: 1_000_000 / per_second, burst: burst.max(1) },
            }
        })
    }

    fn listen(
        &mut self,
        line: usize,
        raw: &RawService,
        service: &str,
        owners: &mut HashMap<(bool, u16), String>,
    ) -> Vec<Listen> {
        let allowed = "a list of udp/PORT, tcp/PORT or udp/FIRST-LAST, with ports from 1 to 65535";
        let Some(list) = &raw.listen else {
            self.missing(line, "service.listen", allowed);
            return Vec::new();
        };
        if list.value.is_empty() {
            self.fault(list.line, "service.listen", "an empty list", allowed);
        }
        let mut ranges = Vec::new();
        for Spot { line, value } in &list.value {
            let Some(range) = parse_listen(value) else {
                self.fault(*line, "service.listen", format!("{value:?}"), allowed);
                continue;
            };
            let taken =
                (range.first..=range.last).find_map(|port| owners.get(&(range.tcp, port)).map(|o| (port, o.clone())));
            if let Some((port, owner)) = taken {
                let protocol = if range.tcp { "tcp" } else { "udp" };
                let found = format!("{value:?}, but {protocol}/{port} already belongs to service {owner:?}");
                self.fault(*line, "service.listen", found, "each port once");
                continue;
            }
            owners.extend((range.first..=range.last).map(|port| ((range.tcp, port), service.to_owned())));
            ranges.push(range);
        }
        ranges
    }
}

/// Whether services and feeds may be called this.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

fn parse_listen(text: &str) -> Option<Listen> {
    let (protocol, ports) = text.split_once('/')?;
    let tcp = match protocol {
        "udp" => false,
        "tcp" => true,
        _ => return None,
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    (first <= last).then_some(Listen { tcp, first, last })
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}
