//! Between the peers and the PBX: every packet goes through the firewall, and the PBX answers what came through.

use std::collections::BTreeMap;

use anyhow::{Error, Result};
use sip_fw_common::abi::Source;

use super::account::{Account, Seen};
use super::expect::Expect;
use super::firewall::Firewall;
use super::message::{Answer, Request, Secret};
use super::pbx::Pbx;
use super::peer::{Peer, Way};
use super::schedule::SECOND;

/// How long the PBX thinks.
const THINKS_NS: u64 = 60_000;
/// How long the firewall may think about what it saw last.
const DELIBERATES_NS: u64 = 8 * SECOND;

/// Where a scenario plays.
pub struct Bed<'a> {
    /// The PBX.
    pub pbx: Pbx,
    firewall: &'a mut Firewall,
    accounts: BTreeMap<Source, Account>,
    way: Way,
    together: u64,
    tokens: u64,
    error: Option<Error>,
}

impl<'a> Bed<'a> {
    /// An empty one.
    pub fn new(firewall: &'a mut Firewall, pbx: Pbx, way: Way) -> Self {
        Self { pbx, firewall, accounts: BTreeMap::new(), way, together: 0, tokens: 0, error: None }
    }

    /// How the packets travel.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// The clock.
    pub const fn now_ns(&self) -> u64 {
        self.firewall.now_ns()
    }

    /// Somebody at a site of his own.
    pub fn peer(&mut self, expect: Expect) -> Peer {
        let site = self.firewall.site();
        self.join(Peer::new(self.way, site, 7), expect)
    }

    /// Several at one site.
    pub fn neighbours(&mut self, count: u16, expect: Expect) -> Vec<Peer> {
        let site = self.firewall.site();
        (0..count).map(|host| self.join(Peer::new(self.way, site, 7 + host), expect)).collect()
    }

    /// Says what a source deserves.
    pub fn join(&mut self, peer: Peer, expect: Expect) -> Peer {
        self.accounts.insert(peer.source(), Account::new(peer.address, expect, self.now_ns()));
        peer
    }

    /// A number nobody used in this scenario.
    pub const fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Moves the clock on.
    pub fn wait(&mut self, ns: u64) {
        self.wait_until(self.now_ns() + ns);
    }

    /// Moves the clock on to a time, unless it is past.
    pub fn wait_until(&mut self, to_ns: u64) {
        let moved = self.firewall.advance(to_ns);
        self.note(moved);
        self.look_at_all();
    }

    /// A request, and the PBX's answer if the request came through.
    pub fn ask(&mut self, from: Peer, request: &Request) -> Option<Answer> {
        self.arrive(from, request.text(&from).as_bytes()).then(|| self.answered(from, request))
    }

    /// A request that somebody else sends in the name of a source. Its answer goes to that source; over TCP there is no
    /// connection that it could belong to, so there is none.
    pub fn forge(&mut self, victim: Peer, request: &Request) {
        if self.packet(victim, request.text(&victim).as_bytes(), false) && !victim.is_tcp() {
            self.answered(victim, request);
        }
    }

    /// Two requests in one segment.
    pub fn ask_both(&mut self, from: Peer, first: &Request, second: &Request) {
        let payload = first.text(&from) + &second.text(&from);
        if self.arrive(from, payload.as_bytes()) {
            self.answered(from, first);
            self.answered(from, second);
        }
    }

    /// A request in two segments, the second of which begins with its credentials.
    pub fn ask_in_pieces(&mut self, from: Peer, request: &Request) -> Option<Answer> {
        let text = request.text(&from);
        let (first, second) = text.split_at(request.credentials_at(&text));
        let passed = self.arrive(from, first.as_bytes()) & self.arrive(from, second.as_bytes());
        passed.then(|| self.answered(from, request))
    }

    /// A request that nobody answers, or that is sent again: whether it came through.
    pub fn tell(&mut self, from: Peer, request: &Request) -> bool {
        self.arrive(from, request.text(&from).as_bytes())
    }

    /// Any packet: whether it came through.
    pub fn arrive(&mut self, from: Peer, payload: &[u8]) -> bool {
        self.packet(from, payload, true)
    }

    /// Any packet of this host.
    pub fn leave(&mut self, to: Peer, payload: &[u8]) {
        let left = self.firewall.leaves(&to, payload);
        self.note(left);
        self.look(to);
    }

    /// An answer of this host that it did not think about.
    pub fn say(&mut self, to: Peer, request: &Request, answer: &Answer) {
        self.leave(to, answer.text(request, &to).as_bytes());
    }

    /// What became of everybody.
    pub fn finish(mut self) -> Result<Vec<Account>> {
        self.wait(DELIBERATES_NS);
        let sources: Vec<Source> = self.accounts.keys().copied().collect();
        for source in sources {
            self.look_at(source);
        }
        self.error.map_or_else(|| Ok(self.accounts.into_values().collect()), Err)
    }

    /// Whether the machine failed, and nothing that follows means anything.
    pub const fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// The PBX's answer to a request that came through.
    pub fn answered(&mut self, from: Peer, request: &Request) -> Answer {
        let is_proof = request.credentials.as_ref().is_some_and(|shown| self.pbx.is_proof(&from, shown));
        let answer = self.pbx.answer(&from, request, self.now_ns());
        let seen = match &request.credentials {
            _ if !answer.refuses() => Seen::Nothing,
            None => Seen::Refused,
            Some(shown) if shown.secret == Secret::Right => Seen::Nothing,
            Some(_) if answer.status == 404 && request.method != "REGISTER" => Seen::Nothing,
            Some(_) if is_proof => Seen::Proven,
            Some(_) => Seen::Unproven,
        };
        self.wait(THINKS_NS);
        self.together += u64::from(seen == Seen::Proven);
        if let Some(account) = self.accounts.get_mut(&from.source()) {
            account.seen(seen);
        }
        self.say(from, request, &answer);
        answer
    }

    fn packet(&mut self, from: Peer, payload: &[u8], is_genuine: bool) -> bool {
        if self.error.is_some() {
            return false;
        }
        self.look(from);
        let arrived = self.firewall.arrives(&from, payload);
        let passed = self.note(arrived).unwrap_or(false);
        let now_ns = self.now_ns();
        if let Some(account) = self.accounts.get_mut(&from.source()) {
            account.packet(passed, is_genuine, now_ns);
        }
        self.look(from);
        passed
    }

    fn look(&mut self, peer: Peer) {
        self.look_at(peer.source());
        self.look_at_all();
    }

    /// If something was decided, maybe about somebody else.
    fn look_at_all(&mut self) {
        if self.firewall.has_decided() {
            let sources: Vec<Source> = self.accounts.keys().copied().collect();
            for source in sources {
                self.look_at(source);
            }
        }
    }

    fn look_at(&mut self, source: Source) {
        let Some(address) = self.accounts.get(&source).map(|account| account.address) else { return };
        let fate = self.firewall.fate(address);
        let Some(fate) = self.note(fate) else { return };
        let together = self.together;
        if let Some(account) = self.accounts.get_mut(&source) {
            account.look(fate, together);
        }
    }

    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.error.get_or_insert(error)).ok()
    }
}
