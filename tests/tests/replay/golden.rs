//! Every capture with what must be decided about it, and why: `tests/data/golden.json`, each read by eye once.
//!
//! With `SIP_FW_WRITE_GOLDEN=1` in the environment the summaries are written anew; their explanations stay.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sip_fw_e2e::require_agent;

use crate::corpora::{captures, local};
use crate::run::replay;
use sip_fw_e2e::pcap::read;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/golden.json");

/// What is known of a capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Golden {
    /// What is in it, and why that must be decided.
    why: String,
    /// The summary as configured by default.
    summary: Map<String, Value>,
    /// What differs where scanner signatures are off; empty: nothing.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    without_signatures: Map<String, Value>,
}

/// The keys that say something: what is zero or empty is left out.
fn telling(summary: &Value) -> Map<String, Value> {
    let says = |value: &Value| match value {
        Value::Number(number) => number.as_u64() != Some(0),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    let Value::Object(all) = summary else { panic!("no summary: {summary}") };
    all.iter().filter(|(_, value)| says(value)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn decided(path: &Path, folder: &Path) -> Option<Golden> {
    let local = local(&read(&fs::read(path).unwrap()));
    let run = |name: &str, extra: &str| {
        let config = folder.join(name);
        fs::write(&config, format!("interfaces = [\"lo\"]\n{extra}")).unwrap();
        let outcome = replay(path, &local, &["--config", &config.display().to_string()])?;
        assert_eq!(outcome.code, 0, "{}: {}", path.display(), outcome.stderr);
        Some(telling(&outcome.summary()))
    };
    let summary = run("default.toml", "")?;
    let is_scanner = summary.get("dropped").is_some_and(|dropped| dropped.get("scanner").is_some());
    let without_signatures = if is_scanner { run("none.toml", "[scanners]\nlist = \"none\"\n")? } else { Map::new() };
    Some(Golden { why: String::new(), summary, without_signatures })
}

#[test]
fn every_capture_is_decided_as_it_was_read() {
    if require_agent().is_none() {
        return;
    }
    let mut golden: BTreeMap<String, Golden> = serde_json::from_str(&fs::read_to_string(GOLDEN).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let writes = std::env::var_os("SIP_FW_WRITE_GOLDEN").is_some();
    let mut faults = Vec::new();
    for path in captures() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let found = decided(&path, folder.path()).unwrap();
        let known = golden.entry(name.clone()).or_default();
        let found = Golden { why: known.why.clone(), ..found };
        if *known != found && !writes {
            faults.push(format!("{name}: {}\nexpected {known:?}\nfound {found:?}", known.why));
        }
        if known.why.is_empty() && !writes {
            faults.push(format!("{name}: nobody has read it"));
        }
        *known = found;
    }
    if writes {
        fs::write(GOLDEN, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n\n"));
}
