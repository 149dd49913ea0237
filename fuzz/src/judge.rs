//! The judge of transactions: whatever a request and its answer say, no failure without an attempt, none for the first challenge or
//! an old nonce; a ban is a step of the ladder; a source passes as many messages as its rate allows.
//!
//! That the kernel programs tie requests to answers as they should is shown elsewhere: `tests/tests/kernel`.

use std::ops::RangeInclusive;

use arbitrary::{Result, Unstructured};
use sip_fw_common::abi::{Ban, BanOrigin, Method, Rate, Settings, Transaction};
use sip_fw_common::bucket::{Admission, pay};
use sip_fw_common::head::Span;
use sip_fw_common::judge::{Answer, Outcome, Refusal, outcome};
use sip_fw_common::ladder;
use sip_fw_common::limits::LADDER_STEPS_MAX;
use sip_fw_common::sip::StartLine;
use sip_fw_common::{hash, request};

use crate::head::Reading;

/// Ends the request; the answer follows.
const BETWEEN: u8 = 0xff;

/// Checks a request and the answer behind it.
pub fn check(bytes: &[u8]) {
    let (sent, answer) = bytes.split_at(bytes.iter().position(|byte| *byte == BETWEEN).unwrap_or(bytes.len()));
    exchange(sent, answer.get(1..).unwrap_or_default());
    // Of too few bytes nothing is made.
    let _ = ban(&mut Unstructured::new(bytes));
    let _ = rate(&mut Unstructured::new(bytes));
}

fn exchange(sent: &[u8], answer: &[u8]) {
    let asked = Reading::told(sent);
    let StartLine::Request(method) = asked.line else { return };
    let transaction = remembered(&asked, method, 7);
    let attempt = transaction.credentials != 0;
    assert_eq!(transaction.digest != 0, attempt, "what tells attempts apart");
    assert!(!attempt || says(sent, "authorization") && says(sent, "digest"), "an attempt without credentials");
    let again = [b"\r\n", sent].concat();
    let again = Reading::told(&again);
    if again.found().is_complete() {
        let repeated = remembered(&again, method, 7);
        assert_eq!(repeated.digest, transaction.digest, "sent again it is another attempt");
    }
    let reply = Reading::of::<true>(answer);
    let StartLine::Response(status) = reply.line else { return };
    let stale = reply.found().is_stale(reply.head());
    assert!(!stale || says(answer, "stale") && says(answer, "true"), "a challenge that does not say stale");
    for refusal in [Refusal::Forbidden, Refusal::Challenge] {
        let judged = outcome(&Answer { status, method, attempt, stale, refusal });
        let of_attempts = matches!(judged, Outcome::Failure | Outcome::Success | Outcome::Stale);
        assert!(attempt || !of_attempts, "{judged:?} without an attempt");
        assert!(judged == Outcome::Provisional || status >= 200, "{judged:?} before the final answer");
        match judged {
            Outcome::Failure => {
                assert!(matches!(status, 401 | 403 | 404 | 407), "{status} is no refusal of a password");
                assert!(!stale || !matches!(status, 401 | 407), "an old nonce is no wrong password");
                assert!(matches!(status, 401 | 407) || refusal == Refusal::Forbidden, "{status} of chan_pjsip");
            }
            Outcome::Success => assert!(matches!(status, 200..=299) && method != Method::Options),
            Outcome::Challenge => assert!(matches!(status, 401 | 407)),
            Outcome::Stale => assert!(stale),
            Outcome::Provisional | Outcome::Neutral => {}
        }
    }
}

fn says(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// What the programs remember of a request.
fn remembered(asked: &Reading, method: Method, seed: u64) -> Transaction {
    let mut transaction = Transaction { method: method as u8, ..Transaction::NOTHING };
    let uri_user = |span| sip_fw_common::sip::uri_user(asked.head(), span, 0);
    let asked_for = match asked.found().credentials {
        0 => request::asked_for(method as u8, asked.start(), asked.found(), uri_user),
        _ => Span::default(),
    };
    let hash = |span| hash::span(asked.head(), seed, span);
    request::describe(asked.head(), asked.found(), &mut transaction, asked_for, hash);
    transaction
}

fn number(from: &mut Unstructured<'_>, range: RangeInclusive<u64>) -> Result<u64> {
    from.int_in_range(range)
}

/// A ban lasts as long as a step of the ladder says, and the next one is never a lower step while the last one is not forgotten.
fn ban(from: &mut Unstructured<'_>) -> Result<()> {
    let mut settings = Settings {
        window_ns: 1,
        decay_ns: from.arbitrary()?,
        known_peer_ns: 0,
        ladder_ns: [0; LADDER_STEPS_MAX],
        ipv6_mask: u64::MAX,
        threshold: 1,
        ladder_steps: number(from, 1..=LADDER_STEPS_MAX as u64)? as u32,
        observe: 0,
        scope_host: 0,
    };
    let steps = settings.ladder_steps as usize;
    for step in &mut settings.ladder_ns[..steps] {
        *step = from.arbitrary()?;
    }
    let ended = Ban::new(BanOrigin::Failures, 0, from.arbitrary()?);
    let last = Ban { level: from.arbitrary()?, ..ended };
    let now_ns = from.arbitrary()?;
    let first = ladder::next(&settings, None, now_ns);
    assert_eq!((first.level, first.length_ns), (1, settings.ladder_ns[0]));
    let next = ladder::next(&settings, Some(&last), now_ns);
    assert!((1..=steps).contains(&usize::from(next.level)), "{next:?} of {steps}");
    assert_eq!(next.length_ns, settings.ladder_ns[usize::from(next.level) - 1]);
    let is_remembered = now_ns < last.until_ns.saturating_add(settings.decay_ns);
    let expected = if is_remembered { (usize::from(last.level) + 1).min(steps) } else { 1 };
    assert_eq!(usize::from(next.level), expected);
    Ok(())
}

/// Microseconds until the time of a rate wraps.
const WRAP_US: u64 = 1 << 44;

/// Never more messages than the burst and what came in meanwhile, and a message that comes slowly enough always passes, unless the time
/// of its rate wraps just then.
fn rate(from: &mut Unstructured<'_>) -> Result<()> {
    let rate = Rate { interval_us: number(from, 1..=1_000_000)? as u32, burst: number(from, 1..=1000)? as u32 };
    let tag: u64 = from.arbitrary()?;
    let begin_us = number(from, 0..=1 << 45)?;
    let interval = u64::from(rate.interval_us);
    let calm_us = interval * (u64::from(rate.burst) + 1);
    let (mut state, mut now_us, mut passed) = (0, begin_us, 0_u64);
    for _ in 0..64 {
        let (next, admission) = pay(state, tag, now_us * 1000, rate);
        state = next;
        passed += u64::from(admission == Admission::Within);
        let allowed = u64::from(rate.burst) + (now_us - begin_us) / interval;
        assert!(passed <= allowed, "{passed} messages, allowed {allowed}");
        let longest_us = if from.ratio(1, 16)? { WRAP_US - 3 * calm_us } else { 4 * interval };
        let pause_us = number(from, 0..=longest_us)?;
        now_us += pause_us;
    }
    assert_eq!(pay(state, tag, (now_us + calm_us) * 1000, rate).1, Admission::Within, "after a pause");
    Ok(())
}
