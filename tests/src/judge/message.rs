//! SIP messages as a PBX sees them: written for the firewall, never read back from what it is shown.

use crate::family::uri_host;
use crate::sip::md5_hex;

use super::peer::Peer;

/// Who says it is allowed: the password behind credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The account's own.
    Right,
    /// Some other one.
    Wrong(u64),
}

/// How a message is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// As most do.
    #[default]
    Usual,
    /// Names of headers and schemes in small letters.
    Small,
    /// Long headers on several lines, blanks before colons.
    Folded,
    /// Short names of headers, behind empty lines.
    Short,
}

/// The answer to a challenge.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Whose.
    pub user: String,
    /// The nonce answered.
    pub nonce: String,
    /// The password.
    pub secret: Secret,
    /// In Proxy-Authorization.
    pub is_proxy: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: &'static str,
    /// The user of From, and of To in a REGISTER.
    pub user: String,
    /// The user of the Request-URI; empty in a REGISTER.
    pub target: String,
    /// Branch of the top Via.
    pub branch: String,
    /// Call-ID.
    pub call_id: String,
    /// CSeq.
    pub cseq: u64,
    /// User-Agent.
    pub user_agent: Option<&'static str>,
    /// What it presents.
    pub credentials: Option<Credentials>,
    /// How it is written.
    pub spelling: Spelling,
}

/// A final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its code.
    pub status: u16,
    /// The nonce of its challenge.
    pub nonce: Option<String>,
    /// stale=true.
    pub is_stale: bool,
}

impl Request {
    /// The message.
    pub fn text(&self, from: &Peer) -> String {
        let Self { method, user, target, branch, call_id, cseq, .. } = self;
        let here = format!("{}:{}", uri_host(from.address), from.port);
        let uri = if target.is_empty() { "sip:pbx.example".to_owned() } else { format!("sip:{target}@pbx.example") };
        let to = if target.is_empty() { user } else { target };
        let user_agent = self.user_agent.map_or(String::new(), |name| format!("User-Agent: {name}\r\n"));
        let credentials = self.credentials.as_ref().map_or(String::new(), |shown| shown.line(method, &uri));
        self.spelling.write(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {here};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@pbx.example>;tag={call_id}f\r\nTo: <sip:{to}@pbx.example>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{user}@{here}>\r\n{user_agent}{credentials}Content-Length: 0\r\n\r\n",
            from.transport
        ))
    }

    /// Where its credentials begin in its text; without any, where its last header does.
    pub fn credentials_at(&self, text: &str) -> usize {
        let found = text.find("Authorization: ").or_else(|| text.find("Content-Length: "));
        found.map_or(0, |at| text[..at].rfind('\n').map_or(at, |line| line + 1))
    }

    /// The ACK of a refusal, in the same transaction.
    pub fn ack(&self) -> Self {
        Self { method: "ACK", ..self.clone() }
    }

    /// The CANCEL of an INVITE, in the same transaction, with its credentials copied.
    pub fn cancel(&self) -> Self {
        Self { method: "CANCEL", ..self.clone() }
    }
}

impl Spelling {
    fn write(self, text: String) -> String {
        let replaced = |pairs: &[(&str, &str)]| pairs.iter().fold(text.clone(), |text, (a, b)| text.replace(a, b));
        match self {
            Self::Usual => text,
            Self::Small => replaced(&[
                ("Authorization: Digest", "authorization: digest"),
                ("Proxy-authorization", "proxy-authorization"),
                ("Via:", "via:"),
                ("From:", "from:"),
                ("CSeq:", "cseq:"),
            ]),
            Self::Folded => replaced(&[
                ("Authorization: ", "Authorization \t:\r\n "),
                (", nonce=", ",\r\n\tnonce = "),
                ("Via: ", "Via :  "),
            ]),
            Self::Short => {
                let short = replaced(&[("Via:", "v:"), ("From:", "f:"), ("To:", "t:"), ("Call-ID:", "i:")]);
                format!("\r\n\r\n{short}")
            }
        }
    }
}

impl Credentials {
    fn line(&self, method: &str, uri: &str) -> String {
        let Self { user, nonce, secret, is_proxy } = self;
        let name = if *is_proxy { "Proxy-Authorization" } else { "Authorization" };
        let response = md5_hex(&format!("{user}:{secret:?}:{nonce}:{method}:{uri}"));
        format!(
            "{name}: Digest username=\"{user}\", realm=\"pbx.example\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5\r\n"
        )
    }
}

impl Answer {
    /// Without a challenge.
    pub const fn plain(status: u16) -> Self {
        Self { status, nonce: None, is_stale: false }
    }

    /// Whether it refuses.
    pub const fn refuses(&self) -> bool {
        matches!(self.status, 401 | 403 | 404 | 407) && !self.is_stale
    }

    /// The message that answers a request.
    pub fn text(&self, request: &Request, to: &Peer) -> String {
        let Self { status, nonce, is_stale } = self;
        let Request { method, user, target, branch, call_id, cseq, .. } = request;
        let header = if *status == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let stale = if *is_stale { ", stale=true" } else { "" };
        let challenge = nonce.as_ref().map_or(String::new(), |nonce| {
            format!("{header}: Digest realm=\"pbx.example\", nonce=\"{nonce}\"{stale}, algorithm=MD5\r\n")
        });
        let host = uri_host(to.address);
        let callee = if target.is_empty() { user } else { target };
        format!(
            "SIP/2.0 {status} {}\r\nVia: SIP/2.0/{} {host}:{};branch={branch};rport={};received={host}\r\n\
             From: <sip:{user}@pbx.example>;tag={call_id}f\r\nTo: <sip:{callee}@pbx.example>;tag={call_id}t\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{challenge}Content-Length: 0\r\n\r\n",
            phrase(*status),
            to.transport,
            to.port,
            to.port,
        )
    }
}

const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        487 => "Request Terminated",
        _ => "Service Unavailable",
    }
}
