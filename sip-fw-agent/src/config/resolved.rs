//! The configuration as everything else sees it: every value is in its range.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sip_fw_common::abi::{Service, ServiceKind, Settings};
use sip_fw_common::limits::{LADDER_STEPS_MAX, SERVICES_MAX, STRIKES_MAX};
use sip_fw_core::duration;
use sip_fw_core::source::Ipv6Prefix;

use super::Fault;
use super::raw::{Raw, RawBan, RawLimits, RawPaths, RawService, Spot};
use crate::kernel::TableSizes;

const INTERFACES: RangeInclusive<usize> = 1..=16;
const INTERFACE_BYTES_MAX: usize = 15;
const SERVICE_NAME_BYTES_MAX: usize = 32;
/// `sun_path` has 108 bytes, the last one is 0.
const SOCKET_BYTES_MAX: usize = 107;
const LENGTH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
const TABLE: RangeInclusive<i64> = 1024..=4_194_304;
const PREFIX_TABLE: RangeInclusive<i64> = 16..=65_536;
const DURATION_ALLOWED: &str = "a whole number and a unit (30s, 10m, 1h, 1d, 1w), from 1s to 365d";

/// What is done with the packets of banned sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are dropped.
    Enforce,
    /// Everything is decided and reported, nothing is dropped.
    Observe,
}

/// What the agent leaves behind when it is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Everything enforced.
    Keep,
    /// Nothing.
    Detach,
}

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Pinned maps and links.
    pub pins: PathBuf,
    /// What must outlive a reboot.
    pub state: PathBuf,
    /// Control socket.
    pub socket: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            pins: "/sys/fs/bpf/sip-fw".into(),
            state: "/var/lib/sip-fw".into(),
            socket: "/run/sip-fw/control.sock".into(),
        }
    }
}

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

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRules {
    /// Its name.
    pub name: String,
    /// Whether it is parsed.
    pub kind: ServiceKind,
    /// How it refuses a wrong password; see [`Service::refusal`].
    pub refusal: u8,
    /// Its ports.
    pub listen: Vec<Listen>,
}

/// When and how long to ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRules {
    /// Proven failures within the window that ban.
    pub threshold: u32,
    /// The window.
    pub window: Duration,
    /// Length of the ban at each step.
    pub ladder: Vec<Duration>,
    /// Quiet time after which the step is forgotten.
    pub decay: Duration,
    /// How long a source that authenticated stays a known peer.
    pub known_peer: Duration,
    /// A banned source reaches no port of this host at all.
    pub scope_host: bool,
}

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Interfaces to attach to.
    pub interfaces: Vec<String>,
    /// Whether to drop.
    pub mode: Mode,
    /// Bits of an IPv6 address that make a source.
    pub ipv6: Ipv6Prefix,
    /// What to leave behind.
    pub on_exit: OnExit,
    /// Where things are.
    pub paths: Paths,
    /// The services, by their number.
    pub services: Vec<ServiceRules>,
    /// When and how long to ban.
    pub ban: BanRules,
    /// Sizes of the tables.
    pub limits: TableSizes,
}

impl Config {
    /// The programs' settings.
    #[must_use]
    pub fn settings(&self, hash_seed: u64, prefix_bans: u32) -> Settings {
        let mut ladder_ns = [0; LADDER_STEPS_MAX];
        for (to, step) in ladder_ns.iter_mut().zip(&self.ban.ladder) {
            *to = nanos(*step);
        }
        Settings {
            clock_offset_ns: 0,
            fixed_now_ns: 0,
            window_ns: nanos(self.ban.window),
            decay_ns: nanos(self.ban.decay),
            known_peer_ns: nanos(self.ban.known_peer),
            ladder_ns,
            ipv6_mask: self.ipv6.mask(),
            hash_seed,
            threshold: self.ban.threshold,
            ladder_steps: self.ban.ladder.len().min(LADDER_STEPS_MAX) as u32,
            observe: u32::from(self.mode == Mode::Observe),
            scope_host: u32::from(self.ban.scope_host),
            prefix_bans,
            zero: 0,
        }
    }

    /// Every port of every service: is it TCP, its number, its service.
    #[must_use]
    pub fn ports(&self) -> Vec<(bool, u16, Service)> {
        let mut ports = Vec::new();
        for (number, service) in self.services.iter().enumerate() {
            let value =
                Service { kind: service.kind as u8, number: number as u8, refusal: service.refusal, _pad: [0; 5] };
            for listen in &service.listen {
                ports.extend((listen.first..=listen.last).map(|port| (listen.tcp, port, value)));
            }
        }
        ports
    }

