//! A TCP connection to something that echoes, as an operator's SSH session or a browser's to a web console.

use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::netns::Host;
use crate::sip::token;

/// Long enough for one repeated SYN.
const CONNECT: Duration = Duration::from_secs(2);

/// Between two looks at the deadline.
const POLL: Duration = Duration::from_millis(50);

/// An open connection.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    /// What came and was not asked for yet.
    pending: String,
}

impl Session {
    /// Connects from the address `from` of `host`.
    pub fn open(host: &Host, from: IpAddr, to: SocketAddr) -> Result<Self> {
        let connect = || -> Result<TcpStream> {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
            socket.connect_timeout(&SockAddr::from(to), CONNECT)?;
            let stream = TcpStream::from(socket);
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(POLL))?;
            Ok(stream)
        };
        let stream = host.namespace().within(connect).map_err(std::io::Error::other)??;
        Ok(Self { stream, pending: String::new() })
    }

    /// Its own address.
    pub fn local(&self) -> Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// If a line sent now comes back within `patience`. A line that was held up earlier does not count.
    pub fn carries(&mut self, patience: Duration) -> bool {
        let line = format!("{}\n", token());
        if self.stream.write_all(line.as_bytes()).is_err() {
            return false;
        }
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 1 << 12];
        while Instant::now() < deadline {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.pending.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return false,
            }
            if let Some(at) = self.pending.find(&line) {
                self.pending.drain(..at + line.len());
                return true;
            }
        }
        false
    }
}
