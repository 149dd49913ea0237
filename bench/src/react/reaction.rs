//! How fast a defence was, as the cable in front of the PBX shows it: one clock, and the same place for every defence.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use sip_fw_e2e::wire::{Direction, Seen};

/// What became of an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reaction {
    /// From the deciding refusal to the first attempt after it from which on the PBX answers none.
    pub time: Duration,
    /// Attempts that came after the deciding refusal and that the PBX answered.
    pub let_through: usize,
    /// Attempts that were with the PBX already when it sent the deciding refusal, and that it answered later.
    pub under_way: usize,
    /// Attempts a second that came.
    pub offered: f64,
    /// Attempts a second that were answered, until the last one that was.
    pub answered: f64,
}

/// An attempt on the cable.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    sent: SystemTime,
    /// When its answer was seen, and after how many other answers.
    answer: Option<(SystemTime, usize)>,
}

impl Reaction {
    /// Of an attack by `source`, when refusal number `threshold` decides. `seen` is what passed the switch's end of the PBX's cable.
    pub fn of(seen: &[Seen], source: IpAddr, threshold: usize) -> Result<Self> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut by_branch: HashMap<&str, usize> = HashMap::new();
        let mut answers = 0;
        // When the deciding refusal came, and how many attempts had come before.
        let mut decided = None;
        for message in seen {
            let branch = message.branch.as_str();
            match (message.direction, message.status) {
                (Direction::Out, None) if message.source.ip() == source && message.credentials.is_some() => {
                    by_branch.insert(branch, attempts.len());
                    attempts.push(Attempt { sent: message.time, answer: None });
                }
                (Direction::In, Some(401 | 403)) if message.destination.ip() == source => {
                    let Some(attempt) = by_branch.get(branch).map(|number| &mut attempts[*number]) else { continue };
                    if attempt.answer.is_none() {
                        attempt.answer = Some((message.time, answers));
                        answers += 1;
                    }
                    if answers == threshold && decided.is_none() {
                        decided = Some((message.time, attempts.len()));
                    }
                }
                _ => {}
            }
        }
        let (at, before) =
            decided.with_context(|| format!("{source} was refused {answers} times of {threshold} that decide"))?;
        let last = attempts.iter().rposition(|attempt| attempt.answer.is_some()).context("nothing was answered")?;
        let dropped = attempts.get(before.max(last + 1)).with_context(|| format!("nothing of {source} was dropped"))?;
        let is_answered = |attempt: &&Attempt| attempt.answer.is_some();
        let is_late = |attempt: &&Attempt| attempt.answer.is_some_and(|(_, number)| number >= threshold);
        let last_answer = attempts.iter().filter_map(|attempt| attempt.answer).map(|(time, _)| time).max();
        let began = attempts[0].sent;
        let rate = |count: usize, until: SystemTime| count as f64 / since(began, until).as_secs_f64();
        Ok(Self {
            time: since(at, dropped.sent),
            let_through: attempts[before..].iter().filter(is_answered).count(),
            under_way: attempts[..before].iter().filter(is_late).count(),
            offered: rate(attempts.len() - 1, attempts[attempts.len() - 1].sent),
            answered: rate(answers, last_answer.unwrap_or(at)),
        })
    }
}

/// Nothing, should the wall clock be set back meanwhile.
fn since(from: SystemTime, until: SystemTime) -> Duration {
    until.duration_since(from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const THRESHOLD: usize = 2;

    fn source() -> IpAddr {
        "10.98.2.2".parse().unwrap()
    }

    /// What passed at a millisecond: attempt `n` on its way to the PBX, or its refusal.
    fn seen(ms: u64, n: u32, direction: Direction) -> Seen {
        let (attacker, pbx) = ("10.98.2.2:5062".parse().unwrap(), "10.98.0.1:5060".parse().unwrap());
        let to_pbx = direction == Direction::Out;
        Seen {
            time: UNIX_EPOCH + Duration::from_millis(ms),
            direction,
            source: if to_pbx { attacker } else { pbx },
            destination: if to_pbx { pbx } else { attacker },
            tcp: false,
            first_line: String::new(),
            status: (!to_pbx).then_some(401),
            method: "REGISTER".to_owned(),
            branch: format!("z9hG4bK{n}"),
            credentials: to_pbx.then(|| "1001".to_owned()),
            nonce: None,
            stale: false,
        }
    }

    fn attempt(ms: u64, n: u32) -> Seen {
        seen(ms, n, Direction::Out)
    }

    fn refusal(ms: u64, n: u32) -> Seen {
        seen(ms, n, Direction::In)
    }

    #[test]
    fn a_defence_at_the_deciding_refusal_lets_nothing_through() {
        let seen = [attempt(0, 1), refusal(1, 1), attempt(10, 2), refusal(11, 2), attempt(20, 3), attempt(30, 4)];
        let reaction = Reaction::of(&seen, source(), THRESHOLD).unwrap();
        assert_eq!((reaction.let_through, reaction.under_way), (0, 0));
        assert_eq!(reaction.time, Duration::from_millis(9));
        assert_eq!(reaction.offered, 100.0);
    }

    #[test]
    fn what_was_with_the_pbx_already_is_not_let_through() {
        let seen = [
            attempt(0, 1),
            attempt(1, 2),
            attempt(2, 3),
            refusal(3, 1),
            refusal(4, 2),
            refusal(5, 3),
            attempt(6, 4),
            refusal(7, 4),
            attempt(8, 5),
            refusal(9, 4),
        ];
        let reaction = Reaction::of(&seen, source(), THRESHOLD).unwrap();
        assert_eq!((reaction.let_through, reaction.under_way), (1, 1));
        assert_eq!(reaction.time, Duration::from_millis(4));
    }

    #[test]
    fn an_attempt_that_was_lost_is_no_defence() {
        let seen = [
            attempt(0, 1),
            refusal(1, 1),
            attempt(2, 2),
            refusal(3, 2),
            attempt(4, 3),
            attempt(5, 4),
            refusal(6, 4),
            attempt(7, 5),
        ];
        let reaction = Reaction::of(&seen, source(), THRESHOLD).unwrap();
        assert_eq!((reaction.let_through, reaction.time), (1, Duration::from_millis(4)));
        assert!(Reaction::of(&seen[..7], source(), THRESHOLD).is_err(), "no defence at all");
        assert!(Reaction::of(&seen[..3], source(), THRESHOLD).is_err(), "nothing decided");
    }
}
