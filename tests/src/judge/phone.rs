//! A user agent: a phone, or whoever guesses like one.

use super::bed::Bed;
use super::message::{Answer, Credentials, Request, Secret, Spelling};
use super::peer::Peer;

/// Its requests, one dialog identifier for all, and the challenge it holds.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Where it is.
    pub peer: Peer,
    /// Its user.
    pub user: String,
    /// User-Agent.
    pub user_agent: Option<&'static str>,
    /// How it writes.
    pub spelling: Spelling,
    /// The challenge that it answers next.
    pub held: Option<Held>,
    call_id: String,
    cseq: u64,
}

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its nonce.
    pub nonce: String,
    /// It was a 407.
    pub is_proxy: bool,
}

impl Phone {
    /// One that holds no challenge.
    pub fn new(bed: &mut Bed<'_>, peer: Peer, user: impl Into<String>) -> Self {
        let call_id = format!("{:x}-{:x}", bed.now_ns(), bed.token());
        let user_agent = Some("Yealink SIP-T46S 66.84.0.15");
        Self { peer, user: user.into(), user_agent, spelling: Spelling::Usual, held: None, call_id, cseq: 0 }
    }

    /// The next request, without credentials.
    pub fn request(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str) -> Request {
        self.cseq += 1;
        Request {
            method,
            user: self.user.clone(),
            target: target.to_owned(),
            branch: format!("z9hG4bK{:x}.{:x}", bed.now_ns(), bed.token()),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            user_agent: self.user_agent,
            credentials: None,
            spelling: self.spelling,
        }
    }

    /// The next request, with an answer to the challenge held.
    pub fn request_with(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str, secret: Secret) -> Request {
        let request = self.request(bed, method, target);
        let credentials = self.credentials(secret);
        Request { credentials, ..request }
    }

    /// The answer to the challenge held.
    pub fn credentials(&self, secret: Secret) -> Option<Credentials> {
        let Held { nonce, is_proxy } = self.held.clone()?;
        Some(Credentials { user: self.user.clone(), nonce, secret, is_proxy })
    }

    /// Sends a request, and takes the challenge if there is one.
    pub fn send(&mut self, bed: &mut Bed<'_>, request: &Request) -> Option<Answer> {
        let answer = bed.ask(self.peer, request)?;
        if let Some(nonce) = &answer.nonce {
            self.held = Some(Held { nonce: nonce.clone(), is_proxy: answer.status == 407 });
        }
        if request.method == "INVITE" {
            bed.tell(self.peer, &request.ack());
        }
        Some(answer)
    }

    /// Asks without credentials.
    pub fn plain(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str) -> Option<Answer> {
        let request = self.request(bed, method, target);
        self.send(bed, &request)
    }

    /// Asks with an answer to the challenge held.
    pub fn attempt(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str, secret: Secret) -> Option<Answer> {
        let request = self.request_with(bed, method, target, secret);
        self.send(bed, &request)
    }

    /// As a phone does that keeps no challenge: asks, answers the challenge, and once more if it was too old.
    pub fn ask(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str, secret: Secret) -> Option<u16> {
        let first = self.plain(bed, method, target)?;
        if first.nonce.is_none() {
            return Some(first.status);
        }
        let second = self.attempt(bed, method, target, secret)?;
        if second.is_stale {
            return self.attempt(bed, method, target, secret).map(|answer| answer.status);
        }
        Some(second.status)
    }

    /// As a phone does that keeps its challenge: answers it again, and the new one if there is one.
    pub fn ask_again(&mut self, bed: &mut Bed<'_>, method: &'static str, target: &str, secret: Secret) -> Option<u16> {
        if self.held.is_none() {
            return self.ask(bed, method, target, secret);
        }
        let first = self.attempt(bed, method, target, secret)?;
        if first.nonce.is_none() {
            return Some(first.status);
        }
        self.attempt(bed, method, target, secret).map(|answer| answer.status)
    }

    /// Registers without keeping a challenge.
    pub fn register(&mut self, bed: &mut Bed<'_>, secret: Secret) -> Option<u16> {
        self.ask(bed, "REGISTER", "", secret)
    }
}
