//! Tests of those who are told: every form, and the exact text of every fault.

use sip_fw_core::record::EventName;

use super::*;
use crate::alert::Template;

const WEBHOOK: &str = "[[webhook]]\nname = \"a\"\nurl = \"https://chat.example/1\"\n";

fn config(text: &str) -> AlertRules {
    parse(Path::new("x.toml"), &format!("interfaces = [\"eth0\"]\n{text}")).unwrap().alerts
}

#[test]
fn every_key_of_those_who_are_told() {
    let text = r#"
[syslog]
to = "tcp:[2001:db8::1]:6514"
facility = "local3"
events = ["ban", "unban"]
per_minute = 6000
[[webhook]]
name = "chat"
url = "https://chat.example/hooks/1"
template = "slack"
headers = ["Authorization: Bearer 1:2", "X-Empty:"]
events = "all"
per_minute = 1
timeout = "1s"
[[exec]]
name = "chat"
command = ["/bin/echo", "a b", ""]
events = ["degraded"]
per_minute = 2
timeout = "5m"
"#;
    let selection = |events: &[EventName], per_minute| Selection { events: events.to_vec(), per_minute };
    let expected = AlertRules {
        syslog: Some(SyslogRules {
            to: SyslogTarget::Tcp("2001:db8::1".to_owned(), 6514),
            facility: 19,
            selection: selection(&[EventName::Ban, EventName::Unban], 6000),
        }),
        webhooks: vec![WebhookRules {
            name: "chat".to_owned(),
            url: "https://chat.example/hooks/1".to_owned(),
            template: Template::Slack,
            headers: [("Authorization", "Bearer 1:2"), ("X-Empty", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            selection: selection(&EventName::ALL, 1),
            timeout: Duration::from_secs(1),
        }],
        hooks: vec![ExecRules {
            name: "chat".to_owned(),
            program: "/bin/echo".into(),
            arguments: vec!["a b".to_owned(), String::new()],
            selection: selection(&[EventName::Degraded], 2),
            timeout: Duration::from_secs(300),
        }],
    };
    assert_eq!(config(text), expected);
}

#[test]
fn a_little_is_enough() {
    assert_eq!(config(""), AlertRules::default());
    let rules = config(&format!("[syslog]\n{WEBHOOK}[[exec]]\nname = \"b\"\ncommand = [\"/bin/true\"]"));
    let syslog = rules.syslog.unwrap();
    assert_eq!((syslog.to, syslog.facility), (SyslogTarget::Unix("/dev/log".into()), 3));
    let names: Vec<_> = syslog.selection.events.iter().map(|event| event.name()).collect();
    let usual = ["ban", "device-fault", "distributed-guessing", "enumeration", "dial-scan", "degraded", "detached"];
    assert_eq!((names, syslog.selection.per_minute), (usual.to_vec(), 600));
    let (webhook, hook) = (&rules.webhooks[0], &rules.hooks[0]);
    assert_eq!((&webhook.template, webhook.headers.len()), (&Template::Event, 0));
    assert_eq!(webhook.selection, hook.selection);
    assert_eq!((hook.selection.per_minute, hook.timeout, webhook.timeout), (20, Duration::from_secs(10), hook.timeout));
    for (to, target) in [
        ("unix:/run/log.sock", SyslogTarget::Unix("/run/log.sock".into())),
        ("udp:192.0.2.5:514", SyslogTarget::Udp("192.0.2.5".to_owned(), 514)),
        ("udp:log.example:514", SyslogTarget::Udp("log.example".to_owned(), 514)),
        ("tcp:log:1", SyslogTarget::Tcp("log".to_owned(), 1)),
    ] {
        assert_eq!(config(&format!("[syslog]\nto = {to:?}")).syslog.map(|syslog| syslog.to), Some(target));
    }
}

#[test]
fn every_fault_of_those_who_are_told() {
    let text = r#"interfaces = ["eth0"]
[syslog]
to = "udp:192.0.2.5"
facility = "kern"
events = ["bans"]
per_minute = 0
tls = true
[[webhook]]
[[webhook]]
name = "a"
url = "chat.example"
template = "{sauce}"
headers = ["Authorization Bearer secret", "content-type: text/plain", "X: é\u0000secret"]
events = []
timeout = "0s"
[[webhook]]
name = "a"
url = "https://chat.example"
[[exec]]
[[exec]]
name = "B"
command = []
[[exec]]
name = "b"
command = ["page"]
[[exec]]
name = "c"
command = "/usr/bin/page now"
timeout = "6m"
"#;
    let name = |kind: &str| format!("a name of 1 to 32 of the characters a-z, 0-9 and -, used by no other {kind}");
    let url = "http:// or https:// and a host, such as https://chat.example/hooks/1";
    let events = format!("\"all\", or a list of {}", EventName::ALL.map(EventName::name).join(", "));
    let length = "a whole number and a unit (30s, 10m, 1h, 1d, 1w), from 1s to 5m";
    let header = "a list of \"Name: value\" in ASCII, such as \"Authorization: Bearer 1234\"";
    let command =
        "a list of an absolute path and its arguments, at most 64, such as [\"/usr/local/bin/page\", \"pbx\"]";
    let template = "\"event\", \"slack\", or JSON with these places to fill: {event} {time} {source} {service} {method} {user} \
                    {user_agent} {evidence} {reason} {strikes} {until} {level} {message} {more}";
    assert_eq!(
        faults(text),
        [
            "x.toml:3: syslog.to: found \"udp:192.0.2.5\"; allowed: unix:/PATH, udp:HOST:PORT or tcp:HOST:PORT, with IPv6 addresses in brackets".to_owned(),
            "x.toml:4: syslog.facility: found \"kern\"; allowed: \"daemon\" or \"user\" or \"auth\" or \"authpriv\" or \"local0\" or \"local1\" or \"local2\" or \"local3\" or \"local4\" or \"local5\" or \"local6\" or \"local7\"".to_owned(),
            format!("x.toml:5: syslog.events: found \"bans\"; allowed: {events}"),
            "x.toml:6: syslog.per_minute: found 0; allowed: 1 to 6000".to_owned(),
            "x.toml:7: syslog.tls: found an unknown key; allowed: to, facility, events, per_minute".to_owned(),
            format!("x.toml:8: webhook.name: found nothing; allowed: {}", name("webhook")),
            format!("x.toml:8: webhook.url: found nothing; allowed: {url}"),
            format!("x.toml:11: webhook.url: found \"chat.example\"; allowed: {url}"),
            format!("x.toml:12: webhook.template: found the unknown place {{sauce}}; allowed: {template}"),
            format!("x.toml:13: webhook.headers: found a field without a colon; allowed: {header}"),
            "x.toml:13: webhook.headers: found \"content-type\"; allowed: other fields: a body is always application/json".to_owned(),
            format!("x.toml:13: webhook.headers: found \"X\" and its value; allowed: {header}"),
            format!("x.toml:14: webhook.events: found an empty list; allowed: {events}"),
            format!("x.toml:15: webhook.timeout: found \"0s\"; allowed: {length}"),
            format!("x.toml:17: webhook.name: found \"a\"; allowed: {}", name("webhook")),
            format!("x.toml:19: exec.name: found nothing; allowed: {}", name("exec")),
            format!("x.toml:19: exec.command: found nothing; allowed: {command}"),
            format!("x.toml:21: exec.name: found \"B\"; allowed: {}", name("exec")),
            format!("x.toml:22: exec.command: found an empty list; allowed: {command}"),
            format!("x.toml:25: exec.command: found \"page\"; allowed: {command}"),
            format!("x.toml:26: exec.command: found nothing; allowed: {command}"),
            "x.toml:28: exec.command: found \"/usr/bin/page now\"; allowed: a list of strings".to_owned(),
            format!("x.toml:29: exec.timeout: found \"6m\"; allowed: {length}"),
        ]
    );
}

#[test]
fn those_who_are_told_have_a_bound() {
    let nine: String = (0..9).map(|n| WEBHOOK.replace("\"a\"", &format!("\"a{n}\""))).collect();
    assert_eq!(
        faults(&format!("interfaces = [\"eth0\"]\n{nine}")),
        ["x.toml:26: webhook: found 9 of them; allowed: at most 8"]
    );
}
