//! A registrar that refuses everybody, faster than Asterisk can, and writes what Asterisk's security log would say.

use std::fs::File;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::ZonedDateTime;
use sip_fw_e2e::sip::{md5_hex, parameter};
use sip_fw_e2e::{Bed, Family};
use tempfile::TempDir;

/// How long a stop may take to be noticed.
const POLL: Duration = Duration::from_millis(20);

/// Answers on the bed's PBX over UDP and IPv4 until it is dropped.
pub struct Registrar {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Registrar {
    /// Starts it.
    pub fn start(bed: &Bed) -> Result<Self> {
        let address = bed.pbx.sip(Family::V4);
        let socket = bed.pbx.namespace().open(|| UdpSocket::bind(address)).context("bind the registrar")?;
        socket.set_read_timeout(Some(POLL))?;
        let folder = TempDir::new()?;
        let log = File::options().create(true).append(true).open(log_in(folder.path()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || serve(&socket, address, log, &stop)
        });
        Ok(Self { stop, thread: Some(thread), folder })
    }

    /// Where it writes a line for each refusal.
    pub fn security_log(&self) -> PathBuf {
        log_in(self.folder.path())
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("security")
}

fn serve(socket: &UdpSocket, own: SocketAddr, mut log: File, stop: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Relaxed) {
        // An error is the timeout, or an ICMP message about an earlier answer.
        let Ok((length, source)) = socket.recv_from(&mut buffer) else { continue };
        let Ok(request) = str::from_utf8(&buffer[..length]) else { continue };
        // Asterisk answers before it writes, too; whoever cannot be reached gets no answer.
        let _ = socket.send_to(refusal(request, source).as_bytes(), source);
        let told = line(request, source, own).map(|line| log.write_all(line.as_bytes()));
        if let Some(Err(error)) = told {
            eprintln!("the registrar's log: {error}");
        }
    }
}

/// A challenge, with a nonce that is this address's own.
fn refusal(request: &str, source: SocketAddr) -> String {
    let copied = |line: &&str| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name));
    let copied = request.split_inclusive("\r\n").filter(copied).collect::<String>();
    let to = header(request, "To").unwrap_or_default();
    let nonce = md5_hex(&source.ip().to_string());
    format!(
        "SIP/2.0 401 Unauthorized\r\n{copied}To: {to};tag=1\r\nWWW-Authenticate: Digest realm=\"asterisk\", nonce=\"{nonce}\", \
         algorithm=MD5, qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"
    )
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The line that Asterisk 22 writes (`dateformat = %F %T.%3q`) about a request whose credentials are refused.
fn line(request: &str, source: SocketAddr, own: SocketAddr) -> Option<String> {
    let credentials = header(request, "Authorization")?;
    let [user, nonce, response] = ["username", "nonce", "response"].map(|name| parameter(credentials, name));
    let now = ZonedDateTime::now();
    Some(format!(
        "[{}] SECURITY[50] res_security_log.c: SecurityEvent=\"ChallengeResponseFailed\",EventTV=\"{}\",Severity=\"Error\",\
         Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"{}\",SessionID=\"{}\",LocalAddress=\"IPV4/UDP/{}/{}\",\
         RemoteAddress=\"IPV4/UDP/{}/{}\",Challenge=\"{}\",Response=\"{}\",ExpectedResponse=\"\"\n",
        now.strftime("%F %T%.3f"),
        now.strftime("%FT%T%.3f%z"),
        user?,
        header(request, "Call-ID")?,
        own.ip(),
        own.port(),
        source.ip(),
        source.port(),
        nonce?,
        response?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it stands in the log of Asterisk 22.
    const LINE: &str = "[2026-11-26 05:37:18.719] SECURITY[50] res_security_log.c: SecurityEvent=\"ChallengeResponseFailed\",\
        EventTV=\"2026-11-26T05:37:18.719+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"1001\",\
        SessionID=\"25757\",LocalAddress=\"IPV4/UDP/127.0.0.1/5060\",RemoteAddress=\"IPV4/UDP/127.0.0.1/42217\",Challenge=\"junk\",\
        Response=\"000000000000000000000000000001f2\",ExpectedResponse=\"\"\n";

    #[test]
    fn the_line_is_that_of_asterisk() {
        let request = "REGISTER sip:127.0.0.1 SIP/2.0\r\nCall-ID: 25757\r\nAuthorization: Digest username=\"1001\", realm=\"asterisk\", \
            nonce=\"junk\", uri=\"sip:127.0.0.1\", response=\"000000000000000000000000000001f2\"\r\n\r\n";
        let [source, own] = ["127.0.0.1:42217", "127.0.0.1:5060"].map(|address| address.parse().unwrap());
        let line = line(request, source, own).unwrap();
        let timeless =
            |line: &str| line.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect::<String>();
        assert_eq!(timeless(&line), timeless(LINE));
        let from = |line: &str| line.find("Severity").map(|at| line[at..].to_owned());
        assert_eq!(from(&line), from(LINE));
    }
}
