//! What became of one source, and whether it deserved that.

use std::net::IpAddr;

use super::expect::{Expect, Limit};
use super::fate::Fate;
use super::schedule::SECOND;

/// The book of one source.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its address.
    pub address: IpAddr,
    /// What it deserves.
    pub expect: Expect,
    /// The hardest that was decided.
    pub decided: Fate,
    /// Packets that went on while a decision was in force.
    pub let_through: u64,
    /// What is in force.
    now: Fate,
    /// Packets of its own that were dropped.
    lost: u64,
    /// The limit was reached and nothing was decided.
    is_late: bool,
    /// More went on than its bucket holds.
    is_over: bool,
    evidence: Evidence,
    packets: u64,
    since_ns: u64,
}

/// What was seen since the last decision.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    proven: u64,
    unproven: u64,
    refused: u64,
    packets: u64,
}

/// What the PBX made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A wrong password, from somebody who can only be there.
    Proven,
    /// A wrong password, from whomever.
    Unproven,
    /// No credentials: refused or challenged.
    Refused,
    /// Nothing to hold against anybody.
    Nothing,
}

/// How a source was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// As it deserves.
    Right,
    /// A good source was banned, shunned, or lost a packet.
    GoodBanned,
    /// A source was banned (or a known peer shunned) for what others sent in its name.
    ForgedBanned,
    /// An attacker was decided about too late, too softly or never, or went on in spite of it.
    Missed,
}

impl Account {
    /// An empty book.
    pub fn new(address: IpAddr, expect: Expect, now_ns: u64) -> Self {
        Self {
            address,
            expect,
            decided: Fate::Free,
            let_through: 0,
            now: Fate::Free,
            lost: 0,
            is_late: false,
            is_over: false,
            evidence: Evidence::default(),
            packets: 0,
            since_ns: now_ns,
        }
    }

    /// A packet that came from there, or seems to.
    pub fn packet(&mut self, passed: bool, is_genuine: bool, now_ns: u64) {
        if !passed {
            self.lost += u64::from(is_genuine);
            return;
        }
        self.let_through += u64::from(self.now != Fate::Free);
        self.evidence.packets += 1;
        self.packets += 1;
        if let Expect::Limited { burst, per_second } = self.expect {
            let room = burst + now_ns.saturating_sub(self.since_ns) * per_second / SECOND + 1;
            self.is_over |= self.packets > room;
        }
    }

    /// What the PBX made of it.
    pub const fn seen(&mut self, what: Seen) {
        let evidence = &mut self.evidence;
        match what {
            Seen::Proven => evidence.proven += 1,
            Seen::Unproven => evidence.unproven += 1,
            Seen::Refused => evidence.refused += 1,
            Seen::Nothing => {}
        }
    }

    /// What is in force about it now; `together` are the proven failures of all sources.
    pub fn look(&mut self, fate: Fate, together: u64) {
        let seen_and_limit = self.measure(together);
        if fate == Fate::Free {
            self.is_late |= seen_and_limit.is_some_and(|(seen, limit)| seen >= limit);
        } else {
            let begins = self.now == Fate::Free;
            self.is_late |= begins && seen_and_limit.is_some_and(|(seen, limit)| seen > limit);
            // What is answered while it lasts was on its way before, and says nothing after its end.
            self.evidence = Evidence::default();
        }
        self.decided = self.decided.max(fate);
        self.now = fate;
    }

    /// What was seen, and how much of it is enough.
    fn measure(&self, together: u64) -> Option<(u64, u64)> {
        let (Expect::Banned(limit) | Expect::Shunned(limit)) = self.expect else { return None };
        let Evidence { proven, unproven, refused, packets } = self.evidence;
        Some(match limit {
            Limit::Proven(limit) => (proven, limit),
            Limit::Unproven(limit) => (unproven, limit),
            Limit::Refused(limit) => (refused, limit),
            Limit::Packets(limit) => (packets, limit + 1),
            // Who comes when the others are enough already is decided about at his first.
            Limit::Together(limit) => (if proven > 0 { together.min(limit) } else { 0 }, limit),
        })
    }

