//! Why a source stands out: what holds it back, and what is remembered of it. And which sources stand out most.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sip_fw_common::abi::{Ban, BanOrigin, Shun, Source, SourceState};
use sip_fw_core::ledger::Page;
use sip_fw_core::text::shown;
use sip_fw_core::time::{Time, Until};

/// What is said of a source beside its figures; absent when unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// End of what holds it back; null when only an operator ends it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Until::present")]
    pub until: Option<Until>,
    /// Step of the ladder that its ban is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// Why it is held back, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// User names tried, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Whether it tried more of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub users_cut: bool,
    /// Its last User-Agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl Why {
    /// What the tables and the agent's memory say of a source.
    #[must_use]
    pub fn new(ban: Option<&Ban>, shun: Option<&Shun>, page: Option<&Page>, now: Time) -> Self {
        let active = ban.filter(|ban| ban.until_ns > now.kernel_ns);
        let shunned = shun.filter(|shun| shun.until_ns > now.kernel_ns);
        let end_ns = active.map(|ban| ban.until_ns).or_else(|| shunned.map(|shun| shun.until_ns));
        let mut users = page.map_or_else(Vec::new, |page| page.users.clone());
        if users.is_empty() {
            users.extend(ban.and_then(|ban| shown(&ban.user)));
        }
        Self {
            until: end_ns.map(|end_ns| now.until(end_ns)),
            level: active.map(|ban| ban.level).filter(|level| *level > 0),
            reason: reason(active.or_else(|| ban.filter(|_| shunned.is_none())), page),
            users,
            users_cut: page.is_some_and(|page| page.users_cut),
            user_agent: page
                .and_then(|page| page.user_agent.clone())
                .or_else(|| ban.and_then(|ban| shown(&ban.user_agent))),
        }
    }
}

fn reason(ban: Option<&Ban>, page: Option<&Page>) -> Option<String> {
    let found = || page.and_then(|page| page.finding.clone());
    match ban.and_then(|ban| Some((ban, BanOrigin::from_number(ban.origin)?))) {
        Some((ban, BanOrigin::Failures)) => Some(format!("{} auth failures", ban.strikes)),
        Some((_, BanOrigin::Operator)) => Some("by operator".to_owned()),
        Some((_, BanOrigin::Agent)) => Some(found().unwrap_or_else(|| "by the agent".to_owned())),
        None => found(),
    }
}

/// Keeps the `count` worst sources, the worst one first: those that failed, asked without following up, and went on while
/// they were banned.
pub(super) fn keep_worst(sources: &mut Vec<(Source, SourceState)>, bans: &HashMap<Source, Ban>, count: usize) {
    let rank = |(source, did): &(Source, SourceState)| {
        let drops = bans.get(source).map_or(0, |ban| ban.packets);
        let failures = did.failures_proven.saturating_add(did.failures_unproven);
        let unanswered = did.challenges.saturating_sub(did.attempts);
        let deeds = drops.saturating_add(failures).saturating_add(unanswered);
        (Reverse(deeds), Reverse(did.last_seen_ns), *source)
    };
    if sources.len() > count {
        sources.select_nth_unstable_by_key(count, rank);
        sources.truncate(count);
    }
    sources.sort_unstable_by_key(rank);
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use sip_fw_common::abi::UNTIL_LIFTED_NS;
    use sip_fw_core::text::pack;
    use sip_fw_core::time::Timestamp;

    use super::*;

    const NOW: Time = Time { kernel_ns: 10_000_000_000, wall: Timestamp { unix_ms: 10_000 } };

    fn ban(origin: BanOrigin, until_ns: u64) -> Ban {
        Ban { packets: 7, strikes: 5, level: 2, user: pack("1000"), ..Ban::new(origin, 0, until_ns) }
    }

    #[test]
    fn a_ban_of_the_kernel_needs_no_memory() {
        let why = Why::new(Some(&ban(BanOrigin::Failures, 11_000_000_000)), None, None, NOW);
        let expected =
            "{\"until\":\"1970-01-01T00:00:11.000Z\",\"level\":2,\"reason\":\"5 auth failures\",\"users\":[\"1000\"]}";
        assert_eq!(serde_json::to_string(&why).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Why>(expected).unwrap(), why);
    }

    #[test]
    fn what_holds_back_now_goes_before_what_did() {
        let page = Page {
            users: vec!["a".to_owned(), "b".to_owned()],
            users_cut: true,
            finding: Some("one number under five prefixes".to_owned()),
            ..Page::default()
        };
        let ended = ban(BanOrigin::Failures, 9_000_000_000);
        let shun = Shun { until_ns: 11_000_000_000, since_ns: 0, packets: 0, bytes: 0 };
        let why = Why::new(Some(&ended), Some(&shun), Some(&page), NOW);
        assert_eq!(why.reason.as_deref(), Some("one number under five prefixes"));
        assert_eq!((why.level, why.users.len(), why.users_cut), (None, 2, true));
        let lifted = Why::new(Some(&ban(BanOrigin::Operator, UNTIL_LIFTED_NS)), None, None, NOW);
        assert_eq!((lifted.until, lifted.reason.as_deref()), (Some(Until::Lifted), Some("by operator")));
        assert_eq!(Why::new(None, None, None, NOW), Why::default());
        assert_eq!(serde_json::to_string(&Why::default()).unwrap(), "{}");
    }

    #[test]
    fn the_worst_come_first() {
        let did = |failures_proven, challenges, attempts| SourceState {
            requests: 0,
            attempts,
            failures_proven,
            failures_unproven: 0,
            successes: 0,
            challenges,
            stale: 0,
            first_seen_ns: 0,
            last_seen_ns: 0,
        };
        let source = |n: u32| Source::v4(n);
        let mut sources = vec![
            (source(1), did(0, 50, 50)),
            (source(2), did(5, 1, 6)),
            (source(3), did(0, 12, 0)),
            (source(4), did(5, 1, 6)),
        ];
        let bans = HashMap::from([(source(4), ban(BanOrigin::Failures, 0))]);
        keep_worst(&mut sources, &bans, 3);
        let kept: Vec<_> = sources.iter().map(|(source, _)| *source).collect();
        assert_eq!(kept, [source(3), source(4), source(2)], "12 unanswered, 5 failures and 7 drops, 5 failures");
    }
}
