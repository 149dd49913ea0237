//! A PBX: what it answers, and to whom it handed which nonce.

use std::collections::{HashMap, HashSet};

use sip_fw_common::abi::Source;

use super::dialect::{Dialect, Old};
use super::message::{Answer, Credentials, Request, Secret};
use super::peer::Peer;

/// A PBX with its accounts: the extensions of four digits that begin with 1.
#[derive(Debug)]
pub struct Pbx {
    dialect: Dialect,
    /// Calls without credentials are let in, as far as they go.
    pub is_open: bool,
    /// Every account has its maximum of contacts.
    pub contacts_full: bool,
    /// REGISTER of a user who does not exist is answered 404 at once (`alwaysauthreject=no`).
    pub tells_users: bool,
    /// Their calls need no credentials.
    pub trunks: HashSet<Source>,
    nonces: HashMap<String, Nonce>,
    challenges: u64,
}

#[derive(Debug)]
struct Nonce {
    since_ns: u64,
    /// None: several.
    receiver: Option<Source>,
    is_used: bool,
}

impl Pbx {
    /// One that answered nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            is_open: false,
            contacts_full: false,
            tells_users: false,
            trunks: HashSet::new(),
            nonces: HashMap::new(),
            challenges: 0,
        }
    }

    /// What kind of PBX it is.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether whoever shows these credentials must have received what this host sent there, and nobody else did.
    pub fn is_proof(&self, from: &Peer, credentials: &Credentials) -> bool {
        let only_his = |nonce: &Nonce| nonce.receiver == Some(from.source());
        from.is_tcp() || self.nonces.get(&credentials.nonce).is_some_and(only_his)
    }

    /// The answer to a request.
    pub fn answer(&mut self, from: &Peer, request: &Request, now_ns: u64) -> Answer {
        let Request { method, user, target, credentials, .. } = request;
        if *method == "OPTIONS" && !self.dialect.challenges_options() {
            return Answer::plain(200);
        }
        let Some(credentials) = credentials else {
            if *method == "INVITE" && self.trunks.contains(&from.source()) {
                return Answer::plain(call(target));
            }
            let refusal = match *method {
                "INVITE" if self.is_open => self.dialect.open_refusal(),
                "REGISTER" if self.tells_users && !exists(user) => Some(404),
                _ => None,
            };
            return refusal.map_or_else(|| self.challenge(from, method, now_ns, false), Answer::plain);
        };
        let is_right = credentials.secret == Secret::Right && exists(&credentials.user);
        match (self.takes(from, &credentials.nonce, now_ns), is_right) {
            (true, true) => self.granted(request),
            (true, false) => {
                let refusal = self.dialect.refusal(method).map(Answer::plain);
                refusal.unwrap_or_else(|| self.challenge(from, method, now_ns, false))
            }
            (false, _) => {
                let is_stale = match self.dialect.old() {
                    Old::Stale => true,
                    Old::StaleIfRight => is_right,
                    Old::Challenge => false,
                };
                self.challenge(from, method, now_ns, is_stale)
            }
        }
    }

    fn challenge(&mut self, to: &Peer, method: &str, now_ns: u64, is_stale: bool) -> Answer {
        self.challenges += 1;
        let nonce = self.dialect.nonce(to.address, now_ns, now_ns.wrapping_add(self.challenges));
        let receiver = Some(to.source());
        let fresh = Nonce { since_ns: now_ns, receiver, is_used: false };
        let known = self.nonces.entry(nonce.clone()).or_insert(fresh);
        if known.receiver != receiver {
            known.receiver = None;
        }
        Answer { status: self.dialect.challenge(method), nonce: Some(nonce), is_stale }
    }

    /// Whether a nonce is good; takes it.
    fn takes(&mut self, from: &Peer, nonce: &str, now_ns: u64) -> bool {
        let dialect = self.dialect;
        self.nonces.get_mut(nonce).is_some_and(|known| {
            let was_used = std::mem::replace(&mut known.is_used, true);
            let is_old = now_ns.saturating_sub(known.since_ns) > dialect.lifetime();
            let is_foreign = dialect.is_bound() && known.receiver != Some(from.source());
            !is_old && !is_foreign && !(dialect.is_single_use() && was_used)
        })
    }

    fn granted(&self, request: &Request) -> Answer {
        Answer::plain(match request.method {
            "REGISTER" if self.contacts_full => 403,
            "INVITE" => call(&request.target),
            _ => 200,
        })
    }
}

/// Whether a user has an account.
pub fn exists(user: &str) -> bool {
    user.len() == 4 && user.starts_with('1')
}

/// How a call ends that is allowed.
fn call(number: &str) -> u16 {
    match number.get(..3) {
        Some("999") => 404,
        Some("888") => 403,
        _ => 200,
    }
}
