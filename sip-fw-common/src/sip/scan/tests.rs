//! What the scanner finds, with the bytes in sight.

use super::super::{StartLine, message_start, start_line};
use super::*;
use crate::abi::Method;
use crate::head::Span;
use crate::limits::CREDENTIALS_MAX;

struct Read {
    head: Head,
    scan: Scan,
}

fn read(bytes: &[u8]) -> Read {
    let mut head = Head::EMPTY;
    let len = u64::from(head.fill(bytes));
    let start = message_start(&head, len, 0);
    let mut scan = Scan::NOTHING;
    match start_line(&head, start) {
        StartLine::Response(_) => super::scan::<true>(&head, Cursor::new(start, len, 0), &mut scan),
        _ => super::scan::<false>(&head, Cursor::new(start, len, 0), &mut scan),
    }
    Read { head, scan }
}

impl Read {
    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.head.bytes(span)).unwrap()
    }
    fn branch(&self) -> &str {
        self.text(self.scan.branch())
    }
    fn nonce(&self) -> &str {
        self.text(self.scan.nonce(0))
    }
    fn user(&self) -> &str {
        self.text(self.scan.user(0))
    }
}

fn register(headers: &str) -> Read {
    read(format!("REGISTER sip:pbx SIP/2.0\r\n{headers}\r\n").as_bytes())
}

#[test]
fn an_ordinary_attempt() {
    let read = register(
        "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK-1\r\nFrom: <sip:1000@pbx>;tag=a;nonce=no\r\n\
         Authorization: Digest username=\"1000\", realm=\"a,b;c\", nonce=\"abc\", uri=\"sip:pbx\", response=\"0123\", \
         cnonce=\"nope\", nc=00000001, qop=auth\r\nUser-Agent: friendly-scanner\r\n",
    );
    assert_eq!((read.branch(), read.user(), read.nonce()), ("z9hG4bK-1", "1000", "abc"));
    assert_eq!(read.text(read.scan.digest(0)), "0123");
    assert_eq!(read.text(read.scan.user_agent()), "friendly-scanner");
    assert_eq!(read.scan.credentials, 1);
    assert!(read.scan.has_via() && read.scan.is_complete());
}

#[test]
fn every_way_to_write_credentials() {
    let ways = [
        "Authorization: Digest nonce=\"n1\",username=\"u\"",
        "AUTHORIZATION:Digest nonce=\"n1\",username=\"u\"",
        "authorization : digest\tnonce=\"n1\" , username=\"u\"",
        "Authorization\t:  DIGEST nonce = \"n1\" ,username =\"u\"",
        "Authorization: Digest username=\"u\",nonce=n1",
        "Authorization: Digest username=u, nonce=n1 ,x=y",
        "Authorization:\r\n Digest username=\"u\",\r\n\tnonce=\"n1\"",
        "Authorization: Digest username=\"u\"\r\n ,\r\n nonce\r\n =\r\n \"n1\"",
        "Proxy-Authorization: Digest username=\"u\",nonce=\"n1\"",
        "proxy-AUTHORIZATION : Digest cnonce=\"x\",realm=\"\\\",nonce=\\\"fake\\\"\",username=\"u\",nonce=\"n1\"",
        "Authorization: Digest realm=\"\\\\\",username=\"u\",nonce=\"n1\"",
        "Authorization: Digest username=\"u\",NONCE=\"n1\",opaque=\"\"",
        "Authorization: Digest,username=\"u\",nonce=\"n1\"",
        "Authorization: \"Digest\" username=\"u\",nonce=\"n1\"",
        "Authorization: Digest username=\"u\",x=a\"b,nonce=\"n1\"",
        "Proxy-Authorization: Basic x=\"\\\nAuthorization: Digest username=\"u\",nonce=\"n1\"",
        "Subject: a\rAuthorization: Digest username=\"u\",nonce=\"n1\"",
        "Authorization: Digest\rusername=u,\rnonce\r=\r\"n1\"\r,x=y",
    ];
    for way in ways {
        let read = register(&format!("v: SIP/2.0/UDP a;branch=b\r\n{way}\r\nTo: x\r\n"));
        assert_eq!((read.branch(), read.user(), read.nonce()), ("b", "u", "n1"), "{way}");
        assert_eq!(read.scan.credentials, 1, "{way}");
    }
}

