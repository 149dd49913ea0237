//! A SIP client's end of a conversation: one UDP socket or TCP connection, and transactions over it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::netns::Host;
use crate::sip::{Message, Request, Transport};

/// When a UDP request is repeated (RFC 3261, timer E starts at T1 = 500 ms).
const RETRANSMIT: Duration = Duration::from_millis(500);

const CONNECT: Duration = Duration::from_secs(2);

/// A socket to a PBX.
#[derive(Debug)]
pub struct Client {
    link: Link,
    local: SocketAddr,
    peer: SocketAddr,
    transport: Transport,
    pending: Vec<u8>,
}

#[derive(Debug)]
enum Link {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Client {
    /// Opens a socket of `host` at `local` (port 0: any) towards `peer`. Over TCP this connects.
    pub fn open(host: &Host, local: SocketAddr, peer: SocketAddr, transport: Transport) -> Result<Self> {
        let link = host
            .namespace()
            .open(|| connect(local, peer, transport))
            .with_context(|| format!("{transport} from {local} to {peer}"))?;
        let local = match &link {
            Link::Udp(socket) => socket.local_addr()?,
            Link::Tcp(stream) => stream.local_addr()?,
        };
        Ok(Self { link, local, peer, transport, pending: Vec::new() })
    }

    /// The same with any port of the address `from`.
    pub fn dial(host: &Host, from: IpAddr, peer: SocketAddr, transport: Transport) -> Result<Self> {
        Self::open(host, SocketAddr::new(from, 0), peer, transport)
    }

    /// Its own address.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// A request in a new Call-ID over this socket.
    pub fn request(&self, method: &str, user: &str) -> Request {
        Request::new(method, user, self.local, self.peer, self.transport)
    }

    /// Sends bytes; a peer that cannot be reached is noticed by the answer that does not come.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = match &mut self.link {
            Link::Udp(socket) => socket.send(bytes).map(drop),
            Link::Tcp(stream) => stream.write_all(bytes),
        };
    }

    /// The next message that comes until `deadline`.
    pub fn receive(&mut self, deadline: Instant) -> Option<Message> {
        let mut buffer = [0; 1 << 16];
        loop {
            if let (Link::Tcp(_), Some(bytes)) = (&self.link, Message::cut(&mut self.pending)) {
                return Message::parse(&bytes);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            let read = match &mut self.link {
                Link::Udp(socket) => socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut buffer)),
                Link::Tcp(stream) => stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut buffer)),
            };
            match (read, &self.link) {
                (Ok(length), Link::Udp(_)) => {
                    if let Some(message) = Message::parse(&buffer[..length]) {
                        return Some(message);
                    }
                }
                (Ok(0), Link::Tcp(_)) => return None,
                (Ok(length), Link::Tcp(_)) => self.pending.extend_from_slice(&buffer[..length]),
                (Err(error), Link::Tcp(_)) if error.kind() != ErrorKind::WouldBlock => return None,
                // A timeout ends at the deadline above; an ICMP error does not mean that no answer comes.
                (Err(_), _) => {}
            }
        }
    }

    /// Sends a request and waits for its final answer, repeating it over UDP as phones do. Nothing after `patience`.
    pub fn transact(&mut self, request: &Request, patience: Duration) -> Option<Message> {
        let bytes = request.bytes();
        let end = Instant::now() + patience;
        loop {
            self.send(&bytes);
            let repeat = match self.transport {
                Transport::Udp => end.min(Instant::now() + RETRANSMIT),
                Transport::Tcp => end,
            };
            while let Some(answer) = self.receive(repeat) {
                let ours = answer.branch() == Some(&request.branch) && answer.method() == Some(&request.method);
                if ours && answer.status().is_some_and(|status| status >= 200) {
                    return Some(answer);
                }
            }
            if Instant::now() >= end || self.transport == Transport::Tcp {
                return None;
            }
        }
    }
}

fn connect(local: SocketAddr, peer: SocketAddr, transport: Transport) -> std::io::Result<Link> {
    match transport {
        Transport::Udp => {
            let socket = UdpSocket::bind(local)?;
            socket.connect(peer)?;
            Ok(Link::Udp(socket))
        }
        Transport::Tcp => {
            let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SockAddr::from(local))?;
            socket.connect_timeout(&SockAddr::from(peer), CONNECT)?;
            let stream = TcpStream::from(socket);
            stream.set_nodelay(true)?;
            Ok(Link::Tcp(stream))
        }
    }
}
