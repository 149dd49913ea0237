//! Faulty access rules: each is told with a word that helps, by `check` and by `apply`, and none changes anything.

use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::{Bed, Family, Policy, require_agent};

use crate::stage::{Fate, Stage, access, opaque, policy};

const FEED: &str = "[[feed]]\nname = \"bad\"\nurl = \"http://10.98.4.1/list\"\ninterval = \"1h\"\n\n";

#[test]
fn check_tells_each_fault() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let mut missed = Vec::new();
    for (faulty, word) in faults() {
        missed.extend(complaint(&agent, "check", &faulty, word));
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    let file = agent.write_candidate("right.toml", &right()).unwrap();
    let check = agent.call(&["check", &file]).unwrap();
    assert_eq!(check.code, 0, "{}", check.stderr);
}

#[test]
fn apply_tells_each_fault_and_changes_nothing() {
    let Some(stage) = Stage::set(&policy("deny", access("office", &["10.98.1.0/24"], "sip", "allow"))) else { return };
    let (agent, bed) = (&stage.scene.agent, &stage.scene.bed);
    let generation = stage.generation();
    let mut missed = Vec::new();
    for (faulty, word) in faults() {
        missed.extend(complaint(agent, "apply", &faulty, word));
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    assert_eq!(stage.generation(), generation);
    assert_eq!(stage.fate_of(&bed.office, Family::V4), Fate::Passes);
    assert_eq!(stage.fate_of(&bed.attacker, Family::V4), Fate::Dropped);
}

/// Configurations with one fault each, and the word of it that the message must have.
fn faults() -> Vec<(Policy, &'static str)> {
    let line = |from: &str| access("x", &[from], "sip", "deny");
    let feed = |from: &str, to: &str| FEED.replacen(from, to, 1) + &line("feed:bad");
    let lines = [
        (line("10.98.1.0/33"), "10.98.1.0/33"),
        (line("fd98::/129"), "fd98::/129"),
        (line("10.98.1.256"), "10.98.1.256"),
        (line(""), "from"),
        (line("feed:nowhere"), "nowhere"),
        (line("country:Japan"), "Japan"),
        (line("country:JP"), "country_db"),
        (line("host name"), "host name"),
        ("[[access]]\nname = \"x\"\nfrom = []\naction = \"deny\"\n".to_owned(), "from"),
        ("[[access]]\nname = \"x\"\naction = \"deny\"\n".to_owned(), "from"),
        ("[[access]]\nname = \"x\"\nfrom = \"own\"\n".to_owned(), "action"),
        ("[[access]]\nfrom = \"own\"\naction = \"allow\"\n".to_owned(), "name"),
        (access("x", &["10.0.0.1"], "sip", "drop"), "drop"),
        (access("x", &["10.0.0.1"], "mail", "deny"), "mail"),
        // Whoever guesses beside a known peer would never be judged.
        (access("x", &["learned"], "sip", "trust"), "learned"),
        (line("10.0.0.1") + "colour = 1\n", "colour"),
        (line("10.0.0.1") + &line("10.0.0.2"), "\"x\""),
        (opaque("web", "tcp/443", "maybe"), "maybe"),
        (opaque("web", "tcp/70000", "deny"), "70000"),
        (opaque("web", "sctp/443", "deny"), "sctp"),
        (opaque("web", "tcp/5060", "deny"), "tcp/5060"),
        (opaque("sip", "tcp/443", "deny"), "\"sip\""),
        (opaque("web", "tcp/443", "deny").replace("opaque", "http"), "http"),
        (feed("1h", "10s"), "10s"),
        (feed("http://", "ftp://"), "ftp://"),
        (feed("\n\n", "\nevery = \"1h\"\n\n"), "every"),
        (feed("\n\n", "\nformat = \"xml\"\n\n"), "xml"),
        (feed("\n\n", "\nmax_size = \"much\"\n\n"), "much"),
        (FEED.to_owned() + FEED, "\"bad\""),
    ];
    let tops = [
        ("dns_servers = [\"nonsense\"]\n", "nonsense"),
        ("dns_servers = [\"10.98.4.1:99999\"]\n", "99999"),
        ("country_db = 7\n", "country_db"),
        ("dns_server = [\"10.98.4.1:53\"]\n", "dns_server"),
    ];
    let lines = lines.map(|(lines, word)| (policy("deny", lines), word));
    let tops = tops.map(|(top, word)| (Policy { top: top.to_owned(), ..policy("deny", String::new()) }, word));
    lines.into_iter().chain(tops).collect()
}

/// Everything of access lists that needs no file, and nothing wrong with it.
fn right() -> Policy {
    let lines = opaque("web", "tcp/443", "deny")
        + FEED
        + &access("a", &["10.98.1.7", "fd98:1::/64", "phones.office.test", "own"], "", "trust")
        + &access("b", &["feed:bad"], "web", "off")
        + &access("c", &["0.0.0.0/0", "::/0", "learned"], "sip", "allow");
    Policy { top: "dns_servers = [\"10.98.4.1:53\", \"[fd98:4::1]:53\"]\n".to_owned(), ..policy("deny", lines) }
}

/// What is wrong with the message about a faulty file.
fn complaint(agent: &Agent, verb: &str, faulty: &Policy, word: &str) -> Option<String> {
    let file = agent.write_candidate("faulty.toml", faulty).unwrap();
    let outcome = agent.call(&[verb, &file]).unwrap();
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let faults = said.lines().filter(|line| line.contains("faulty.toml:")).count();
    let fine = outcome.code == 2 && said.contains(word) && faults == 1;
    let Policy { top, extra, .. } = faulty;
    (!fine).then(|| format!("{verb} ended with {}, expected 2, one line, and {word}\n{top}{extra}{said}", outcome.code))
}
