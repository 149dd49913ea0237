//! Who is told: a web server that keeps what is posted to it, one that never answers, and a syslog server.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::http::{answer, read_request};
use super::listener::{Listener, POLL};
use crate::family::Family;
use crate::netns::Host;

/// A running server, and what it was told.
#[derive(Debug)]
pub struct Inbox {
    told: Arc<Mutex<Vec<String>>>,
    _listener: Listener,
}

impl Inbox {
    /// A web server on `port` of the first addresses of `host` that keeps the body of each request.
    pub fn http(host: &Host, port: u16) -> Result<Self> {
        Self::start(host, port, |stream, stop, told| {
            if let Some(body) = read_request(stream, stop) {
                keep(told, body);
                // A client that is gone is none of the inbox's business.
                let _ = answer(stream, "");
            }
        })
    }

    /// One that takes connections and never says anything.
    pub fn deaf(host: &Host, port: u16) -> Result<Self> {
        Self::start(host, port, |_stream, stop, _told| {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(POLL);
            }
        })
    }

    /// A syslog server for messages behind their lengths (RFC 6587).
    pub fn syslog_tcp(host: &Host, port: u16) -> Result<Self> {
        Self::start(host, port, |stream, stop, told| {
            let mut pending = Vec::new();
            let mut buffer = [0; 1 << 12];
            while !stop.load(Ordering::Relaxed) {
                // Nothing: the timeout of the read, to look at the flag.
                let length = stream.read(&mut buffer).unwrap_or(0);
                pending.extend_from_slice(&buffer[..length]);
                while let Some(message) = framed(&mut pending) {
                    keep(told, message);
                }
            }
        })
    }

    /// Everything until now, in its order.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same as JSON; null for what is none.
    pub fn events(&self) -> Vec<Value> {
        self.told().iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect()
    }

    fn start<S>(host: &Host, port: u16, serve: S) -> Result<Self>
    where
        S: Fn(&mut TcpStream, &AtomicBool, &Mutex<Vec<String>>) + Clone + Send + 'static,
    {
        let told = Arc::default();
        let shared = Arc::clone(&told);
        let listener = Listener::start(host, port, move |mut stream, stop| serve(&mut stream, stop, &shared))?;
        Ok(Self { told, _listener: listener })
    }
}

/// A syslog socket for datagrams on `port` of the first address of `host`; reads give up after a moment.
pub fn syslog_udp(host: &Host, family: Family, port: u16) -> Result<UdpSocket> {
    let address = SocketAddr::new(host.address(family), port);
    let socket = host.namespace().open(|| UdpSocket::bind(address)).with_context(|| format!("listen on {address}"))?;
    socket.set_read_timeout(Some(POLL))?;
    Ok(socket)
}

fn keep(told: &Mutex<Vec<String>>, text: String) {
    told.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

/// Takes the first message off a stream of messages behind their lengths, if it is complete.
fn framed(pending: &mut Vec<u8>) -> Option<String> {
    let space = pending.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&pending[..space]).ok()?.parse().ok()?;
    let end = space + 1 + length;
    let message = String::from_utf8_lossy(pending.get(space + 1..end)?).into_owned();
    pending.drain(..end);
    Some(message)
}