#[test]
fn no_credentials() {
    let ways = [
        "Authorization: Basic nonce=\"n\"",
        "Authorization: DigestX nonce=\"n\"",
        "Authorizations: Digest nonce=\"n\"",
        "X-Authorization: Digest nonce=\"n\"",
        "Subject: a\r\n Authorization: Digest nonce=\"n\"",
        "WWW-Authenticate: Digest nonce=\"n\"",
    ];
    for way in ways {
        let read = register(&format!("Via: SIP/2.0/UDP a;branch=b\r\n{way}\r\n"));
        assert_eq!((read.scan.credentials, read.nonce()), (0, ""), "{way}");
    }
    let body = read(b"INVITE sip:a SIP/2.0\r\nv: SIP/2.0/UDP a;branch=b\r\n\r\nAuthorization: Digest nonce=\"n\"\r\n");
    assert_eq!(body.scan.credentials, 0, "the body is not read");
}

#[test]
fn every_way_to_write_a_branch() {
    let ways = [
        "Via: SIP/2.0/UDP a;branch=b1",
        "VIA:SIP/2.0/UDP a;branch=b1;rport",
        "v  : SIP/2.0/UDP a ; branch = b1 ; rport",
        "Via: SIP/2.0/UDP a;x=\"branch=no;branch=no\";branch=b1",
        "Via: SIP/2.0/UDP a;branch=b1, SIP/2.0/UDP b;branch=b2",
        "Via: SIP/2.0/UDP a;BRANCH=b1\r\nVia: SIP/2.0/UDP b;branch=b2",
        "Via: SIP / 2.0 / UDP a\r\n ;rport\r\n ;branch=b1\r\n ,SIP/2.0/UDP b;branch=b2",
        "Via: SIP/2.0/UDP a;branch=b0;branch=b1",
        "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=b1;received=192.0.2.1",
    ];
    for way in ways {
        assert_eq!(register(&format!("{way}\r\nTo: x\r\n")).branch(), "b1", "{way}");
    }
    let none = register("Via: SIP/2.0/UDP a;rport\r\n");
    assert!(none.scan.has_via() && none.branch().is_empty());
}

#[test]
fn a_comma_behind_a_semicolon_ends_the_top_via() {
    for way in ["a;,b;branch=b2", "a; ,branch=b2", "a;;,SIP/2.0/UDP b;branch=b2", "a;rport;\t,;branch=b2"] {
        let read = register(&format!("Via: SIP/2.0/UDP {way}\r\nUser-Agent: phone\r\n"));
        assert_eq!((read.branch(), read.scan.has_via()), ("", true), "{way}");
        assert_eq!(read.text(read.scan.user_agent()), "phone", "{way}");
    }
}

#[test]
fn a_via_without_a_colon_hides_none() {
    for line in ["Via x", "Via", "v \t", "VIA ;branch=b2", "via\r\n x"] {
        let read = register(&format!("{line}\r\nVia: SIP/2.0/UDP a;branch=b1\r\n"));
        assert_eq!((read.branch(), read.scan.has_via()), ("b1", true), "{line}");
        assert!(!register(&format!("{line}\r\nTo: x\r\n")).scan.has_via(), "{line}");
    }
}

#[test]
fn a_branch_that_chan_pjsip_sends_back_otherwise_reads_the_same_both_ways() {
    let pairs = [
        ("branch=\"b1\"", "branch=%22b1%22"),
        ("branch=b1(c)", "branch=b1"),
        ("branch=b1 (c;branch=b2)", "branch=b1"),
        ("branch=\"a\\\"b1\"", "branch=%22a%5c%22b1%22"),
    ];
    for (sent, answered) in pairs {
        let [sent, answered] = [sent, answered].map(|it| register(&format!("Via: SIP/2.0/UDP a;{it}\r\nTo: x\r\n")));
        assert_eq!(sent.branch(), answered.branch());
        assert!(sent.scan.has_via() && answered.scan.has_via());
    }
}

#[test]
fn blanks_do_not_hide_credentials() {
    for blanks in [" ", "\t", "\n ", "\r\n\t", ","] {
        let blanks = blanks.repeat(1200 / blanks.len());
        let read = register(&format!("v: SIP/2.0/UDP a;branch=b\r\nAuthorization: Digest {blanks}nonce=\"n1\"\r\n"));
        assert_eq!((read.nonce(), read.scan.is_complete()), ("n1", true), "{:?}", &blanks[..2]);
    }
}

