//! A request to be sent, with everything a test may want to set.

use std::net::SocketAddr;

use super::{Transport, token};
use crate::family::uri_host;

/// A request; `bytes` writes it down.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The Request-URI.
    pub uri: String,
    /// The user part of From and To.
    pub user: String,
    /// The branch of the Via, the name of the transaction.
    pub branch: String,
    /// The Call-ID.
    pub call_id: String,
    /// The number in CSeq.
    pub cseq: u32,
    /// User-Agent.
    pub user_agent: String,
    /// Whole header lines besides the usual ones, such as credentials.
    pub extra: Vec<String>,
    transport: Transport,
    local: SocketAddr,
    from_tag: String,
}

impl Request {
    /// A request from `local` to the PBX at `pbx`, as `user`, in a transaction and a Call-ID of its own.
    pub fn new(method: &str, user: &str, local: SocketAddr, pbx: SocketAddr, transport: Transport) -> Self {
        Self {
            method: method.to_owned(),
            uri: format!("sip:{}", uri_host(pbx.ip())),
            user: user.to_owned(),
            branch: format!("z9hG4bK{}", token()),
            call_id: token(),
            cseq: 1,
            user_agent: "Yealink SIP-T46S 66.84.0.15".to_owned(),
            extra: Vec::new(),
            transport,
            local,
            from_tag: token(),
        }
    }

    /// The next request of the same Call-ID: a new transaction, CSeq + 1, without extra headers.
    pub fn next(&self) -> Self {
        Self { branch: format!("z9hG4bK{}", token()), cseq: self.cseq + 1, extra: Vec::new(), ..self.clone() }
    }

    /// The message.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { method, uri, user, branch, call_id, cseq, user_agent, extra, transport, local, from_tag } = self;
        let here = format!("{}:{}", uri_host(local.ip()), local.port());
        let domain = uri.trim_start_matches("sip:").rsplit('@').next().unwrap_or_default();
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {here};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{domain}>;tag={from_tag}\r\n\
             To: <sip:{user}@{domain}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:{user}@{here}>\r\n\
             User-Agent: {user_agent}\r\n"
        );
        if method == "REGISTER" {
            text.push_str("Expires: 3600\r\n");
        }
        for line in extra {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        text.into_bytes()
    }
}
