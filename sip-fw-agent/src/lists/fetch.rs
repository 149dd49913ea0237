//! One HTTP request for a feed: bounded in time, in bytes and in redirects. Blocks.

use serde::{Deserialize, Serialize};
use ureq::Body;
use ureq::http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use ureq::http::{HeaderName, Response, StatusCode};

use super::pace::Pace;
use crate::http::{Bounds, NoRoots, Roots, agent, shown};

/// Redirects that are followed: a feed that moved has one or two.
const REDIRECTS_MAX: u32 = 3;
/// Bytes of a validator that is kept; longer ones are as if there were none.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// What a server said of an answer, so that it can say later that nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing changed since the answer with these validators.
    NotModified,
    /// A body.
    Body(Vec<u8>, Validators),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Another status than 200, and than 304 where that was asked for.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// Longer than allowed.
    #[error("the answer is longer than max_bytes, {0}")]
    TooLong(u64),
    /// Nothing to check certificates with.
    #[error(transparent)]
    NoRoots(#[from] NoRoots),
    /// The network, TLS, HTTP.
    #[error("{}", shown(.0))]
    Http(#[from] ureq::Error),
}

/// Fetches `url` unless its validators still hold.
///
/// # Errors
///
/// Whatever keeps it from a complete answer of at most `max_bytes`.
pub fn get(
    url: &str,
    max_bytes: u64,
    known: Option<&Validators>,
    roots: &Roots,
    pace: &Pace,
) -> Result<Answer, FetchError> {
    let bounds = Bounds { connect_max: pace.connect_max, whole_max: pace.fetch_max, redirects_max: REDIRECTS_MAX };
    let mut request = agent(url, roots, bounds)?.get(url);
    let condition = known.filter(|known| known.etag.is_some() || known.last_modified.is_some());
    if let Some(Validators { etag, last_modified }) = condition {
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = last_modified {
            request = request.header(IF_MODIFIED_SINCE, last_modified);
        }
    }
    let response = request.call()?;
    match response.status() {
        StatusCode::OK => body(response, max_bytes),
        StatusCode::NOT_MODIFIED if condition.is_some() => Ok(Answer::NotModified),
        status => Err(FetchError::Status(status)),
    }
}

fn body(mut response: Response<Body>, max_bytes: u64) -> Result<Answer, FetchError> {
    let validators = Validators { etag: header(&response, &ETAG), last_modified: header(&response, &LAST_MODIFIED) };
    // One more, because the limit of ureq is an error already when it is reached.
    match response.body_mut().with_config().limit(max_bytes.saturating_add(1)).read_to_vec() {
        Ok(bytes) if u64::try_from(bytes.len()).is_ok_and(|len| len <= max_bytes) => {
            Ok(Answer::Body(bytes, validators))
        }
        Ok(_) | Err(ureq::Error::BodyExceedsLimit(_)) => Err(FetchError::TooLong(max_bytes)),
        Err(error) => Err(error.into()),
    }
}

fn header(response: &Response<Body>, name: &HeaderName) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    (value.len() <= VALIDATOR_BYTES_MAX).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::http::test_server::{Say, Server, answer};

    const PACE: Pace = Pace { fetch_max: Duration::from_millis(400), ..Pace::USUAL };

    fn fetched(url: &str, roots: &Roots) -> String {
        match get(url, 100, None, roots, &PACE) {
            Ok(answer) => format!("{answer:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers_are_bounded() {
        let redirect = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), "");
        let head = "HTTP/1.1 200 OK\r\n";
        for (say, expected) in [
            (answer("200 OK", "", &"x".repeat(101)), "the answer is longer than max_bytes, 100"),
            (Say::Raw(format!("{head}\r\n{}", "x".repeat(5000))), "the answer is longer than max_bytes, 100"),
            (Say::Drip(format!("{head}Content-Length: 90\r\n\r\n")), "no complete answer in time"),
            (Say::Drip(head.to_owned()), "no complete answer in time"),
            (Say::Raw(format!("{head}Content-Length: 50\r\n\r\nhalf")), ""),
            (redirect("/again"), "too many redirects"),
            (answer("404 Not Found", "", "x"), "the server answers 404 Not Found"),
            (answer("304 Not Modified", "", ""), "the server answers 304 Not Modified"),
            (answer("204 No Content", "", ""), "the server answers 204 No Content"),
            (Say::Raw("SSH-2.0-x\r\n".to_owned()), ""),
        ] {
            let server = Server::http({
                let say = say.clone();
                move |_| say.clone()
            });
            let began = Instant::now();
            let found = fetched(&server.url("/"), &Roots::System);
            assert!(found.starts_with(expected) && !found.starts_with("Body"), "{say:?}: {found}");
            assert!(began.elapsed() < Duration::from_secs(5), "{say:?}: {:?}", began.elapsed());
        }
        let hops = |head: &str| {
            if head.starts_with("get /3 ") { answer("200 OK", "", "end") } else { Say::Raw(String::new()) }
        };
        let server = Server::http(move |head| match head.split(' ').nth(1) {
            Some("/0") => answer("301 Moved", "Location: /1\r\n", ""),
            Some("/1") => answer("307 Moved", "Location: /2\r\n", ""),
            Some("/2") => answer("302 Moved", "Location: /3\r\n", ""),
            _ => hops(head),
        });
        // All of it takes four connections: no hurry on a busy machine.
        let end = get(&server.url("/0"), 100, None, &Roots::System, &Pace::USUAL);
        assert!(matches!(&end, Ok(Answer::Body(body, _)) if body == b"end"), "{end:?}");
        let longest = Server::http(|_| answer("200 OK", "", &"x".repeat(100)));
        assert!(fetched(&longest.url("/"), &Roots::System).starts_with("Body("));
    }

    #[test]
    fn https_is_checked() {
        let plain = Server::http(|_| answer("200 OK", "", "plain"));
        let to = plain.url("/");
        let server = Server::https(move |head| {
            let redirect = format!("Location: {to}\r\n");
            if head.starts_with("get /down ") {
                answer("302 Found", &redirect, "")
            } else {
                answer("200 OK", "", "safe")
            }
        });
        let believed = Roots::Only(server.certificate.clone());
        assert!(fetched(&server.url("/"), &believed).starts_with("Body([115, 97, 102, 101]"));
        assert_eq!(fetched(&server.url("/down"), &believed), "an https address redirects to http");
        assert_eq!(plain.requests().len(), 0);
        let to = server.url("/");
        plain.now_says(move |_| answer("301 Moved", &format!("Location: {to}\r\n"), ""));
        assert!(fetched(&plain.url("/"), &believed).starts_with("Body([115, 97, 102, 101]"), "http may lead to https");
        let other = Server::https(|_| answer("200 OK", "", ""));
        let refused = fetched(&server.url("/"), &Roots::Only(other.certificate.clone()));
        assert!(refused.contains("certificate"), "{refused}");
        assert_eq!(server.requests().len(), 3);
    }
}
