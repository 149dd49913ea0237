//! An HTTP server for tests: it says what it is told to, however wrong that is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What to say.
#[derive(Clone, Debug)]
pub enum Say {
    /// These bytes, then the end.
    Raw(String),
    /// This, then a byte now and then for ever.
    Drip(String),
}

/// The server. It ends with the test's process, but takes no connection once it is dropped.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    /// The certificate to believe, in DER.
    pub certificate: Vec<u8>,
}

struct State {
    say: Box<dyn FnMut(&str) -> Say + Send>,
    requests: Vec<String>,
    bodies: Vec<String>,
    is_open: bool,
}

/// An answer with a body and more header lines.
pub fn answer(status: &str, headers: &str, body: &str) -> Say {
    Say::Raw(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len()))
}

impl Server {
    pub fn http(say: impl FnMut(&str) -> Say + Send + 'static) -> Self {
        Self::start(say, "http", None, Vec::new())
    }

    pub fn https(say: impl FnMut(&str) -> Say + Send + 'static) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self::start(say, "https", Some(Arc::new(config)), made.cert.der().to_vec())
    }

    fn start(
        say: impl FnMut(&str) -> Say + Send + 'static,
        scheme: &'static str,
        tls: Option<Arc<ServerConfig>>,
        certificate: Vec<u8>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(Mutex::new(State { say: Box::new(say), requests: Vec::new(), bodies: Vec::new(), is_open: true }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if !shared.lock().unwrap().is_open {
                    return;
                }
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &shared),
                    Some(tls) => serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream), &shared),
                });
            }
        });
        Self { address, scheme, state, certificate }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn now_says(&self, say: impl FnMut(&str) -> Say + Send + 'static) {
        self.state.lock().unwrap().say = Box::new(say);
    }

    /// Heads of the requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Bodies of the requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().bodies.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.lock().unwrap().is_open = false;
        // Wakes the thread, which closes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
    head.make_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    let say = {
        let mut state = state.lock().unwrap();
        let say = (state.say)(&head);
        state.requests.push(head);
        state.bodies.push(String::from_utf8(body).unwrap());
        say
    };
    let stream = stream.get_mut();
    match say {
        Say::Raw(text) => drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush())),
        Say::Drip(text) => {
            let mut result = stream.write_all(text.as_bytes());
            while result.is_ok() {
                thread::sleep(Duration::from_millis(10));
                result = stream.write_all(b"1").and_then(|()| stream.flush());
            }
        }
    }
}
