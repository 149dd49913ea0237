//! The dashboard and the page about metrics, compared with what is served.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sip_fw_common::reason::Reason;
use sip_fw_core::record::EventName;

use super::Snapshot;
use super::encode::Figures;
use super::page::encode;
use crate::kernel::{Attachment, Fill};

/// Labels that Prometheus itself adds.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// The labels of each sample that is served, by its name.
type Samples = BTreeMap<String, BTreeSet<String>>;

fn page() -> String {
    let attachment = Attachment { interface: "eth0".to_owned(), ingress: "native", egress: "none", dead: false };
    let snapshot = Snapshot {
        events: EventName::ALL.iter().map(|event| (event.name(), 7)).collect(),
        attachments: vec![attachment],
        ..Snapshot::default()
    };
    encode(Figures { snapshot, fills: vec![Fill { table: "sources", entries: 3, capacity: 1024 }] }).unwrap()
}

fn samples() -> Samples {
    let mut samples = Samples::new();
    for line in page().lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = split_name(line);
        samples.entry(name.to_owned()).or_default().extend(labels(rest).into_iter().map(|(label, _)| label));
    }
    samples
}

/// A name and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len()))
}

/// Labels and values of the selector that a text begins with.
fn labels(text: &str) -> Vec<(String, String)> {
    let Some((inner, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Vec::new() };
    let pairs = inner.split(',').map(|pair| pair.split_once(['=', '!']).unwrap());
    pairs.map(|(label, value)| (label.to_owned(), value.trim_matches(['=', '~', '"']).to_owned())).collect()
}

/// Every metric of ours that an expression names, with its labels.
fn named(expression: &str) -> Vec<(&str, Vec<(String, String)>)> {
    let starts = expression.match_indices("sip_fw_").map(|(at, _)| split_name(&expression[at..]));
    starts.map(|(name, rest)| (name, labels(rest))).collect()
}

/// What stands between two marks, as often as it does.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).filter_map(|rest| Some(rest.split_once(to)?.0)).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../../docs/grafana.json")).unwrap()
}

/// Expression and legend of every query of the dashboard.
fn queries(dashboard: &Value) -> Vec<(&str, &str)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap())).collect()
}

#[test]
fn the_dashboard_asks_for_what_is_served_and_shows_all_of_it() {
    let (samples, dashboard) = (samples(), dashboard());
    let variable = dashboard["templating"]["list"][1]["query"]["query"].as_str().unwrap();
    let mut shown = BTreeSet::new();
    let mut asked = queries(&dashboard);
    asked.push((variable, ""));
    for (expression, legend) in asked {
        let found = named(expression);
        assert!(!found.is_empty(), "{expression}");
        let mut known: BTreeSet<&str> = OF_PROMETHEUS.into();
        for (name, selector) in &found {
            let labels = samples.get(*name).unwrap_or_else(|| panic!("{name} is not served: {expression}"));
            known.extend(labels.iter().map(String::as_str));
            for (label, _) in selector {
                assert!(labels.contains(label) || OF_PROMETHEUS.contains(&label.as_str()), "{label}: {expression}");
            }
            shown.insert((*name).to_owned());
        }
        let grouped = between(expression, "by (", ")").into_iter().flat_map(|list| list.split(", "));
        for label in grouped.chain(between(legend, "{{", "}}")) {
            assert!(known.contains(label), "{label}: {expression}");
        }
    }
    assert_eq!(shown, samples.into_keys().collect());
}

#[test]
fn the_dashboard_knows_every_reason_to_drop() {
    let drops: BTreeSet<_> = Reason::ALL.iter().filter(|reason| reason.drops()).map(|reason| reason.name()).collect();
    let all: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    let dashboard = dashboard();
    let mut as_drops = 0;
    for (name, selector) in queries(&dashboard).into_iter().flat_map(|(expression, _)| named(expression)) {
        for (_, value) in selector.iter().filter(|(label, _)| label == "reason") {
            let reasons: BTreeSet<_> = value.split('|').collect();
            assert!(reasons.is_subset(&all), "{name}: {reasons:?}");
            if reasons.contains("banned") {
                assert_eq!(reasons, drops, "{name}");
                as_drops += 1;
            }
        }
    }
    assert_eq!(as_drops, 3, "packets and bytes dropped, and what passed");
}

#[test]
fn a_grafana_can_import_the_dashboard() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 38 && dashboard.get("id").is_none());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24 && place("h") > 0, "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn the_page_explains_every_metric_and_its_labels() {
    let text = include_str!("../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `sip_fw_"));
    let explained: Samples = rows
        .map(|row| {
            let mut cells = row.split('|');
            let name = format!("sip_fw_{}", cells.next().unwrap().trim_end_matches(['`', ' ']));
            let labels = cells.nth(1).unwrap().split('`').skip(1).step_by(2);
            (name, labels.map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(explained, samples());
    let drops: Vec<_> = Reason::ALL.iter().filter(|reason| reason.drops()).map(|reason| reason.name()).collect();
    assert!(drops.iter().all(|reason| text.contains(&format!("`{reason}`"))), "{drops:?}");
}

#[test]
fn what_is_served() {
    let page = page();
    for line in [
        "# TYPE sip_fw_packets counter",
        "sip_fw_packets_total{reason=\"banned\"} 0",
        "sip_fw_events_total{event=\"ban\"} 7",
        "sip_fw_bans{level=\"8\"} 0",
        "sip_fw_table_entries{table=\"sources\"} 3",
        "sip_fw_table_capacity{table=\"sources\"} 1024",
        "sip_fw_attached{interface=\"eth0\",direction=\"ingress\",mode=\"native\"} 1",
        "sip_fw_attached{interface=\"eth0\",direction=\"egress\",mode=\"none\"} 0",
        "sip_fw_events_lost_total 0",
        concat!("sip_fw_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# EOF",
    ] {
        assert!(page.lines().any(|found| found == line), "no {line} in:\n{page}");
    }
    assert!(!page.contains("event-lost"), "what was lost is no packet");
}
