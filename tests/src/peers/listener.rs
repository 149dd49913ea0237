//! TCP listeners on a port of a host, both families, a thread per connection; gone when the guard is dropped.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::family::Family;
use crate::netns::Host;

/// How long a read may keep a thread from noticing that it has to stop.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// The threads that accept and serve.
#[derive(Debug)]
pub(super) struct Listener {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Listener {
    /// Listens on the first addresses of `host`; `serve` gets every connection and has to end when the flag is set.
    pub fn start<S>(host: &Host, port: u16, serve: S) -> Result<Self>
    where
        S: Fn(TcpStream, &AtomicBool) + Clone + Send + 'static,
    {
        let mut listener = Self { stop: Arc::default(), threads: Vec::new() };
        for family in Family::BOTH {
            let address = SocketAddr::new(host.address(family), port);
            let socket =
                host.namespace().open(|| TcpListener::bind(address)).with_context(|| format!("listen on {address}"))?;
            socket.set_nonblocking(true)?;
            let (stop, serve) = (Arc::clone(&listener.stop), serve.clone());
            listener.threads.push(thread::spawn(move || accept(&socket, &stop, &serve)));
        }
        Ok(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn accept<S>(socket: &TcpListener, stop: &Arc<AtomicBool>, serve: &S)
where
    S: Fn(TcpStream, &AtomicBool) + Clone + Send + 'static,
{
    let mut connections = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok((stream, _)) = socket.accept() else {
            thread::sleep(POLL);
            continue;
        };
        if stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(POLL))).is_ok() {
            let (stop, serve) = (Arc::clone(stop), serve.clone());
            connections.push(thread::spawn(move || serve(stream, &stop)));
        }
    }
    for connection in connections {
        let _ = connection.join();
    }
}
