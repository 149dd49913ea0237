//! The sockets of the built-in registrar: one thread per UDP address, per listener and per connection.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;

use super::{Answered, Engine, Settings};
use crate::family::Family;
use crate::netns::Host;
use crate::sip::Message;

const POLL: Duration = Duration::from_millis(20);

/// Asked for; the kernel gives what net.core.rmem_max allows.
const RECEIVE_BYTES: usize = 8 << 20;

/// More than this without a whole message ends a connection.
const STREAM_BYTES_MAX: usize = 1 << 16;

/// A registrar that answers on the SIP port of a host until it is dropped.
#[derive(Debug)]
pub struct Registrar {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    engine: Mutex<Engine>,
    stop: AtomicBool,
}

impl Registrar {
    /// Listens on the first addresses of `host`, both families, UDP and TCP.
    pub fn start(host: &Host, settings: Settings) -> Result<Self> {
        let shared = Arc::new(Shared { engine: Mutex::new(Engine::new(settings)), stop: AtomicBool::new(false) });
        let mut threads = Vec::new();
        for family in Family::BOTH {
            let address = host.sip(family);
            let (udp, tcp) = host
                .namespace()
                .open(|| Ok((UdpSocket::bind(address)?, TcpListener::bind(address)?)))
                .with_context(|| format!("listen on {address}"))?;
            SockRef::from(&udp).set_recv_buffer_size(RECEIVE_BYTES)?;
            udp.set_read_timeout(Some(POLL))?;
            tcp.set_nonblocking(true)?;
            let datagrams = Arc::clone(&shared);
            threads.push(thread::spawn(move || datagrams.serve_udp(&udp)));
            let streams = Arc::clone(&shared);
            threads.push(thread::spawn(move || streams.serve_tcp(&tcp)));
        }
        Ok(Self { shared, threads })
    }

    /// What every address was answered until now.
    pub fn counts(&self) -> BTreeMap<IpAddr, Answered> {
        self.shared.engine().counts().clone()
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut buffer = [0; 1 << 16];
        while !self.stopped() {
            // An error here is the timeout, or an ICMP message about an earlier answer: go on either way.
            let Ok((length, source)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(answer) = self.engine().answer(source, &buffer[..length]) {
                // Whoever cannot be reached gets no answer.
                let _ = socket.send_to(&answer, source);
            }
        }
    }

    fn serve_tcp(self: &Arc<Self>, listener: &TcpListener) {
        let mut connections = Vec::new();
        while !self.stopped() {
            match listener.accept() {
                Ok((stream, source)) => {
                    let shared = Arc::clone(self);
                    connections.push(thread::spawn(move || shared.serve_stream(stream, source)));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
        for connection in connections {
            let _ = connection.join();
        }
    }

    fn serve_stream(&self, mut stream: TcpStream, source: SocketAddr) {
        let ready = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(POLL)))
            .and_then(|()| stream.set_nodelay(true));
        if ready.is_err() {
            return;
        }
        let mut pending = Vec::new();
        let mut buffer = [0; 1 << 14];
        while !self.stopped() && pending.len() < STREAM_BYTES_MAX {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => pending.extend_from_slice(&buffer[..length]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    continue;
                }
                Err(_) => return,
            }
            while let Some(message) = Message::cut(&mut pending) {
                let answer = self.engine().answer(source, &message);
                if answer.is_some_and(|answer| stream.write_all(&answer).is_err()) {
                    return;
                }
            }
        }
    }
}
