//! A SIP message, read leniently: whatever is not a message is `None`, never a panic.

use super::{Challenge, Credentials};

/// A parsed request or response; the body is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line.
    pub first_line: String,
    headers: Vec<(String, String)>,
}

impl Message {
    /// Reads one message from its first byte.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes, |end| &bytes[..end]);
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let first_line = lines.next()?.to_owned();
        if !first_line.starts_with("SIP/2.0 ") && !first_line.ends_with(" SIP/2.0") {
            return None;
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((full_name(name.trim()), value.trim().to_owned()));
            }
        }
        Some(Self { first_line, headers })
    }

    /// Cuts the first whole message off a stream: its bytes, or nothing if it has not all come yet.
    pub fn cut(stream: &mut Vec<u8>) -> Option<Vec<u8>> {
        let skip = stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        stream.drain(..skip);
        let head = stream.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let length =
            Self::parse(&stream[..head]).and_then(|message| message.header("content-length")?.parse::<usize>().ok());
        let end = head.checked_add(length.unwrap_or(0)).filter(|end| *end <= stream.len())?;
        Some(stream.drain(..end).collect())
    }

    /// The first header of this name, in any case or compact form.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every header of this name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let name = full_name(name);
        self.headers.iter().filter(move |(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    /// The status code, if this is a response.
    pub fn status(&self) -> Option<u16> {
        self.first_line.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of the request line, or of the CSeq of a response.
    pub fn method(&self) -> Option<&str> {
        if self.status().is_none() {
            return self.first_line.split(' ').next();
        }
        self.header("cseq")?.split_whitespace().nth(1)
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> Option<&str> {
        let via = self.header("via")?;
        let top = via.split(',').next()?;
        top.split(';').find_map(|parameter| parameter.trim().strip_prefix("branch="))
    }

    /// The Digest credentials, if it carries some.
    pub fn credentials(&self) -> Option<Credentials> {
        self.all("authorization").chain(self.all("proxy-authorization")).find_map(Credentials::parse)
    }

    /// The Digest challenge, if it carries one.
    pub fn challenge(&self) -> Option<Challenge> {
        let www = self.all("www-authenticate").find_map(|value| Challenge::parse(value, false));
        www.or_else(|| self.all("proxy-authenticate").find_map(|value| Challenge::parse(value, true)))
    }

    /// The user part of the From URI.
    pub fn from_user(&self) -> Option<&str> {
        let uri = self.header("from")?.split("sip:").nth(1)?;
        uri.split(['@', '>', ';']).next()
    }
}

fn full_name(name: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "v" => "via".into(),
        "f" => "from".into(),
        "t" => "to".into(),
        "i" => "call-id".into(),
        "m" => "contact".into(),
        "l" => "content-length".into(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_compact_message_is_read() {
        let message = Message::parse(
            b"OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nf: <sip:bob@h>\r\n ;tag=1\r\n\r\n",
        )
        .unwrap();
        assert_eq!(message.method(), Some("OPTIONS"));
        assert_eq!(message.branch(), Some("z9hG4bK1"));
        assert_eq!(message.from_user(), Some("bob"));
        assert_eq!(Message::parse(b"\r\n\r\n"), None);
    }

    #[test]
    fn a_stream_is_cut_into_messages() {
        let mut stream = b"\r\n\r\nSIP/2.0 200 OK\r\nl: 2\r\n\r\nxxSIP/2.0 401".to_vec();
        assert!(Message::cut(&mut stream).unwrap().ends_with(b"xx"));
        assert_eq!(Message::cut(&mut stream), None);
        assert_eq!(stream, b"SIP/2.0 401");
    }
}
