//! An alert to a syslog daemon: of this host, or over UDP or TCP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};

use super::channel::{Channel, Patience, Trouble};
use super::message::Alert;
use super::rfc5424::Sender;
use crate::config::{SyslogRules, SyslogTarget};

/// For a connection, and for a message to be taken.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A receiver that does not confirm what it was sent by then is gone: TCP itself would try for a quarter of an hour.
const UNCONFIRMED_MAX_MS: u32 = 30_000;

/// The daemon.
pub struct Syslog {
    to: SyslogTarget,
    facility: u8,
    sender: Sender,
    /// None until the first message, and after a failure.
    line: Option<Line>,
}

/// A way that stays open.
enum Line {
    /// A socket of this host, a message to a datagram.
    Datagram(UnixDatagram),
    /// A socket of this host, a message to a line (RFC 6587, section 3.4.2).
    Stream(UnixStream),
    /// Each message behind its length (RFC 6587, section 3.4.1).
    Tcp(TcpStream),
}

impl Syslog {
    /// By the rules of `[syslog]`.
    pub fn new(rules: &SyslogRules) -> Self {
        Self { to: rules.to.clone(), facility: rules.facility, sender: Sender::this(), line: None }
    }

    fn send(&mut self, message: &str) -> io::Result<()> {
        let mut line = match (self.line.take().filter(Line::is_open), &self.to) {
            (_, SyslogTarget::Udp(host, port)) => return datagram(host, *port, message),
            (Some(line), _) => line,
            (None, SyslogTarget::Unix(path)) => local(path)?,
            (None, SyslogTarget::Tcp(host, port)) => remote(host, *port)?,
        };
        line.send(message)?;
        self.line = Some(line);
        Ok(())
    }
}

impl Channel for Syslog {
    fn deliver(&mut self, alert: &Alert, _patience: &Patience<'_>) -> Result<(), Trouble> {
        let message = self.sender.say(self.facility, alert);
        self.send(&message).map_err(|error| Trouble::for_now(error.to_string()))
    }
}

impl Line {
    fn send(&mut self, message: &str) -> io::Result<()> {
        match self {
            Self::Datagram(socket) => socket.send(message.as_bytes()).map(drop),
            Self::Stream(stream) => stream.write_all(format!("{message}\n").as_bytes()),
            Self::Tcp(stream) => stream.write_all(format!("{} {message}", message.len()).as_bytes()),
        }
    }

    /// Whether the other end is still there, as far as it said: what is written after it closed would be lost.
    fn is_open(&self) -> bool {
        match self {
            Self::Datagram(_) => true,
            Self::Stream(stream) => is_open(stream, |on| stream.set_nonblocking(on)),
            Self::Tcp(stream) => is_open(stream, |on| stream.set_nonblocking(on)),
        }
    }
}

/// Syslog receivers say nothing: whatever they send is not read for its meaning.
fn is_open(mut stream: impl Read, set_nonblocking: impl Fn(bool) -> io::Result<()>) -> bool {
    let read = set_nonblocking(true).and_then(|()| stream.read(&mut [0; 64]));
    let open = match read {
        Ok(length) => length > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    open && set_nonblocking(false).is_ok()
}

fn local(path: &Path) -> io::Result<Line> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    match socket.connect(path) {
        // It is of the other kind.
        Err(error) if error.raw_os_error() == Some(Errno::EPROTOTYPE as i32) => local_stream(path).map(Line::Stream),
        connected => connected.map(|()| Line::Datagram(socket)),
    }
}

/// Its timeout is there before it connects: that waits while the daemon takes nobody.
fn local_stream(path: &Path) -> io::Result<UnixStream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let stream = UnixStream::from(socket);
    stream.set_write_timeout(Some(TIMEOUT))?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(stream)
}

fn remote(host: &str, port: u16) -> io::Result<Line> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(TIMEOUT))?;
                setsockopt(&stream, sockopt::TcpUserTimeout, &UNCONFIRMED_MAX_MS)?;
                return Ok(Line::Tcp(stream));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// Nobody says whether a datagram arrived; the name is looked up each time, so that a receiver that moved is found.
fn datagram(host: &str, port: u16, message: &str) -> io::Result<()> {
    let address = (host, port).to_socket_addrs()?.next().ok_or_else(no_address)?;
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    UdpSocket::bind(any)?.send_to(message.as_bytes(), address).map(drop)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "its name has no address")
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::{env, fs};

    use super::super::message::tests::ban;
    use super::super::sink::Sink;
    use super::super::sink::tests::{HURRY, all, view_when};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn start(to: SyslogTarget) -> Sink {
        let rules = SyslogRules { to, facility: 4, selection: all(100) };
        Sink::start("syslog", "syslog", &all(100), Syslog::new(&rules), HURRY)
    }

    fn path(name: &str) -> PathBuf {
        env::temp_dir().join(format!("sip-fw-syslog-{name}-{}", std::process::id()))
    }

    fn said(user: &str) -> String {
        Sender::this().say(4, &ban(user, 0))
    }

    fn datagram_of(receive: impl Fn(&mut [u8]) -> io::Result<usize>) -> String {
        let mut buffer = [0; 4096];
        let length = receive(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn datagrams() {
        let udp = ["127.0.0.1:0", "[::1]:0"].map(|any| UdpSocket::bind(any).unwrap());
        for socket in udp {
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let address = socket.local_addr().unwrap();
            let sink = start(SyslogTarget::Udp(address.ip().to_string(), address.port()));
            for user in ["1000", "1001"] {
                sink.tell(&ban(user, 0).record);
                assert_eq!(datagram_of(|buffer| socket.recv(buffer)), said(user));
            }
        }
    }

    #[test]
    fn a_local_socket_that_is_made_anew() {
        let path = path("datagram");
        let sink = start(SyslogTarget::Unix(path.clone()));
        for user in ["1000", "1001"] {
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            sink.tell(&ban(user, 0).record);
            assert_eq!(datagram_of(|buffer| socket.recv(buffer)), said(user));
            drop(socket);
            fs::remove_file(&path).unwrap();
        }
        sink.tell(&ban("1002", 0).record);
        let view = view_when(&sink, |view| view.dropped == 1);
        assert_eq!((view.state.as_str(), view.sent), ("failing", 2), "{view:?}");
    }

    #[test]
    fn a_local_stream() {
        let path = path("stream");
        let listener = UnixListener::bind(&path).unwrap();
        let sink = start(SyslogTarget::Unix(path.clone()));
        for user in ["1000", "1001"] {
            sink.tell(&ban(user, 0).record);
        }
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let expected = format!("{}\n{}\n", said("1000"), said("1001"));
        let mut text = vec![0; expected.len()];
        stream.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn tcp_with_lengths_and_again_after_the_receiver_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = start(SyslogTarget::Tcp("127.0.0.1".to_owned(), listener.local_addr().unwrap().port()));
        for users in [["1000", "1001"], ["1002", "1003"]] {
            users.iter().for_each(|user| sink.tell(&ban(user, 0).record));
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let framed = |user: &&str| format!("{} {}", said(user).len(), said(user));
            let expected: String = users.iter().map(framed).collect();
            let mut text = vec![0; expected.len()];
            BufReader::new(stream).read_exact(&mut text).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
        let view = view_when(&sink, |view| view.sent == 4);
        assert_eq!((view.state.as_str(), view.dropped), ("ok", 0));
    }
}
