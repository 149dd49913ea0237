//! The table at the end: per source what the taps counted, and beside it what sip-fw says.

use super::evidence::Evidence;
use super::story::Story;

/// One line of the table: counted on the wire, and said by sip-fw.
struct Row {
    who: String,
    requests: (u64, u64),
    failures: (u64, u64),
    proven: u64,
    dropped: (u64, u64),
    state: String,
}

/// Prints it.
pub fn print(story: &Story, evidence: &Evidence) {
    story.line("");
    story.line("                                        requests         failures  proven          dropped");
    story.line("source                               wire  sip-fw     wire  sip-fw  sip-fw     wire  sip-fw  state");
    let mut rows = vec![row(evidence, "attacker", &evidence.attacker)];
    rows.extend(evidence.offices.iter().map(|office| row(evidence, "office", office)));
    rows.push(world(evidence));
    for Row { who, requests, failures, proven, dropped, state } in rows {
        story.line(&format!(
            "{who:<33} {:>7} {:>7}  {:>7} {:>7} {proven:>7}  {:>7} {:>7}  {state}",
            requests.0, requests.1, failures.0, failures.1, dropped.0, dropped.1
        ));
    }
    story.line("");
}

fn row(evidence: &Evidence, role: &str, source: &str) -> Row {
    let (counted, said) = (evidence.counted(source), evidence.said(source));
    let on_cable = evidence.cable_requests.get(source).copied().unwrap_or(0);
    Row {
        who: format!("{role} {source}"),
        requests: (on_cable, said.requests),
        failures: (counted.failures as u64, said.failures()),
        proven: said.failures_proven,
        dropped: (on_cable.saturating_sub(counted.requests as u64), said.drops),
        state: if said.state.is_empty() { "unknown".to_owned() } else { said.state },
    }
}

/// The forged sources besides the office's, summed up.
fn world(evidence: &Evidence) -> Row {
    let others: Vec<_> = evidence.forged.iter().filter(|source| !evidence.offices.contains(source)).collect();
    let mut sum = Row {
        who: format!("{} forged sources", others.len()),
        requests: (0, 0),
        failures: (0, 0),
        proven: 0,
        dropped: (0, 0),
        state: String::new(),
    };
    let mut banned = 0;
    for source in others {
        let one = row(evidence, "", source);
        sum.requests = (sum.requests.0 + one.requests.0, sum.requests.1 + one.requests.1);
        sum.failures = (sum.failures.0 + one.failures.0, sum.failures.1 + one.failures.1);
        sum.proven += one.proven;
        sum.dropped = (sum.dropped.0 + one.dropped.0, sum.dropped.1 + one.dropped.1);
        banned += u64::from(one.state == "banned");
    }
    sum.state = format!("{banned} banned");
    sum
}
