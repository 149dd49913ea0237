//! A good phone: knows its password, registers, and registers again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;

use super::Client;
use crate::netns::Host;
use crate::sip::Transport;

/// How long a phone waits for each answer: seven repetitions over UDP.
const PATIENCE: Duration = Duration::from_secs(4);

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// 200.
    Done,
    /// Another final status.
    Refused(u16),
    /// No answer.
    Lost,
}

/// A phone with one account.
#[derive(Debug)]
pub struct Phone {
    client: Client,
    user: String,
    password: String,
}

impl Phone {
    /// A phone at the address `from` of `host`.
    pub fn new(
        host: &Host,
        from: IpAddr,
        pbx: SocketAddr,
        transport: Transport,
        account: (&str, &str),
    ) -> Result<Self> {
        let client = Client::dial(host, from, pbx, transport)?;
        Ok(Self { client, user: account.0.to_owned(), password: account.1.to_owned() })
    }

    /// Registers from scratch: without credentials, then with the answer to the challenge. A stale nonce is answered again.
    pub fn register(&mut self) -> Registration {
        let mut request = self.client.request("REGISTER", &self.user);
        for _ in 0..3 {
            let Some(answer) = self.client.transact(&request, PATIENCE) else { return Registration::Lost };
            let tried = !request.extra.is_empty();
            match (answer.status(), answer.challenge()) {
                (Some(200), _) => return Registration::Done,
                (Some(401 | 407), Some(challenge)) if !tried || challenge.stale => {
                    request = request.next();
                    request.extra = vec![challenge.answer(&self.user, &self.password, "REGISTER", &request.uri)];
                }
                (status, _) => return Registration::Refused(status.unwrap_or(0)),
            }
        }
        Registration::Refused(401)
    }
}
