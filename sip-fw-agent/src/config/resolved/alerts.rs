//! Who is told what happens: syslog, webhooks, hooks.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sip_fw_core::record::EventName;
use sip_fw_core::text::cut;
use ureq::http::header::CONTENT_TYPE;
use ureq::http::{HeaderName, HeaderValue};

use super::check::Check;
use super::host_name::is_host_name;
use super::services::is_plain_name;
use super::url::is_url;
use crate::alert::{Template, allowed_templates};
use crate::config::raw::{Raw, RawExec, RawSelection, RawSyslog, RawWebhook, Spot};
use crate::config::{AlertRules, ExecRules, Selection, SyslogRules, SyslogTarget, WebhookRules};

/// Each one keeps a thread.
const SINKS_MAX: usize = 8;
const HEADERS_MAX: usize = 16;
const ARGUMENTS_MAX: usize = 64;
const PER_MINUTE: RangeInclusive<i64> = 1..=6000;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// `sun_path` has 108 bytes, the last one is 0.
const SOCKET_BYTES_MAX: usize = 107;

/// What people want to hear of: decisions and troubles, not every packet's fate.
const EVENTS_DEFAULT: [EventName; 7] = [
    EventName::Ban,
    EventName::DeviceFault,
    EventName::DistributedGuessing,
    EventName::Enumeration,
    EventName::DialScan,
    EventName::Degraded,
    EventName::Detached,
];

