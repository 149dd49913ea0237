//! A web server that has one text, whatever is asked for: the source of a feed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::listener::Listener;
use crate::family::Family;
use crate::netns::Host;

const PORT: u16 = 8080;

/// A request longer than this is nobody's.
const REQUEST_BYTES_MAX: usize = 1 << 14;

/// A running server.
#[derive(Debug)]
pub struct ListServer {
    shared: Arc<Shared>,
    _listener: Listener,
}

#[derive(Debug)]
struct Shared {
    text: Mutex<String>,
    served: AtomicU64,
}

impl ListServer {
    /// Serves `text` on the first addresses of `host`.
    pub fn start(host: &Host, text: &str) -> Result<Self> {
        let shared = Arc::new(Shared { text: Mutex::new(text.to_owned()), served: AtomicU64::new(0) });
        let server = Arc::clone(&shared);
        let listener = Listener::start(host, PORT, move |stream, stop| server.serve(stream, stop))?;
        Ok(Self { shared, _listener: listener })
    }

    /// Where the list of a server on `host` is.
    pub fn url(host: &Host, family: Family) -> String {
        format!("http://{}/list.txt", SocketAddr::new(host.address(family), PORT))
    }

    /// How often it was fetched.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream, stop: &AtomicBool) {
        let mut request = Vec::new();
        let mut buffer = [0; 1 << 12];
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => request.extend_from_slice(&buffer[..length]),
                // The timeout of the read, to look at the flag.
                Err(_) if !stop.load(Ordering::Relaxed) => {}
                Err(_) => return,
            }
            if request.len() > REQUEST_BYTES_MAX {
                return;
            }
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            text.len()
        );
        if stream.write_all(format!("{head}{text}").as_bytes()).is_ok() {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
