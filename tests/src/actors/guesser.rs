//! A password guesser, as svcrack and its like work, but also over IPv6 and TCP, and one guess at a time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;

use super::Client;
use crate::netns::Host;
use crate::sip::{Challenge, Message, Request, Transport};

/// How a guesser gets its nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceHabit {
    /// The one of the last refusal, like svcrack: one packet per guess.
    Reuse,
    /// A fresh challenge for every guess.
    Fresh,
}

/// What a guess came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// 2xx: the password is known now.
    Found,
    /// A final status that is not 2xx.
    Refused(u16),
    /// No answer any more.
    Silence,
}

/// Guesses passwords of one user from one address.
#[derive(Debug)]
pub struct Guesser {
    client: Client,
    habit: NonceHabit,
    user: String,
    patience: Duration,
    last: Request,
    challenge: Option<Challenge>,
    /// Guesses sent until now.
    pub sent: u64,
}

impl Guesser {
    /// A guesser at the address `from` of `host`.
    pub fn new(
        host: &Host,
        from: IpAddr,
        pbx: SocketAddr,
        transport: Transport,
        user: &str,
        habit: NonceHabit,
    ) -> Result<Self> {
        let client = Client::dial(host, from, pbx, transport)?;
        let mut last = client.request("REGISTER", user);
        last.user_agent = "friendly-registrar 1.0".to_owned();
        Ok(Self {
            client,
            habit,
            user: user.to_owned(),
            patience: Duration::from_secs(3),
            last,
            challenge: None,
            sent: 0,
        })
    }

    /// How long it waits for an answer; one repetition every 500 ms over UDP. Default 3 s.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tries one password.
    pub fn guess(&mut self, password: &str) -> Guess {
        if self.challenge.is_none() {
            self.last = self.last.next();
            let Some(answer) = self.client.transact(&self.last, self.patience) else { return Guess::Silence };
            self.challenge = answer.challenge();
        }
        let Some(request) = self.attempt(password) else { return Guess::Refused(0) };
        self.sent += 1;
        self.last = request;
        let answer = self.client.transact(&self.last, self.patience);
        let next = answer.as_ref().and_then(Message::challenge).or_else(|| self.challenge.take());
        self.challenge = next.filter(|_| self.habit == NonceHabit::Reuse);
        match answer.as_ref().and_then(Message::status) {
            None => Guess::Silence,
            Some(200..=299) => Guess::Found,
            Some(status) => Guess::Refused(status),
        }
    }

    /// Tries passwords until no answer comes or one fits; gives the number of refusals and the last result.
    pub fn guess_all<'a>(&mut self, passwords: impl IntoIterator<Item = &'a str>) -> (u64, Guess) {
        let mut refused = 0;
        let mut last = Guess::Silence;
        for password in passwords {
            last = self.guess(password);
            match last {
                Guess::Refused(_) => refused += 1,
                Guess::Found | Guess::Silence => break,
            }
        }
        (refused, last)
    }

    /// Sends a guess on the last nonce known, again on its own transaction, without waiting for anything.
    pub fn shout(&mut self, password: &str) {
        if let Some(request) = self.attempt(password) {
            self.client.send(&request.bytes());
            self.last = request;
            self.sent += 1;
        }
    }

    /// The bytes of the last guess once more: a retransmission.
    pub fn repeat(&mut self) {
        let bytes = self.last.bytes();
        self.client.send(&bytes);
    }

    fn attempt(&self, password: &str) -> Option<Request> {
        let challenge = self.challenge.as_ref()?;
        let mut request = self.last.next();
        request.extra = vec![challenge.answer(&self.user, password, "REGISTER", &request.uri)];
        Some(request)
    }
}