    /// Names of the services, by their number.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        self.services.iter().map(|service| service.name.clone()).collect()
    }
}

/// Checks every value; None exactly when there is a fault.
pub fn resolve(raw: &Raw, faults: &mut Vec<Fault>) -> Option<Config> {
    let before = faults.len();
    let mut check = Check { faults };
    let config = Config {
        interfaces: check.interfaces(raw),
        mode: check.choice("mode", raw.mode.as_ref(), &[("enforce", Mode::Enforce), ("observe", Mode::Observe)]),
        ipv6: Ipv6Prefix::new(check.number("ipv6_prefix", raw.ipv6_prefix.as_ref(), &(32..=64), 64) as u8),
        on_exit: check.choice("on_exit", raw.on_exit.as_ref(), &[("keep", OnExit::Keep), ("detach", OnExit::Detach)]),
        paths: check.paths(&raw.paths),
        services: check.services(&raw.services),
        ban: check.ban(&raw.ban),
        limits: check.limits(&raw.limits),
    };
    (before == 0 && check.faults.is_empty()).then_some(config)
}

/// The paths alone; defaults for those that are faulty.
pub fn paths(raw: &Raw) -> Paths {
    Check { faults: &mut Vec::new() }.paths(&raw.paths)
}

struct Check<'a> {
    faults: &'a mut Vec<Fault>,
}

