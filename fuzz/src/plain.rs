//! What the end-to-end tests' own reader says of a message, where there is nothing to argue about.
//!
//! That reader splits text at line ends, colons, commas and semicolons, and knows nothing of the scanner. Of messages that PBXs read
//! in different ways, escapes in quotes or lines that end in LF alone, it has no opinion: they are not compared.

use sip_fw_common::abi::Method;
use sip_fw_common::head::Span;
use sip_fw_common::limits::{CREDENTIALS_MAX, HEAD_BYTES};
use sip_fw_common::sip::StartLine;
use sip_fw_e2e::sip::{Message, parameter};

use crate::head::Reading;

/// What a message says; None where the reader has no opinion.
#[derive(Debug)]
pub struct Expected {
    line: StartLine,
    has_via: bool,
    branch: Option<String>,
    user_agent: Option<String>,
    from_user: Option<String>,
    cseq: Option<Option<Method>>,
    /// Digest credentials or challenges.
    digests: Vec<String>,
}

/// Reads a message; None where it is not plain.
pub fn read(bytes: &[u8]) -> Option<Expected> {
    let blank = bytes.iter().take_while(|byte| **byte <= b' ').count();
    let text = str::from_utf8(&bytes[blank..]).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let is_plain = |line: &str| line.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\');
    if bytes.len() >= HEAD_BYTES || !head.split("\r\n").all(is_plain) {
        return None;
    }
    // A folded line goes on with the one before it, which that reader leaves out where it is no header.
    let lines: Vec<&str> = head.split("\r\n").collect();
    if lines.windows(2).any(|pair| pair[1].starts_with(' ') && !pair[0].starts_with(' ') && !pair[0].contains(':')) {
        return None;
    }
    let message = Message::parse(text.as_bytes())?;
    let line = line(&message)?;
    let names = match line {
        StartLine::Response(_) => ["www-authenticate", "proxy-authenticate"],
        _ => ["authorization", "proxy-authorization"],
    };
    let values: Vec<&str> = names.iter().flat_map(|name| message.all(name)).map(str::trim).collect();
    let digests: Vec<String> =
        values.iter().filter(|value| is_digest(value)).map(|value| (*value).to_owned()).collect();
    if digests.len() > CREDENTIALS_MAX || !values.iter().all(|value| is_digest(value) || is_other_scheme(value)) {
        return None;
    }
    Some(Expected {
        line,
        has_via: message.header("via").is_some(),
        branch: branch(&message),
        user_agent: only(&message, "user-agent").map(unfolded),
        from_user: from_user(&message),
        cseq: cseq(&message),
        digests,
    })
}

/// A text with its folded lines joined by a blank, and without blanks around it.
pub fn unfolded(text: &str) -> String {
    let lines: Vec<&str> = text.split("\r\n").map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

impl Expected {
    /// Compares it with what the scanner found.
    pub fn compare(&self, reading: &Reading) {
        let found = reading.found();
        let is_response = matches!(self.line, StartLine::Response(_));
        assert_eq!(reading.line, self.line);
        assert_eq!(found.has_via(), self.has_via, "a Via");
        assert!(found.is_complete(), "the empty line is there");
        if let Some(branch) = &self.branch {
            assert_eq!(reading.text(found.branch()), *branch, "branch");
        }
        assert_eq!(usize::from(found.credentials), self.digests.len(), "Digest credentials or challenges");
        self.same(reading, "nonce", |slot| found.nonce(slot));
        if is_response {
            let stale: Vec<String> = self.parameters("stale");
            if let [stale] = &stale[..] {
                assert_eq!(found.is_stale(reading.head()), stale.eq_ignore_ascii_case("true"), "stale");
            }
            if let Some(cseq) = self.cseq {
                assert_eq!(found.cseq_method(), cseq, "CSeq");
            }
            return;
        }
        self.same(reading, "username", |slot| found.user(slot));
        self.same(reading, "response", |slot| found.digest(slot));
        if let Some(agent) = &self.user_agent {
            assert_eq!(reading.text(found.user_agent()), *agent, "User-Agent");
        }
        if let Some(user) = &self.from_user {
            assert_eq!(reading.user_in(found.from()), *user, "the user in From");
        }
    }

    /// A parameter of every Digest, sorted.
    fn parameters(&self, name: &str) -> Vec<String> {
        let all = self.digests.iter().filter_map(|value| parameter(value, name));
        let mut all: Vec<String> = all.filter(|value| !value.is_empty()).collect();
        all.sort();
        all
    }

    fn same(&self, reading: &Reading, name: &str, of: impl Fn(usize) -> Span) {
        let slots = (0..CREDENTIALS_MAX).map(|slot| reading.text(of(slot)));
        let mut found: Vec<String> = slots.filter(|value| !value.is_empty()).collect();
        found.sort();
        assert_eq!(found, self.parameters(name), "{name}");
    }
}

/// The value of a header that is there once.
fn only<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let mut all = message.all(name);
    all.next().filter(|_| all.next().is_none())
}

