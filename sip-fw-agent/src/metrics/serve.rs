//! The HTTP side: `GET /metrics`, and nothing else. One answer to a connection, which has ten seconds in all.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connections::Connections;
use super::page::Page;

const PATH: &str = "/metrics";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A client that has not sent its request by then is let go.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that has not taken its answer by then is let go.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request, the least that hyper takes. Prometheus sends a few hundred.
const REQUEST_BYTES_MAX: usize = 8192;
/// Between two attempts to listen, or after a connection could not be accepted.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves at the address that is wanted until nobody wants anything any more.
pub fn run(mut address: watch::Receiver<Option<SocketAddr>>, page: Page, trouble: &watch::Sender<Option<String>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            trouble.send_replace(Some(format!("metrics are not served: {error}")));
            return;
        }
    };
    runtime.block_on(async {
        let page = Arc::new(page);
        loop {
            let wanted = *address.borrow_and_update();
            trouble.send_replace(None);
            tokio::select! {
                changed = address.changed() => if changed.is_err() { return },
                () = serve(wanted, &page, trouble) => {}
            }
        }
    });
}

/// Never ends by itself.
async fn serve(address: Option<SocketAddr>, page: &Arc<Page>, trouble: &watch::Sender<Option<String>>) {
    let Some(address) = address else { return std::future::pending().await };
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => trouble.send_replace(Some(not_free(address, &error))),
        };
        sleep(PAUSE).await;
    };
    trouble.send_replace(None);
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connections.add(&tokio::spawn(connection(stream, Arc::clone(page)))),
            // Usually file descriptors ran out.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

fn not_free(address: SocketAddr, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; `ss --listening --tcp --processes` says who has it",
        io::ErrorKind::AddrNotAvailable => "; this host does not have that address",
        _ => "",
    };
    format!("metrics are not served: [metrics] listen: {address}: {error}{hint}; it is tried again every second")
}

async fn connection(stream: TcpStream, page: Arc<Page>) {
    let answer = service_fn(|request| {
        let response = answer(&request, &page);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(REQUEST_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // Whatever a client does wrong is its own trouble.
    drop(timeout(CONNECTION_TIMEOUT, connection).await);
}

fn answer<B>(request: &Request<B>, page: &Page) -> Response<String> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, PATH) => match page.text() {
            Ok(text) => with(StatusCode::OK, CONTENT_TYPE, OPEN_METRICS, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error),
        },
        (_, PATH) => with(StatusCode::METHOD_NOT_ALLOWED, ALLOW, "GET", String::new()),
        _ => plain(StatusCode::NOT_FOUND, format!("there is only {PATH}\n")),
    }
}

fn plain(status: StatusCode, text: String) -> Response<String> {
    with(status, CONTENT_TYPE, "text/plain; charset=utf-8", text)
}

fn with(status: StatusCode, name: HeaderName, value: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream as StdStream;
    use std::path::Path;

    use super::super::{Metrics, Snapshot};
    use super::*;

    fn free_address() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    fn serving(address: SocketAddr) -> Metrics {
        let mut metrics = Metrics::new(Path::new("/nonexistent"));
        metrics.show(Snapshot::default());
        metrics.listen(Some(address));
        metrics
    }

    fn connect(address: SocketAddr) -> StdStream {
        let until = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            match StdStream::connect(address) {
                Ok(stream) => return stream,
                Err(error) => assert!(std::time::Instant::now() < until, "{address}: {error}"),
            }
            std::thread::yield_now();
        }
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = connect(address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_get_metrics() {
        let address = free_address();
        let metrics = serving(address);
        let get = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(get.starts_with("HTTP/1.1 200 OK\r\n") && get.ends_with("# EOF\n"), "{get}");
        assert!(get.contains(&format!("content-type: {OPEN_METRICS}\r\n")), "{get}");
        assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
        let post = ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET\r\n"), "{post}");
        assert!(
            ask(address, &format!("GET /{} HTTP/1.1\r\n", "x".repeat(REQUEST_BYTES_MAX))).starts_with("HTTP/1.1 4")
        );
        drop(metrics);
    }

    #[test]
    fn idle_clients_lock_nobody_out() {
        let address = free_address();
        let _metrics = serving(address);
        let idle: Vec<_> = (0..100).map(|_| connect(address)).collect();
        assert!(ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("# EOF\n"));
        drop(idle);
    }

    #[test]
    fn an_address_that_is_not_free_is_told_once_and_taken_when_it_is() {
        let address = free_address();
        let other = std::net::TcpListener::bind(address).unwrap();
        let mut metrics = serving(address);
        let until = std::time::Instant::now() + Duration::from_secs(10);
        let trouble = loop {
            if let Some(trouble) = metrics.trouble() {
                break trouble;
            }
            assert!(std::time::Instant::now() < until);
            std::thread::yield_now();
        };
        assert!(trouble.contains(&format!("[metrics] listen: {address}: Address already in use")), "{trouble}");
        assert_eq!(metrics.trouble(), None);
        drop(other);
        assert!(ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("# EOF\n"));
        let elsewhere = free_address();
        metrics.listen(Some(elsewhere));
        assert!(ask(elsewhere, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("# EOF\n"));
        assert!(StdStream::connect(address).is_err(), "the address before is let go");
    }
}
