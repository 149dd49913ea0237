//! `country:XX`: the networks of a country, from a database in MaxMind's format that the user names.

use std::path::Path;

use sip_fw_e2e::Policy;

use crate::stage::{Stage, access, policy};

/// Made for tests: JP has 192.0.2.0/24 and 2001:db8:1::/48, US has 203.0.113.0/24.
const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sip-fw-agent/tests/data/countries.mmdb");

#[test]
fn a_country_is_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("countries.mmdb");
    std::fs::copy(DATABASE, &database).unwrap();
    let Some(stage) = Stage::set(&from(&database, "country:JP")) else { return };
    let fate = |address: &str| stage.explained(address.parse().unwrap(), "sip");
    let denied = ("abroad".to_owned(), "deny".to_owned());
    let others = ("others".to_owned(), "allow".to_owned());
    assert_eq!(fate("192.0.2.77"), denied);
    assert_eq!(fate("2001:db8:1:2::7"), denied);
    assert_eq!(fate("203.0.113.7"), others);
    let apply = |origin| {
        let file = stage.scene.agent.write_candidate("other.toml", &from(&database, origin)).unwrap();
        stage.scene.agent.apply(&[&file]).unwrap()
    };
    let unknown = apply("country:FR");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("country:FR") && unknown.stderr.contains("DE, JP, US"), "{}", unknown.stderr);
    assert_eq!(fate("192.0.2.77"), denied, "nothing changed");
    let other = apply("country:US");
    assert_eq!(other.code, 0, "{}", other.stderr);
    assert_eq!(fate("192.0.2.77"), others);
    assert_eq!(fate("203.0.113.7"), denied);
}

fn from(database: &Path, origin: &str) -> Policy {
    let top = format!("country_db = {:?}\n", database.display().to_string());
    Policy { top, ..policy("allow", access("abroad", &[origin], "sip", "deny")) }
}