/// The facilities that the agent may speak for (RFC 5424, section 6.2.1); the first is the default.
const FACILITIES: [(&str, u8); 12] = [
    ("daemon", 3),
    ("user", 1),
    ("auth", 4),
    ("authpriv", 10),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Check<'_> {
    pub(super) fn alerts(&mut self, raw: &Raw) -> AlertRules {
        self.bound("webhook", &raw.webhooks);
        self.bound("exec", &raw.hooks);
        let mut rules = AlertRules { syslog: raw.syslog.as_ref().map(|raw| self.syslog(raw)), ..AlertRules::default() };
        for Spot { line, value } in raw.webhooks.iter().take(SINKS_MAX) {
            let taken = |name: &str| rules.webhooks.iter().any(|webhook| webhook.name == name);
            let webhook = self.webhook(*line, value, taken);
            rules.webhooks.push(webhook);
        }
        for Spot { line, value } in raw.hooks.iter().take(SINKS_MAX) {
            let taken = |name: &str| rules.hooks.iter().any(|hook| hook.name == name);
            let hook = self.hook(*line, value, taken);
            rules.hooks.push(hook);
        }
        rules
    }

    fn bound<T>(&mut self, key: &str, list: &[Spot<T>]) {
        if let Some(first) = list.get(SINKS_MAX) {
            self.fault(first.line, key, format!("{} of them", list.len()), format!("at most {SINKS_MAX}"));
        }
    }

    fn syslog(&mut self, raw: &RawSyslog) -> SyslogRules {
        let mut to = SyslogTarget::Unix("/dev/log".into());
        if let Some(Spot { line, value }) = &raw.to {
            match target(value) {
                Some(target) => to = target,
                None => {
                    let allowed = "unix:/PATH, udp:HOST:PORT or tcp:HOST:PORT, with IPv6 addresses in brackets";
                    self.fault(*line, "syslog.to", format!("{value:?}"), allowed);
                }
            }
        }
        let facility = self.choice("syslog.facility", raw.facility.as_ref(), &FACILITIES);
        SyslogRules { to, facility, selection: self.selection("syslog", &raw.selection, 600) }
    }

    fn webhook(&mut self, line: usize, raw: &RawWebhook, taken: impl Fn(&str) -> bool) -> WebhookRules {
        WebhookRules {
            name: self.sink_name("webhook", line, raw.name.as_ref(), taken),
            url: self.webhook_url(line, raw),
            template: self.template(raw),
            headers: self.headers(raw),
            selection: self.selection("webhook", &raw.selection, 20),
            timeout: self.length_in("webhook.timeout", raw.timeout.as_ref(), &TIMEOUT, TIMEOUT_DEFAULT),
        }
    }

    fn hook(&mut self, line: usize, raw: &RawExec, taken: impl Fn(&str) -> bool) -> ExecRules {
        let name = self.sink_name("exec", line, raw.name.as_ref(), taken);
        let (program, arguments) = self.command(line, raw);
        ExecRules {
            name,
            program,
            arguments,
            selection: self.selection("exec", &raw.selection, 20),
            timeout: self.length_in("exec.timeout", raw.timeout.as_ref(), &TIMEOUT, TIMEOUT_DEFAULT),
        }
    }

    fn sink_name(
        &mut self,
        kind: &str,
        line: usize,
        raw: Option<&Spot<String>>,
        taken: impl Fn(&str) -> bool,
    ) -> String {
        let key = format!("{kind}.name");
        let allowed = format!("a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other {kind}");
        let Some(name) = raw else {
            self.missing(line, &key, &allowed);
            return String::new();
        };
        if !is_plain_name(&name.value) || taken(&name.value) {
            self.fault(name.line, &key, format!("{:?}", name.value), allowed);
        }
        name.value.clone()
    }

    fn webhook_url(&mut self, line: usize, raw: &RawWebhook) -> String {
        let allowed = "http:// or https:// and a host, such as https://chat.example/hooks/1";
        let Some(url) = &raw.url else {
            self.missing(line, "webhook.url", allowed);
            return String::new();
        };
        if !is_url(&url.value) {
            self.fault(url.line, "webhook.url", format!("{:?}", url.value), allowed);
        }
        url.value.clone()
    }

    fn template(&mut self, raw: &RawWebhook) -> Template {
        let Some(Spot { line, value }) = &raw.template else { return Template::Event };
        Template::parse(value).unwrap_or_else(|wrong| {
            self.fault(*line, "webhook.template", wrong, allowed_templates());
            Template::Event
        })
    }

    /// A value may be a secret: faults name the field alone.
    fn headers(&mut self, raw: &RawWebhook) -> Vec<(String, String)> {
        let Some(list) = &raw.headers else { return Vec::new() };
        if list.value.len() > HEADERS_MAX {
            let found = format!("{} fields", list.value.len());
            self.fault(list.line, "webhook.headers", found, format!("at most {HEADERS_MAX}"));
        }
        let mut headers = Vec::new();
        for Spot { line, value } in &list.value {
            let allowed = "a list of \"Name: value\" in ASCII, such as \"Authorization: Bearer 1234\"";
            let Some((name, text)) = value.split_once(':') else {
                self.fault(*line, "webhook.headers", "a field without a colon", allowed);
                continue;
            };
            match (name.parse::<HeaderName>(), text.trim().parse::<HeaderValue>()) {
                (Ok(field), _) if field == CONTENT_TYPE => {
                    let allowed = "other fields: a body is always application/json";
                    self.fault(*line, "webhook.headers", format!("{name:?}"), allowed);
                }
                (Ok(_), Ok(_)) => headers.push((name.to_owned(), text.trim().to_owned())),
                (_, _) => {
                    self.fault(*line, "webhook.headers", format!("{:?} and its value", cut(name, 80)), allowed);
                }
            }
        }
        headers
    }

    fn command(&mut self, line: usize, raw: &RawExec) -> (PathBuf, Vec<String>) {
        let allowed =
            "a list of an absolute path and its arguments, at most 64, such as [\"/usr/local/bin/page\", \"pbx\"]";
        let Some(list) = &raw.command else {
            self.missing(line, "exec.command", allowed);
            return (PathBuf::new(), Vec::new());
        };
        let words: Vec<_> = list.value.iter().map(|word| word.value.clone()).collect();
        let Some((program, arguments)) = words.split_first() else {
            self.fault(list.line, "exec.command", "an empty list", allowed);
            return (PathBuf::new(), Vec::new());
        };
        if !program.starts_with('/') {
            self.fault(list.line, "exec.command", format!("{program:?}"), allowed);
        }
        if arguments.len() > ARGUMENTS_MAX {
            self.fault(list.line, "exec.command", format!("{} arguments", arguments.len()), allowed);
        }
        for Spot { line, value } in list.value.iter().filter(|word| word.value.contains('\0')) {
            self.fault(*line, "exec.command", format!("{value:?}"), "words without a zero byte");
        }
        (program.into(), arguments.to_vec())
    }

    fn selection(&mut self, table: &str, raw: &RawSelection, per_minute: i64) -> Selection {
        let per_minute =
            self.number(&format!("{table}.per_minute"), raw.per_minute.as_ref(), &PER_MINUTE, per_minute) as u32;
        let Some(list) = &raw.events else { return Selection { events: EVENTS_DEFAULT.to_vec(), per_minute } };
        let key = format!("{table}.events");
        let names: Vec<_> = EventName::ALL.into_iter().map(EventName::name).collect();
        let allowed = format!("\"all\", or a list of {}", names.join(", "));
        if list.value.is_empty() {
            self.fault(list.line, &key, "an empty list", allowed.clone());
        }
        let mut events = Vec::new();
        for Spot { line, value } in &list.value {
            match EventName::from_name(value) {
                Some(event) => events.push(event),
                None if value == "all" => events.extend(EventName::ALL),
                None => self.fault(*line, &key, format!("{value:?}"), allowed.clone()),
            }
        }
        Selection { events, per_minute }
    }
}

fn target(text: &str) -> Option<SyslogTarget> {
    let (kind, place) = text.split_once(':')?;
    match kind {
        "unix" => {
            let sound = place.starts_with('/') && place.len() <= SOCKET_BYTES_MAX && !place.contains('\0');
            sound.then(|| SyslogTarget::Unix(place.into()))
        }
        "udp" => host_and_port(place).map(|(host, port)| SyslogTarget::Udp(host, port)),
        "tcp" => host_and_port(place).map(|(host, port)| SyslogTarget::Tcp(host, port)),
        _ => None,
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())?.filter(|port| *port > 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(v6) => v6.parse::<Ipv6Addr>().ok()?.to_string(),
        None if is_host_name(host) || host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) => host.to_owned(),
        None => return None,
    };
    Some((host, port))
}
