//! `rules`: the access list as it is in force.

use super::apply::size;
use super::{CliError, Site};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{AccessRuleView, AccessView};
use crate::report::table::{Column, ago, left, table};
use sip_fw_core::time::{Timestamp, Until};

/// Arguments of `rules`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks and prints.
pub fn run(site: &Site, _: &Args) -> Result<(), CliError> {
    site.show(&Request::Rules, |view| render(view, clock::wall())).map(drop)
}

fn render(view: &AccessView, now: Timestamp) -> String {
    let columns = [
        Column::Number("ORDER"),
        Column::Text("NAME"),
        Column::Text("FROM"),
        Column::Text("TO"),
        Column::Text("ACTION"),
        Column::Number("PACKETS"),
        Column::Number("BYTES"),
        Column::Text("LAST MATCH"),
    ];
    let row = |rule: &AccessRuleView| {
        [
            rule.order.map_or_else(|| "-".to_owned(), |order| order.to_string()),
            rule.name.clone(),
            few(&rule.from),
            few(&rule.to),
            rule.action.clone(),
            rule.packets.to_string(),
            rule.bytes.to_string(),
            rule.last_match.map_or_else(|| "-".to_owned(), |time| ago(time, now)),
        ]
    };
    let mut text = table(columns, &view.rules.iter().map(row).collect::<Vec<_>>());
    for rule in &view.rules {
        if let Some(warning) = &rule.warning {
            text.push_str(&format!("warning: \"{}\" {warning}\n", rule.name));
        }
    }
    text.push_str(&format!("{} prefixes in {} of kernel memory\n", view.prefixes, size(view.memory_bytes)));
    if let Some(pending) = view.pending {
        let left = left(Until::At(pending.until), now);
        text.push_str(&format!("the configuration before comes back in {left}, unless you run: sip-fw confirm\n"));
    }
    text
}

/// The first few of a long list.
fn few(list: &[String]) -> String {
    const SHOWN: usize = 3;
    match list.len() {
        0 => "-".to_owned(),
        len if len > SHOWN => format!("{}, and {} more", list[..SHOWN].join(", "), len - SHOWN),
        _ => list.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let view = json!({"schema": 1, "generation": 1, "memory_bytes": 140_000, "prefixes": 4, "pending": null, "rules": [
            {"order": 1, "name": "office", "from": ["192.0.2.0/24", "a", "b", "c"], "to": ["sip"], "action": "allow",
             "packets": 5, "bytes": 700, "last_match": "1970-01-01T00:00:00.000Z", "warning": null},
            {"order": null, "name": "old", "from": ["198.51.100.1"], "to": ["sip"], "action": "off",
             "packets": 0, "bytes": 0, "last_match": null, "warning": "never matches"},
            {"order": null, "name": "others", "from": [], "to": ["sip"], "action": "deny",
             "packets": 0, "bytes": 0, "last_match": null, "warning": null}
        ]});
        assert_eq!(
            render(&serde_json::from_value(view).unwrap(), Timestamp { unix_ms: 60_000 }),
            "ORDER  NAME    FROM                            TO   ACTION  PACKETS  BYTES  LAST MATCH\n    \
             1  office  192.0.2.0/24, a, b, and 1 more  sip  allow         5    700  1m ago\n    \
             -  old     198.51.100.1                    sip  off           0      0  -\n    \
             -  others  -                               sip  deny          0      0  -\n\
             warning: \"old\" never matches\n4 prefixes in 137 KiB of kernel memory\n"
        );
    }
}
