//! A web server that has one text, whatever is asked for: the source of a feed.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::http::{answer, read_request};
use super::listener::Listener;
use crate::family::Family;
use crate::netns::Host;

const PORT: u16 = 8080;

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
        if read_request(&mut stream, stop).is_none() {
            return;
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if answer(&mut stream, &text).is_ok() {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