fn line(message: &Message) -> Option<StartLine> {
    let first = &message.first_line;
    if let Some(rest) = first.strip_prefix("SIP/2.0 ") {
        let is_status = rest.len() > 3 && rest.as_bytes()[..3].iter().all(u8::is_ascii_digit);
        return is_status.then(|| StartLine::Response(message.status().unwrap()));
    }
    let method = message.method()?;
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_method.then(|| StartLine::Request(known(method)))
}

fn known(method: &str) -> Method {
    Method::from_name(&method.to_ascii_uppercase()).unwrap_or(Method::Other)
}

/// The branch where the top Via has one at most, written as everybody does. A Via in quotes or with a comment is none of that.
fn branch(message: &Message) -> Option<String> {
    let Some(via) = message.header("via") else { return Some(String::new()) };
    if via.contains(['"', '(', '%']) {
        return None;
    }
    let top = via.split(',').next()?;
    match top.to_ascii_lowercase().matches("branch").count() {
        0 => Some(String::new()),
        1 => {
            let (before, after) = top.split_once("branch=")?;
            let value = after.split(';').next()?;
            let is_parameter = before.trim_end().ends_with(';') && !value.contains(' ') && !value.starts_with('=');
            is_parameter.then(|| message.branch().unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

/// The user in From, where its first colon is that of `sip:`.
fn from_user(message: &Message) -> Option<String> {
    let from = only(message, "from")?;
    let (_, rest) = from.split_once(':').filter(|(before, _)| *before == "sip" || before.ends_with("<sip"))?;
    let user = message.from_user()?;
    let is_short = (1..=32).contains(&user.len()) && from.len() < 128 && !user.contains(' ');
    (is_short && rest.strip_prefix(user)?.starts_with('@')).then(|| user.to_owned())
}

/// The method in CSeq, where it is a number, a blank and a word.
fn cseq(message: &Message) -> Option<Option<Method>> {
    if message.header("cseq").is_none() {
        return Some(None);
    }
    let words: Vec<&str> = only(message, "cseq")?.split(' ').collect();
    match words[..] {
        [number, method] if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() => {
            let is_word = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_word.then(|| Some(known(method)))
        }
        _ => None,
    }
}

/// Whether a value is `Digest` and a list of parameters, each once: `name=token` or `name="text"`, between commas.
fn is_digest(value: &str) -> bool {
    let Some((scheme, mut rest)) = value.split_once(' ') else { return false };
    let mut names = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        let Some((name, after)) = rest.split_once('=') else { return false };
        names.push(name.to_ascii_lowercase());
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let after = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(_, after)| after),
            None => Some(after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || ".:/_-".contains(c))),
        };
        match after {
            Some("") if is_name => break,
            Some(after) if is_name && after.starts_with(',') => rest = &after[1..],
            _ => return false,
        }
    }
    names.sort();
    let unique = names.windows(2).all(|pair| pair[0] != pair[1]);
    scheme.eq_ignore_ascii_case("digest") && unique
}

/// Whether nobody takes a value for `Digest`.
fn is_other_scheme(value: &str) -> bool {
    let word = value.trim_start_matches(['"', ' ']);
    !word.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("digest"))
}
