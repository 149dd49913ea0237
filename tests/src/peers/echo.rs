//! What stands for a web console or an SSH server: a TCP port that gives back every byte.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;

use super::listener::Listener;
use crate::netns::Host;

/// A running server.
#[derive(Debug)]
pub struct Echo {
    counts: Arc<Counts>,
    _listener: Listener,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    bytes: AtomicU64,
}

impl Echo {
    /// Listens on `port` of the first addresses of `host`.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let listener = Listener::start(host, port, move |stream, stop| {
            shared.accepted.fetch_add(1, Ordering::Relaxed);
            shared.serve(stream, stop);
        })?;
        Ok(Self { counts, _listener: listener })
    }

    /// Connections until now.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Bytes that arrived until now.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

impl Counts {
    fn serve(&self, mut stream: TcpStream, stop: &AtomicBool) {
        let mut buffer = [0; 1 << 12];
        while !stop.load(Ordering::Relaxed) {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    self.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
        }
    }
}
