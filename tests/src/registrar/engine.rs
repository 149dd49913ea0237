//! What the built-in registrar answers: a pure function of the request and of the nonces given out before.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use crate::sip::{Message, token};

/// Nonces and answers remembered; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 20_000;

const REALM: &str = "pbx.test";

/// How a PBX says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Another 401 or 407: Asterisk's pjsip, Kamailio, OpenSIPS.
    #[default]
    Challenge,
    /// 403: FreeSWITCH, Asterisk's chan_sip.
    Forbidden,
}

/// What kind of PBX to be.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The answer to a wrong password.
    pub dialect: Dialect,
    /// Credentials on an unknown nonce are answered with stale=true.
    pub says_stale: bool,
    /// A REGISTER for a user who does not exist is answered 404.
    pub unknown_is_404: bool,
    /// Name and password of every account.
    pub users: BTreeMap<String, String>,
}

impl Settings {
    /// The accounts that every PBX of the bed has: `1000` with a weak password, `1001`, `1002` and `alice`.
    pub fn standard() -> Self {
        let users = crate::peers::ACCOUNTS
            .iter()
            .map(|(user, password)| ((*user).to_owned(), (*password).to_owned()))
            .collect();
        Self { users, ..Self::default() }
    }
}

/// What the registrar answered one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Requests read.
    pub requests: u64,
    /// Challenges to requests without credentials.
    pub challenged: u64,
    /// Challenges with stale=true.
    pub stale: u64,
    /// Credentials refused.
    pub refused: u64,
    /// Credentials accepted.
    pub accepted: u64,
}

/// The registrar without sockets.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    nonces: Memory<String, ()>,
    /// What each transaction was answered: a retransmission gets the same again.
    answers: Memory<(SocketAddr, String), Vec<u8>>,
    counts: BTreeMap<IpAddr, Answered>,
}

impl Engine {
    /// A registrar that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, nonces: Memory::default(), answers: Memory::default(), counts: BTreeMap::new() }
    }

    /// What every address was answered until now.
    pub const fn counts(&self) -> &BTreeMap<IpAddr, Answered> {
        &self.counts
    }

    /// The answer to what `source` sent, if it deserves one.
    pub fn answer(&mut self, source: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = Message::parse(bytes).filter(|message| message.status().is_none())?;
        let method = request.method()?.to_owned();
        if matches!(method.as_str(), "ACK" | "CANCEL") {
            return None;
        }
        let transaction = (source, format!("{method} {}", request.branch()?));
        if let Some(answer) = self.answers.get(&transaction) {
            return Some(answer.clone());
        }
        let count = self.counts.entry(source.ip()).or_default();
        count.requests += 1;
        let answer = Self::decide(&self.settings, &mut self.nonces, count, &request, &method);
        let bytes = respond(&request, &answer)?;
        self.answers.put(transaction, bytes.clone());
        Some(bytes)
    }

    fn decide(
        settings: &Settings,
        nonces: &mut Memory<String, ()>,
        count: &mut Answered,
        request: &Message,
        method: &str,
    ) -> Answer {
        if method == "OPTIONS" {
            return Answer::line("200 OK");
        }
        if method == "BYE" {
            return Answer::line("481 Call/Transaction Does Not Exist");
        }
        let Some(credentials) = request.credentials() else {
            if settings.unknown_is_404 && request.from_user().is_none_or(|user| !settings.users.contains_key(user)) {
                return Answer::line("404 Not Found");
            }
            count.challenged += 1;
            return Answer::challenge(method, nonces, false);
        };
        if nonces.get(&credentials.nonce).is_none() {
            // FreeSWITCH and OpenSIPS do not look at the password then; Kamailio challenges again without a word.
            if settings.says_stale {
                count.stale += 1;
            } else {
                count.refused += 1;
            }
            return Answer::challenge(method, nonces, settings.says_stale);
        }
        let password = settings.users.get(&credentials.user);
        let right = password.is_some_and(|password| credentials.proves(password, method));
        if !right {
            count.refused += 1;
            return match (settings.unknown_is_404 && password.is_none(), settings.dialect) {
                (true, _) => Answer::line("404 Not Found"),
                (false, Dialect::Forbidden) => Answer::line("403 Forbidden"),
                (false, Dialect::Challenge) => Answer::challenge(method, nonces, false),
            };
        }
        count.accepted += 1;
        Answer::line(if method == "INVITE" { "480 Temporarily Unavailable" } else { "200 OK" })
    }
}

