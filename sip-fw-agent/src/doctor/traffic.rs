//! Whether sip-fw sees what it should: requests that arrive, answers that leave, and nothing lost.

use std::time::Duration;

use sip_fw_common::reason::Reason;
use sip_fw_core::duration::Short;

use super::finding::{Finding, Group, State};
use crate::control::view::StatusView;

/// Requests after which at least one answer should have been seen.
const UNANSWERED_MAX: u64 = 20;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What is counted.
    pub status: &'a StatusView,
    /// How long ago the last SIP request was; None if there was none.
    pub last_request: Option<Duration>,
    /// Quiet for longer is strange.
    pub quiet_max: Duration,
}

/// What is to be said of it.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    vec![requests(facts), answers(facts), lost(facts)]
}

fn requests(facts: &Facts<'_>) -> Finding {
    let found = |state, text: String| Finding::new(Group::Traffic, "requests", state, text);
    let advice = "if phones or trunks are in use: do their packets come through the interfaces above, to the ports of a service?";
    let Some(ago) = facts.last_request else {
        let uptime = facts.status.agent.uptime_seconds.map(Duration::from_secs);
        return match uptime {
            Some(uptime) if uptime <= facts.quiet_max => {
                found(State::Note, format!("no SIP request was seen yet; the agent runs for {}", Short(uptime)))
            }
            _ => found(State::Warning, "no SIP request was ever seen".to_owned()),
        }
        .advise(advice);
    };
    let text = format!("the last SIP request was seen {} ago", Short(ago));
    if ago > facts.quiet_max { found(State::Warning, text).advise(advice) } else { found(State::Ok, text) }
}

fn answers(facts: &Facts<'_>) -> Finding {
    let requests = seen(facts.status, &[Reason::Request]);
    let answers = seen(
        facts.status,
        &[
            Reason::OutUnjudged,
            Reason::OutUnmatched,
            Reason::Challenge,
            Reason::Success,
            Reason::FailureProven,
            Reason::FailureUnproven,
            Reason::Stale,
            Reason::Neutral,
        ],
    );
    if answers == 0 && requests > UNANSWERED_MAX {
        let text = format!("{requests} SIP requests were seen, and no answer of the PBX: no failure can be counted");
        return Finding::new(Group::Traffic, "answers", State::Problem, text)
            .advise("add the interface that answers leave by to `interfaces`; is the PBX running?");
    }
    Finding::ok(Group::Traffic, "answers", format!("{answers} answers to {requests} SIP requests were seen"))
}

fn lost(facts: &Facts<'_>) -> Finding {
    let found = |state, text: String| Finding::new(Group::Traffic, "lost", state, text);
    let counted = |reason| seen(facts.status, &[reason]);
    match (counted(Reason::BanLost), counted(Reason::TableFull), counted(Reason::EventLost)) {
        (0, 0, 0) => found(State::Ok, "no ban, request or event was lost for want of room".to_owned()),
        (0, 0, events) => {
            found(State::Note, format!("{events} events found the ring buffer full; bans are not affected"))
        }
        (0, requests, _) => found(State::Warning, format!("{requests} requests passed unjudged: their table was full"))
            .advise("raise [limits] transactions, detach and run"),
        (bans, _, _) => found(State::Problem, format!("{bans} bans could not be written: the table is full"))
            .advise("raise [limits] bans, detach and run"),
    }
}

fn seen(status: &StatusView, reasons: &[Reason]) -> u64 {
    reasons.iter().filter_map(|reason| status.counters.get(reason.name())).map(|counter| counter.packets).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn states(counters: &[(&str, u64)], uptime: Option<u64>, last_request: Option<Duration>) -> [State; 3] {
        let counters: serde_json::Map<_, _> = counters
            .iter()
            .map(|(name, packets)| ((*name).to_owned(), json!({"packets": packets, "bytes": 0})))
            .collect();
        let status = json!({
            "schema": 1,
            "agent": {"running": uptime.is_some(), "pid": 7, "uptime_seconds": uptime, "version": "0", "events_lost": 0, "mode": "enforce"},
            "attachments": [], "services": [],
            "rules": {"threshold": 5, "window_seconds": 600, "ladder_seconds": [60], "scope": "services"},
            "bans_active": 0, "sources": 0, "counters": counters, "per_cpu": {}
        });
        let status = serde_json::from_value(status).unwrap();
        let facts = Facts { status: &status, last_request, quiet_max: HOUR };
        let found: Vec<_> = judge(&facts).into_iter().map(|finding| finding.state).collect();
        found.try_into().unwrap()
    }

    #[test]
    fn quiet_hosts() {
        let requests = |uptime, last| states(&[], uptime, last)[0];
        assert_eq!(requests(Some(60), None), State::Note);
        assert_eq!(requests(Some(7200), None), State::Warning);
        assert_eq!(requests(None, None), State::Warning);
        assert_eq!(requests(Some(7200), Some(HOUR)), State::Ok);
        assert_eq!(requests(Some(7200), Some(2 * HOUR)), State::Warning);
    }

    #[test]
    fn answers_that_leave_elsewhere() {
        let answers = |counters: &[(&str, u64)]| states(counters, None, None)[1];
        assert_eq!(answers(&[("request", 21), ("out-other", 100)]), State::Problem);
        assert_eq!(answers(&[("request", 20)]), State::Ok);
        assert_eq!(answers(&[("request", 21), ("neutral", 1)]), State::Ok);
    }

    #[test]
    fn what_found_no_room() {
        let lost = |counters: &[(&str, u64)]| states(counters, None, None)[2];
        assert_eq!(lost(&[]), State::Ok);
        assert_eq!(lost(&[("event-lost", 1)]), State::Note);
        assert_eq!(lost(&[("event-lost", 1), ("table-full", 1)]), State::Warning);
        assert_eq!(lost(&[("table-full", 1), ("ban-lost", 1)]), State::Problem);
    }
}