impl Check<'_> {
    fn fault(
        &mut self,
        line: impl Into<Option<usize>>,
        key: &str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        self.faults.push(Fault {
            line: line.into(),
            key: key.to_owned(),
            found: found.into(),
            allowed: allowed.into(),
        });
    }

    fn interfaces(&mut self, raw: &Raw) -> Vec<String> {
        let allowed = "1 to 16 names of network interfaces, each once, of 1 to 15 bytes without / or spaces";
        let Some(list) = &raw.interfaces else {
            if !self.faults.iter().any(|fault| fault.key == "interfaces" || fault.key == "syntax") {
                self.fault(None, "interfaces", "nothing", allowed);
            }
            return Vec::new();
        };
        if !INTERFACES.contains(&list.value.len()) {
            self.fault(list.line, "interfaces", format!("{} names", list.value.len()), allowed);
        }
        let mut names: Vec<String> = Vec::new();
        for Spot { line, value } in &list.value {
            let odd = |c: char| c == '/' || c == '\0' || c.is_whitespace();
            if value.is_empty() || value.len() > INTERFACE_BYTES_MAX || value.contains(odd) || names.contains(value) {
                self.fault(*line, "interfaces", format!("{value:?}"), allowed);
            }
            names.push(value.clone());
        }
        names
    }

    fn paths(&mut self, raw: &RawPaths) -> Paths {
        let default = Paths::default();
        Paths {
            pins: self.path("paths.pins", raw.pins.as_ref(), default.pins, usize::MAX),
            state: self.path("paths.state", raw.state.as_ref(), default.state, usize::MAX),
            socket: self.path("paths.socket", raw.socket.as_ref(), default.socket, SOCKET_BYTES_MAX),
        }
    }

    fn path(&mut self, key: &str, raw: Option<&Spot<String>>, default: PathBuf, bytes_max: usize) -> PathBuf {
        let Some(Spot { line, value }) = raw else { return default };
        if !value.starts_with('/') || value.contains('\0') {
            self.fault(*line, key, format!("{value:?}"), "an absolute path");
            return default;
        }
        if value.len() > bytes_max {
            self.fault(
                *line,
                key,
                format!("{} bytes", value.len()),
                format!("an absolute path of at most {bytes_max} bytes"),
            );
            return default;
        }
        value.into()
    }

    fn services(&mut self, raw: &[Spot<RawService>]) -> Vec<ServiceRules> {
        if raw.is_empty() {
            let listen = |tcp| Listen { tcp, first: 5060, last: 5060 };
            let listen = vec![listen(false), listen(true)];
            return vec![ServiceRules { name: "sip".to_owned(), kind: ServiceKind::Sip, refusal: 0, listen }];
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
            let listen = self.listen(*line, value, &name, &mut owners);
            services.push(ServiceRules { name, kind, refusal, listen });
        }
        services
    }

    fn service_name(&mut self, line: usize, raw: &RawService, services: &[ServiceRules]) -> String {
        let allowed = "a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other service";
        let Some(name) = &raw.name else {
            self.missing(line, "service.name", allowed);
            return String::new();
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits =
            !name.value.is_empty() && name.value.len() <= SERVICE_NAME_BYTES_MAX && name.value.bytes().all(plain);
        if !fits || services.iter().any(|service| service.name == name.value) {
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

    fn ban(&mut self, raw: &RawBan) -> BanRules {
        BanRules {
            threshold: self.number("ban.threshold", raw.threshold.as_ref(), &(1..=STRIKES_MAX as i64), 5) as u32,
            window: self.length("ban.window", raw.window.as_ref(), Duration::from_secs(600)),
            ladder: self.ladder(raw),
            decay: self.length("ban.decay", raw.decay.as_ref(), Duration::from_secs(30 * 86_400)),
            known_peer: self.length("ban.known_peer", raw.known_peer.as_ref(), Duration::from_secs(7 * 86_400)),
            scope_host: self.choice("ban.scope", raw.scope.as_ref(), &[("services", false), ("host", true)]),
        }
    }

    fn ladder(&mut self, raw: &RawBan) -> Vec<Duration> {
        let Some(list) = &raw.ladder else {
            return [60, 600, 3600, 86_400, 604_800].map(Duration::from_secs).to_vec();
        };
        if !(1..=LADDER_STEPS_MAX).contains(&list.value.len()) {
            let allowed = format!("1 to {LADDER_STEPS_MAX} steps");
            self.fault(list.line, "ban.ladder", format!("{} steps", list.value.len()), allowed);
        }
        let mut steps: Vec<Duration> = Vec::new();
        for spot in &list.value {
            let faults = self.faults.len();
            let step = self.length("ban.ladder", Some(spot), Duration::ZERO);
            if self.faults.len() > faults {
                continue;
            }
            if let Some(last) = steps.last().filter(|last| step <= **last) {
                let allowed = format!("a step longer than the one before, {}", duration::Short(*last));
                self.fault(spot.line, "ban.ladder", format!("{:?}", spot.value), allowed);
                continue;
            }
            steps.push(step);
        }
        steps
    }

    fn limits(&mut self, raw: &RawLimits) -> TableSizes {
        let mut size = |key: &str, spot: &Option<Spot<i64>>, range: &RangeInclusive<i64>, default: i64| {
            self.number(key, spot.as_ref(), range, default) as u32
        };
        TableSizes {
            bans: size("limits.bans", &raw.bans, &TABLE, 65_536),
            ban_prefixes: size("limits.ban_prefixes", &raw.ban_prefixes, &PREFIX_TABLE, 1024),
            sources: size("limits.sources", &raw.sources, &TABLE, 65_536),
            strikes: size("limits.strikes", &raw.strikes, &TABLE, 16_384),
            transactions: size("limits.transactions", &raw.transactions, &TABLE, 65_536),
            nonces: size("limits.nonces", &raw.nonces, &TABLE, 65_536),
            peers: size("limits.peers", &raw.peers, &TABLE, 65_536),
        }
    }

    fn number(&mut self, key: &str, raw: Option<&Spot<i64>>, range: &RangeInclusive<i64>, default: i64) -> i64 {
        let Some(Spot { line, value }) = raw else { return default };
        if !range.contains(value) {
            self.fault(*line, key, value.to_string(), format!("{} to {}", range.start(), range.end()));
            return default;
        }
        *value
    }

    fn length(&mut self, key: &str, raw: Option<&Spot<String>>, default: Duration) -> Duration {
        let Some(Spot { line, value }) = raw else { return default };
        match duration::parse(value) {
            Ok(length) if LENGTH.contains(&length) => length,
            Ok(_) | Err(_) => {
                self.fault(*line, key, format!("{value:?}"), DURATION_ALLOWED);
                default
            }
        }
    }

    /// The choice made; the first one when none was, or a wrong one.
    fn choice<T: Copy, const N: usize>(
        &mut self,
        key: &str,
        raw: Option<&Spot<String>>,
        choices: &[(&str, T); N],
    ) -> T {
        const { assert!(N > 0) };
        let Some(Spot { line, value }) = raw else { return choices[0].1 };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| name == value) {
            return *choice;
        }
        self.fault(*line, key, format!("{value:?}"), one_of(choices));
        choices[0].1
    }

    fn missing(&mut self, line: usize, key: &str, allowed: &str) {
        self.fault(line, key, "nothing", allowed);
    }
}

fn one_of<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(" or ")
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

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
