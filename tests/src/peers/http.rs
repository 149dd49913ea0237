//! As much HTTP as the small servers of the bed need: one request of a connection, and one answer.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request longer than this is nobody's.
const REQUEST_BYTES_MAX: usize = 1 << 16;

/// Reads one request and gives its body; None when the client goes, the server stops, or it is no request.
pub(super) fn read_request(stream: &mut TcpStream, stop: &AtomicBool) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 1 << 12];
    loop {
        if let Some(body) = body(&request) {
            return Some(body);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
            // The timeout of the read, to look at the flag.
            Err(_) if !stop.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
        if request.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
}

/// Answers with a text; the connection ends with it.
pub(super) fn answer(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(format!("{head}{text}").as_bytes())
}

/// The body of a request that is complete.
fn body(request: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(request);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.get(..length.unwrap_or(0)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (request, expected) in [
            ("GET / HTTP/1.1\r\n", None),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some("")),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", None),
            ("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", Some("abc")),
        ] {
            assert_eq!(body(request.as_bytes()).as_deref(), expected, "{request:?}");
        }
    }
}
