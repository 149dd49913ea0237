//! Digest authentication (RFC 2617, MD5, qop=auth): challenges read, credentials made and checked.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::token;

/// The MD5 of a text, in hexadecimal digits.
pub fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What a PBX asks for in a 401 or 407.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce to answer.
    pub nonce: String,
    /// Echoed, if given.
    pub opaque: Option<String>,
    /// If qop=auth is offered.
    pub qop: bool,
    /// If the answer before this was refused only for its old nonce.
    pub stale: bool,
    /// The challenge was a 407: the answer goes into Proxy-Authorization.
    pub proxy: bool,
}

impl Challenge {
    /// Reads the value of WWW-Authenticate or Proxy-Authenticate.
    pub fn parse(value: &str, proxy: bool) -> Option<Self> {
        Some(Self {
            realm: parameter(value, "realm")?,
            nonce: parameter(value, "nonce")?,
            opaque: parameter(value, "opaque"),
            qop: parameter(value, "qop").is_some_and(|qop| qop.split(',').any(|q| q.trim() == "auth")),
            stale: parameter(value, "stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            proxy,
        })
    }

    /// The header line that answers this challenge.
    pub fn answer(&self, user: &str, password: &str, method: &str, uri: &str) -> String {
        let name = if self.proxy { "Proxy-Authorization" } else { "Authorization" };
        let (realm, nonce) = (&self.realm, &self.nonce);
        let cnonce = token();
        let qop = self.qop.then_some(("00000001", cnonce.as_str()));
        let response = response(user, realm, password, nonce, method, uri, qop);
        let mut line = format!(
            "{name}: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm=MD5"
        );
        if let Some((nc, cnonce)) = qop {
            let _ = write!(line, ", cnonce=\"{cnonce}\", qop=auth, nc={nc}");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(line, ", opaque=\"{opaque}\"");
        }
        line
    }
}

/// What a client presents in Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The nonce answered.
    pub nonce: String,
    realm: String,
    uri: String,
    response: String,
    qop: Option<(String, String)>,
}

impl Credentials {
    /// Reads a header value; nothing if the scheme is not Digest or a field is missing.
    pub fn parse(value: &str) -> Option<Self> {
        let scheme = value.trim_start().get(..7)?;
        if !scheme.eq_ignore_ascii_case("digest ") {
            return None;
        }
        let qop = parameter(value, "qop").and_then(|_| Some((parameter(value, "nc")?, parameter(value, "cnonce")?)));
        Some(Self {
            user: parameter(value, "username")?,
            nonce: parameter(value, "nonce")?,
            realm: parameter(value, "realm")?,
            uri: parameter(value, "uri")?,
            response: parameter(value, "response")?,
            qop,
        })
    }

    /// If the password behind this answer is `password`.
    pub fn proves(&self, password: &str, method: &str) -> bool {
        let qop = self.qop.as_ref().map(|(nc, cnonce)| (nc.as_str(), cnonce.as_str()));
        response(&self.user, &self.realm, password, &self.nonce, method, &self.uri, qop) == self.response
    }
}

fn response(
    user: &str,
    realm: &str,
    password: &str,
    nonce: &str,
    method: &str,
    uri: &str,
    qop: Option<(&str, &str)>,
) -> String {
    let secret = md5_hex(&format!("{user}:{realm}:{password}"));
    let request = md5_hex(&format!("{method}:{uri}"));
    match qop {
        Some((nc, cnonce)) => md5_hex(&format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}")),
        None => md5_hex(&format!("{secret}:{nonce}:{request}")),
    }
}

/// One parameter of a challenge or of credentials, without its quotes.
pub fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value.trim_start().split_once(' ')?.1;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t']);
        let (key, after) = rest.split_once('=')?;
        let (found, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(found.trim().to_owned());
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617, section 3.5.
    #[test]
    fn the_answer_is_the_one_of_the_rfc() {
        let answer = response(
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
            Some(("00000001", "0a4f113b")),
        );
        assert_eq!(answer, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn credentials_prove_the_right_password_only() {
        let challenge =
            Challenge::parse("Digest realm=\"a, b\", nonce=\"n=1\", qop=\"auth\", stale=TRUE", false).unwrap();
        assert!(challenge.stale);
        let line = challenge.answer("1000", "1234", "REGISTER", "sip:pbx");
        let credentials = Credentials::parse(line.split_once(": ").unwrap().1).unwrap();
        assert_eq!(credentials.nonce, "n=1");
        assert!(credentials.proves("1234", "REGISTER"));
        assert!(!credentials.proves("1235", "REGISTER"));
        assert!(Credentials::parse("Basic abc").is_none());
    }
}