#[test]
fn challenges() {
    let response = read(
        b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=b;received=192.0.2.1\r\nCSeq: 7\r\n REGISTER\r\n\
          WWW-Authenticate: Digest realm=\"r\",nonce=\"n1\",stale=TRUE,algorithm=MD5\r\n\
          Proxy-Authenticate: Digest realm=\"r\", nonce=\"n2\"\r\n\r\n",
    );
    assert_eq!(response.scan.credentials, 2);
    assert_eq!((response.nonce(), response.text(response.scan.nonce(1))), ("n1", "n2"));
    assert!(response.scan.is_stale(&response.head));
    assert_eq!(response.scan.cseq_method(), Some(Method::Register));
    let quoted =
        read(b"SIP/2.0 401 U\r\nv: SIP/2.0/UDP a;branch=b\r\nWWW-Authenticate: Digest stale=\"true\",nonce=n\r\n\r\n");
    assert!(quoted.scan.is_stale(&quoted.head));
    let no =
        read(b"SIP/2.0 401 U\r\nv: SIP/2.0/UDP a;branch=b\r\nWWW-Authenticate: Digest stale=false,nonce=n\r\n\r\n");
    assert!(!no.scan.is_stale(&no.head));
}

#[test]
fn many_short_lines_do_not_hide_credentials() {
    let mut message = String::from("REGISTER sip:a SIP/2.0\nv:SIP/2.0/UDP a;branch=b\n");
    while message.len() < 1380 {
        message.push_str("a:\n");
    }
    message.push_str("Authorization: Digest username=\"u\",nonce=\"n1\",response=\"r\"\n\n");
    assert!(message.len() < 1500);
    let read = read(message.as_bytes());
    assert_eq!((read.nonce(), read.scan.is_complete()), ("n1", true));
}

#[test]
fn every_offset_and_every_cut() {
    let rest = "Via: SIP/2.0/UDP a;branch=b1\r\nAuthorization: Digest username=\"u\",nonce=\"n1\"\r\n\r\n";
    for filler in 0..40 {
        let message = format!("REGISTER sip:{}@pbx SIP/2.0\r\n{rest}", "x".repeat(filler));
        let whole = read(message.as_bytes());
        assert_eq!((whole.branch(), whole.nonce()), ("b1", "n1"), "{filler}");
        for cut in 0..message.len() {
            let part = read(&message.as_bytes()[..cut]);
            assert!(!part.scan.is_complete() || cut + 1 == message.len(), "a CR alone ends a line, too");
            assert!("b1".starts_with(part.branch()) && "n1".starts_with(part.nonce()), "{filler} {cut}");
        }
    }
}

#[test]
fn a_head_that_fills_the_buffer_is_read_once() {
    let rest = "v: SIP/2.0/UDP a;branch=b1\r\nAuthorization: Digest nonce=\"n1\"\r\nUser-Agent: ";
    for filler in 0..40 {
        let start = format!("REGISTER sip:{} SIP/2.0\r\n{rest}", "x".repeat(filler));
        for endless in ["a", "a:\n", "\""] {
            let read = read(format!("{start}{}", endless.repeat(3000)).as_bytes());
            let found = (read.branch(), read.nonce(), read.scan.credentials, read.scan.nonce(1).len);
            assert_eq!(found, ("b1", "n1", 1, 0), "{filler} {endless:?}");
            assert!(usize::from(read.scan.user_agent().len) < HEAD_BYTES, "{filler} {endless:?}");
        }
    }
}

#[test]
fn more_credentials_than_are_kept() {
    let many: String = (0..9).map(|i| format!("Authorization: Digest nonce=\"n{i}\"\r\n")).collect();
    let read = register(&format!("v: SIP/2.0/UDP a;branch=b\r\n{many}"));
    assert_eq!(read.scan.credentials, 9);
    let kept: Vec<_> = (0..CREDENTIALS_MAX).map(|slot| read.text(read.scan.nonce(slot))).collect();
    assert_eq!(kept, ["n8", "n5", "n6", "n7"]);
}