/// A status line and the header lines that belong to it.
struct Answer {
    status: &'static str,
    extra: String,
}

impl Answer {
    const fn line(status: &'static str) -> Self {
        Self { status, extra: String::new() }
    }

    fn challenge(method: &str, nonces: &mut Memory<String, ()>, stale: bool) -> Self {
        let nonce = token();
        nonces.put(nonce.clone(), ());
        let (status, header) = match method {
            "REGISTER" => ("401 Unauthorized", "WWW-Authenticate"),
            _ => ("407 Proxy Authentication Required", "Proxy-Authenticate"),
        };
        let stale = if stale { ", stale=true" } else { "" };
        Self {
            status,
            extra: format!(
                "{header}: Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"{stale}\r\n"
            ),
        }
    }
}

fn respond(request: &Message, answer: &Answer) -> Option<Vec<u8>> {
    let Answer { status, extra } = answer;
    let vias: String = request.all("via").map(|via| format!("Via: {via}\r\n")).collect();
    let (from, call_id, cseq) = (request.header("from")?, request.header("call-id")?, request.header("cseq")?);
    let to = request.header("to")?;
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={}", token()) };
    let contact = match (status.starts_with("200"), request.header("contact")) {
        (true, Some(contact)) => format!("Contact: {contact};expires=3600\r\n"),
        _ => String::new(),
    };
    let text = format!(
        "SIP/2.0 {status}\r\n{vias}From: {from}\r\nTo: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
         {extra}{contact}Server: sip-fw test registrar\r\nContent-Length: 0\r\n\r\n"
    );
    Some(text.into_bytes())
}

/// A map that forgets its oldest entries.
#[derive(Debug)]
struct Memory<K, V> {
    map: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V> Memory<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    fn put(&mut self, key: K, value: V) {
        if self.order.len() == REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.map.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Request, Transport};

    fn ask(engine: &mut Engine, request: &Request) -> Message {
        let source = "10.98.1.1:5061".parse().unwrap();
        Message::parse(&engine.answer(source, &request.bytes()).unwrap()).unwrap()
    }

    fn register() -> Request {
        Request::new(
            "REGISTER",
            "1000",
            "10.98.1.1:5061".parse().unwrap(),
            "10.98.0.1:5060".parse().unwrap(),
            Transport::Udp,
        )
    }

    fn with_password(before: &Request, answer: &Message, password: &str) -> Request {
        let mut request = before.next();
        request.extra = vec![answer.challenge().unwrap().answer("1000", password, "REGISTER", &request.uri)];
        request
    }

    #[test]
    fn right_and_wrong_passwords() {
        let mut engine = Engine::new(Settings::standard());
        let first = register();
        let challenge = ask(&mut engine, &first);
        assert_eq!(challenge.status(), Some(401));
        assert_eq!(ask(&mut engine, &with_password(&first, &challenge, "1234")).status(), Some(200));
        let wrong = with_password(&first, &challenge, "4321");
        assert_eq!(ask(&mut engine, &wrong).status(), Some(401));
        assert_eq!(ask(&mut engine, &wrong).status(), Some(401));
        let count = engine.counts().values().next().unwrap();
        assert_eq!(count, &Answered { requests: 3, challenged: 1, stale: 0, refused: 1, accepted: 1 });
    }

    #[test]
    fn the_other_dialects() {
        let settings = Settings { dialect: Dialect::Forbidden, says_stale: true, ..Settings::standard() };
        let mut engine = Engine::new(settings);
        let first = register();
        let challenge = ask(&mut engine, &first);
        assert_eq!(ask(&mut engine, &with_password(&first, &challenge, "4321")).status(), Some(403));
        let mut other = Engine::new(Settings { says_stale: true, ..Settings::standard() });
        let stale = ask(&mut other, &with_password(&first, &challenge, "4321"));
        assert!(stale.challenge().unwrap().stale);
    }
}