    /// The judgement at the end.
    pub fn judge(&self) -> Judgement {
        let is_missed = self.is_late || self.let_through > 0;
        match self.expect {
            Expect::Good if self.decided != Fate::Free || self.lost > 0 => Judgement::GoodBanned,
            Expect::Forged { .. } if self.decided == Fate::Banned => Judgement::ForgedBanned,
            Expect::Forged { known_peer: true } if self.decided != Fate::Free || self.lost > 0 => {
                Judgement::ForgedBanned
            }
            Expect::Banned(_) if is_missed || self.decided != Fate::Banned => Judgement::Missed,
            // A ban on evidence that may be forged is a ban of whoever is named there.
            Expect::Shunned(_) if self.decided == Fate::Banned => Judgement::ForgedBanned,
            Expect::Shunned(_) if is_missed || self.decided != Fate::Shunned => Judgement::Missed,
            Expect::Limited { .. } if self.is_over => Judgement::Missed,
            _ => Judgement::Right,
        }
    }

    /// For people: what is wrong, if anything is.
    pub fn fault(&self) -> Option<String> {
        let what = match self.judge() {
            Judgement::Right => return None,
            Judgement::GoodBanned | Judgement::ForgedBanned => {
                format!("{}, {} packets of its own lost", self.decided.name(), self.lost)
            }
            Judgement::Missed if self.is_over => format!("{} packets went on", self.packets),
            Judgement::Missed => {
                let late = if self.is_late { ", late" } else { "" };
                format!("{}{late}, {} packets let through, {:?}", self.decided.name(), self.let_through, self.evidence)
            }
        };
        Some(format!("{} ({}): {what}", self.address, self.expect.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(expect: Expect) -> Account {
        Account::new(IpAddr::from([192, 0, 2, 1]), expect, 0)
    }

    /// Five packets that are proven failures, then this fate, then a packet.
    fn guesser(fates: [Fate; 2], last_passes: bool) -> Judgement {
        let mut account = account(Expect::Banned(Limit::Proven(5)));
        for _ in 0..5 {
            account.packet(true, true, 0);
            account.seen(Seen::Proven);
        }
        fates.into_iter().for_each(|fate| account.look(fate, 5));
        account.packet(last_passes, true, 0);
        account.judge()
    }

    #[test]
    fn a_guesser_is_banned_in_time_and_for_good() {
        assert_eq!(guesser([Fate::Banned, Fate::Banned], false), Judgement::Right);
        assert_eq!(guesser([Fate::Banned, Fate::Banned], true), Judgement::Missed, "a packet went on");
        assert_eq!(guesser([Fate::Free, Fate::Banned], false), Judgement::Missed, "late");
        assert_eq!(guesser([Fate::Shunned, Fate::Free], false), Judgement::Missed, "too softly");
    }

    #[test]
    fn the_good_lose_nothing_and_the_forged_are_not_banned() {
        let judged = |expect, fate, passes| {
            let mut account = account(expect);
            account.look(fate, 0);
            account.packet(passes, true, 0);
            account.judge()
        };
        let (stranger, peer) = (Expect::Forged { known_peer: false }, Expect::Forged { known_peer: true });
        assert_eq!(judged(Expect::Good, Fate::Free, true), Judgement::Right);
        assert_eq!(judged(Expect::Good, Fate::Free, false), Judgement::GoodBanned);
        assert_eq!(judged(Expect::Good, Fate::Shunned, true), Judgement::GoodBanned);
        assert_eq!(judged(stranger, Fate::Shunned, false), Judgement::Right);
        assert_eq!(judged(stranger, Fate::Banned, true), Judgement::ForgedBanned);
        assert_eq!(judged(peer, Fate::Shunned, true), Judgement::ForgedBanned);
        assert_eq!(judged(Expect::Shunned(Limit::Packets(0)), Fate::Banned, false), Judgement::ForgedBanned);
    }
}
