//! A strict reader of OpenMetrics text, written from the specification and not from what is read with it. It panics where a page
//! breaks a rule.

use std::collections::{BTreeMap, BTreeSet};

/// What follows the name of a metric in the name of a sample, by the type of the metric.
const SUFFIXES: [(&str, &[&str]); 3] = [("counter", &["_total", "_created"]), ("gauge", &[""]), ("info", &["_info"])];

/// A page: the value of each sample, by its name and its labels.
#[derive(Debug)]
pub struct Exposition {
    samples: BTreeMap<(String, Labels), f64>,
}

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

struct Family<'a> {
    name: &'a str,
    kind: Option<&'a str>,
    has_help: bool,
}

impl Exposition {
    /// Reads a page.
    #[track_caller]
    pub fn read(page: &str) -> Self {
        let body = page.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("it does not end with # EOF:\n{page}"));
        assert!(!body.contains("# EOF") && !body.contains('\r') && !body.contains("\n\n"), "{page}");
        let mut samples = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut family = Family { name: "", kind: None, has_help: false };
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let (keyword, rest) = rest.split_once(' ').unwrap();
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                if name != family.name {
                    assert!(is_name(name, ":") && seen.insert(name), "{name} begins twice, or has an odd name");
                    family = Family { name, kind: None, has_help: false };
                }
                match keyword {
                    "TYPE" => assert!(family.kind.replace(text).is_none(), "two types: {line}"),
                    "HELP" => assert!(!std::mem::replace(&mut family.has_help, true) && !text.is_empty(), "{line}"),
                    _ => panic!("no such keyword: {line}"),
                }
            } else {
                let (name, labels, value) = sample(line);
                let kind = family.kind.unwrap_or_else(|| panic!("no type before it: {line}"));
                let (_, suffixes) = SUFFIXES.iter().find(|(name, _)| *name == kind).unwrap();
                let suffix = name.strip_prefix(family.name);
                assert!(suffix.is_some_and(|it| suffixes.contains(&it)), "not of {} {kind}: {line}", family.name);
                assert!(kind != "counter" || (value >= 0.0 && value.is_finite()), "{line}");
                assert!(kind != "info" || value == 1.0, "{line}");
                assert!(samples.insert((name.to_owned(), labels), value).is_none(), "twice: {line}");
            }
        }
        Self { samples }
    }

    /// The value of a sample.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *self.samples.get(&key).unwrap_or_else(|| panic!("no sample {key:?} in {:#?}", self.samples))
    }

    /// All samples of a name.
    pub fn all(&self, name: &str) -> Vec<(&Labels, f64)> {
        self.samples
            .iter()
            .filter(|((found, _), _)| found == name)
            .map(|((_, labels), value)| (labels, *value))
            .collect()
    }

    /// Every value of every label.
    pub fn label_values(&self) -> BTreeSet<&str> {
        self.samples.keys().flat_map(|(_, labels)| labels.values().map(String::as_str)).collect()
    }
}

fn sample(line: &str) -> (&str, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, ":"), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            // None of ours needs an escape.
            let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end of a label: {line}"));
            assert!(is_name(label, "") && !value.contains('\\'), "{line}");
            assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "a label twice: {line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space before the value: {line}"));
    (name, labels, value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
}

fn is_name(text: &str, besides: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || besides.contains(c);
    text.starts_with(|c: char| !c.is_ascii_digit()) && text.chars().all(fits)
}

#[test]
fn broken_pages_are_noticed() {
    let good = "# HELP a x.\n# TYPE a counter\na_total{b=\"c\",d=\"e\"} 7\n# EOF\n";
    assert_eq!(Exposition::read(good).value("a_total", &[("b", "c"), ("d", "e")]), 7.0);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("a_total", "a"),
        ("# TYPE a counter\n", ""),
        ("# TYPE a counter\n", "# TYPE b counter\n"),
        (" 7", " -7"),
        (" 7", " x"),
        ("d=", "b="),
        ("\"e\"", "e"),
        ("# EOF", "a_total{b=\"c\",d=\"e\"} 8\n# EOF"),
        ("# EOF", "# TYPE c gauge\nc 1\n# TYPE a counter\n# EOF"),
    ] {
        let broken = good.replacen(from, to, 1);
        assert!(std::panic::catch_unwind(|| Exposition::read(&broken)).is_err(), "{broken}");
    }
}
