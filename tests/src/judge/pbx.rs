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
            let is_spent = dialect.is_single_use() && was_used;
            !(is_old || is_foreign || is_spent)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::message::Spelling;
    use crate::judge::peer::Way;
    use crate::judge::schedule::SECOND;

    fn request(method: &'static str, nonce: Option<String>, secret: Secret) -> Request {
        let user = "1000".to_owned();
        let credentials = nonce.map(|nonce| Credentials { user: user.clone(), nonce, secret, is_proxy: false });
        Request {
            method,
            user,
            target: "1001".to_owned(),
            branch: "z9hG4bK1".to_owned(),
            call_id: "a".to_owned(),
            cseq: 1,
            user_agent: None,
            credentials,
            spelling: Spelling::Usual,
        }
    }

    /// The codes, negative with stale=true: no credentials, a wrong password, an old nonce with the right one, an old nonce
    /// with a wrong one.
    fn codes(dialect: Dialect, method: &'static str) -> [i32; 4] {
        let peer = Peer::new(Way::EVERY[0], 1, 1);
        let old_ns = dialect.lifetime() + 2 * SECOND;
        [(None, 0), (Some(Secret::Wrong(1)), 0), (Some(Secret::Right), old_ns), (Some(Secret::Wrong(1)), old_ns)].map(
            |(secret, later_ns)| {
                let mut pbx = Pbx::new(dialect);
                let plain = request(method, None, Secret::Right);
                let first = pbx.answer(&peer, &plain, 100 * SECOND);
                let answer = match secret {
                    None => first,
                    Some(secret) => pbx.answer(&peer, &request(method, first.nonce, secret), 100 * SECOND + later_ns),
                };
                i32::from(answer.status) * if answer.is_stale { -1 } else { 1 }
            },
        )
    }

    #[test]
    fn every_row_of_the_matrix() {
        let rows = [
            (Dialect::Pjsip, [401, 401, -401, 401], [401, 401, -401, 401]),
            (Dialect::ChanSip, [401, 403, -401, 401], [401, 403, -401, 401]),
            (Dialect::FreeSwitch, [401, 403, -401, -401], [407, 403, -407, -407]),
            (Dialect::Kamailio, [401, 401, 401, 401], [407, 407, 407, 407]),
            (Dialect::OpenSips, [401, 401, -401, -401], [407, 407, -407, -407]),
            (Dialect::ThreeCx, [407, 404, -407, 407], [407, 407, -407, 407]),
        ];
        for (dialect, register, invite) in rows {
            assert_eq!(codes(dialect, "REGISTER"), register, "{dialect:?}");
            assert_eq!(codes(dialect, "INVITE"), invite, "{dialect:?}");
        }
    }

    #[test]
    fn a_nonce_that_two_got_proves_nothing() {
        let (first, second) = (Peer::new(Way::EVERY[0], 1, 1), Peer::new(Way::EVERY[0], 2, 1));
        let mut pbx = Pbx::new(Dialect::Kamailio);
        let plain = request("REGISTER", None, Secret::Right);
        let nonce = pbx.answer(&first, &plain, SECOND).nonce;
        let guess = request("REGISTER", nonce, Secret::Wrong(1));
        let shown = guess.credentials.as_ref().unwrap();
        assert!(pbx.is_proof(&first, shown) && !pbx.is_proof(&second, shown));
        pbx.answer(&second, &plain, SECOND + 1);
        assert!(!pbx.is_proof(&first, shown));
    }
}
