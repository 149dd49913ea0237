//! An alert as a syslog message (RFC 5424), with the keys of the event as structured data.

use std::fs;

use sip_fw_core::text::cut;

use super::message::Alert;
use crate::report::priority;

/// Names of private structured data end in the number that IANA gave their owner (section 7.2.2). This project has none;
/// 32473 is the one for examples (RFC 5612), so these names can be nobody else's.
const DATA_ID: &str = "sip-fw@32473";
/// Bytes of one value. With all keys a message stays below the 2,048 bytes that receivers should take (section 6.1), unless
/// somebody makes several as long as they may be.
const VALUE_BYTES_MAX: usize = 256;
/// Bytes of the text.
const TEXT_BYTES_MAX: usize = 1024;
const HOST_BYTES_MAX: usize = 255;

/// Who says it.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The host's name.
    host: String,
    /// The agent's process.
    pid: u32,
}

impl Sender {
    /// This agent on this host.
    pub fn this() -> Self {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host: String = name.chars().filter(char::is_ascii_graphic).take(HOST_BYTES_MAX).collect();
        Self { host: if host.is_empty() { "-".to_owned() } else { host }, pid: std::process::id() }
    }

    /// One message, without any frame.
    pub fn say(&self, facility: u8, alert: &Alert) -> String {
        let Self { host, pid } = self;
        let event = alert.record.event;
        let number = u16::from(facility) * 8 + u16::from(u8::from(priority(event)));
        let text = cut(&alert.message(), TEXT_BYTES_MAX);
        // Text that is not marked as UTF-8 is nothing in particular; ASCII is the same in all of it.
        let mark = if text.is_ascii() { "" } else { "\u{feff}" };
        format!("<{number}>1 {} {host} sip-fw {pid} {} {} {mark}{text}", alert.record.time, event.name(), data(alert))
    }
}

fn data(alert: &Alert) -> String {
    // The header has the time already, and the text is there for the reason.
    let keys = alert.fields().into_iter().filter(|(key, _)| key != "time");
    let parameters: String = keys.map(|(key, value)| format!(" {key}=\"{}\"", escaped(&value))).collect();
    format!("[{DATA_ID}{parameters}]")
}

fn escaped(value: &str) -> String {
    cut(value, VALUE_BYTES_MAX).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::ban;
    use super::*;

    #[test]
    fn the_whole_message() {
        let sender = Sender { host: "pbx.example".to_owned(), pid: 7 };
        assert_eq!(
            sender.say(3, &ban("a]\\\"", 0)),
            "<29>1 2026-11-22T03:50:00.123Z pbx.example sip-fw 7 ban [sip-fw@32473 event=\"ban\" source=\"203.0.113.9\" \
             user=\"a\\]\\\\\\\"\" reason=\"5 auth failures within 10m\" until=\"2026-11-22T03:51:00.123Z\"] \
             ban 203.0.113.9 for 1m: 5 auth failures within 10m, last user \"a]\\\"\""
        );
        assert_eq!(
            sender.say(23, &ban("é\n", 4)),
            "<189>1 2026-11-22T03:50:00.123Z pbx.example sip-fw 7 ban [sip-fw@32473 event=\"ban\" source=\"203.0.113.9\" \
             user=\"é\\\\n\" reason=\"5 auth failures within 10m\" until=\"2026-11-22T03:51:00.123Z\" more=\"4\"] \
             \u{feff}ban 203.0.113.9 for 1m: 5 auth failures within 10m, last user \"é\\n\" (and 4 more)"
        );
    }

    #[test]
    fn its_length_is_bounded() {
        let said = Sender::this().say(0, &ban(&"\"".repeat(100_000), 1));
        assert!(said.len() < 2500 && !said.contains('\n'), "{} bytes", said.len());
    }
}
