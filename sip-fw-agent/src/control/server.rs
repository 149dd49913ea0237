//! The agent's end of the control socket: one task per connection, so that a slow client delays nobody.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sip_fw_core::record::{EventName, Record};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use super::admission::{Admission, Place};
use super::protocol::{Failure, REQUEST_BYTES_MAX, Reply, Request};
use crate::clock;
use crate::exit_code::ExitCode;
use crate::host::without_others;
use crate::store::{Page, read_events};

/// A client that has not sent its request by then is let go.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that has not taken a reply by then is let go.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Records read from the store before they are sent.
const STORED_AHEAD: usize = 64;
/// Pause after a connection could not be accepted: usually file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request on its way to the agent's loop.
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub respond: oneshot::Sender<Response>,
}

/// What the agent's loop answers.
pub enum Response {
    /// One reply.
    Reply(Reply),
    /// Records, one reply line each: those that were, then those to come.
    Records {
        /// Those that are no longer in memory.
        stored: Option<Stored>,
        /// Those that were.
        history: Vec<Arc<Record>>,
        /// Those to come.
        live: Option<broadcast::Receiver<Arc<Record>>>,
    },
}

/// Records in the store.
pub struct Stored {
    /// Its file.
    pub path: PathBuf,
    /// Which ones.
    pub page: Page,
}

/// Opens the socket. The caller holds the agent's lock, so a socket found there is a dead one.
///
/// # Errors
///
/// When the file system refuses, or something else than a socket is there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            let message = "something that is no socket is there; move it away or set [paths] socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    without_others(|| UnixListener::bind(path))
}

/// Accepts connections for ever.
pub async fn serve(listener: UnixListener, calls: mpsc::Sender<Call>, admission: Admission) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        match admission.admit(&stream) {
            Some(place) => drop(tokio::spawn(connection(stream, calls.clone(), place))),
            None => refuse(&stream),
        }
    }
}

/// A fresh socket has room for one line.
fn refuse(stream: &UnixStream) {
    let message = "the agent has as many connections as it takes; try again in a few seconds";
    let _ = stream.try_write(Reply::Error(Failure::new(ExitCode::Failed, message)).line().as_bytes());
}

async fn connection(stream: UnixStream, calls: mpsc::Sender<Call>, place: Place) {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut limited = BufReader::new(read.take(REQUEST_BYTES_MAX + 1));
    let Ok(Ok(_)) = timeout(REQUEST_TIMEOUT, limited.read_until(b'\n', &mut line)).await else { return };
    let request = match Request::parse(&line).and_then(|request| place.allows(&request).map(|()| request)) {
        Ok(request) => request,
        Err(failure) => {
            let _ = send(&mut write, &Reply::Error(failure)).await;
            return;
        }
    };
    let _turn = place.turn(&request).await;
    match respond(request, &calls).await {
        Response::Reply(reply) => {
            let _ = send(&mut write, &reply).await;
        }
        Response::Records { stored, history, live: None } => stream_records(&mut write, stored, history, None).await,
        Response::Records { stored, history, live } => {
            let mut closed = limited.into_inner().into_inner();
            tokio::select! {
                () = stream_records(&mut write, stored, history, live) => {}
                _ = closed.readable() => { let _ = closed.read_u8().await; }
            }
        }
    }
}

async fn respond(request: Request, calls: &mpsc::Sender<Call>) -> Response {
    let ending = || Response::Reply(Reply::Error(Failure::new(ExitCode::NoAgent, "the agent is ending")));
    let (respond, response) = oneshot::channel();
    if calls.send(Call { request, respond }).await.is_err() {
        return ending();
    }
    response.await.unwrap_or_else(|_| ending())
}

async fn stream_records(
    write: &mut OwnedWriteHalf,
    stored: Option<Stored>,
    history: Vec<Arc<Record>>,
    live: Option<broadcast::Receiver<Arc<Record>>>,
) {
    if let Some(stored) = stored
        && stream_stored(write, stored).await.is_err()
    {
        return;
    }
    for record in history {
        if send_record(write, &record).await.is_err() {
            return;
        }
    }
    let Some(mut live) = live else { return };
    loop {
        let sent = match live.recv().await {
            Ok(record) => send_record(write, &record).await,
            Err(broadcast::error::RecvError::Lagged(count)) => {
                let record = Record::new(clock::wall(), EventName::Degraded)
                    .because(format!("this reader is too slow and missed {count} records"));
                send_record(write, &record).await
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Reads beside the loop, no faster than the client does.
async fn stream_stored(write: &mut OwnedWriteHalf, Stored { path, page }: Stored) -> io::Result<()> {
    let (found_in, mut found) = mpsc::channel(STORED_AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        read_events(&path, page, |record| found_in.blocking_send(record).is_ok()).map_err(|error| (path, error))
    });
    while let Some(record) = found.recv().await {
        send_record(write, &record).await?;
    }
    if let Ok(Err((path, error))) = reading.await {
        let reason = format!("{}: {error}; older events cannot be shown", path.display());
        send_record(write, &Record::new(clock::wall(), EventName::Degraded).because(reason)).await?;
    }
    Ok(())
}

async fn send_record(write: &mut OwnedWriteHalf, record: &Record) -> io::Result<()> {
    send(write, &Reply::Ok(serde_json::to_value(record)?)).await
}

async fn send(write: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    timeout(REPLY_TIMEOUT, write.write_all(reply.line().as_bytes())).await?
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream as StdStream;

    use serde_json::json;

    use super::*;
    use crate::control::protocol::FOLLOW_LAG_MAX;

    /// A server whose loop answers everything with true, and events with two records; `client` runs beside it.
    fn with_server(name: &str, client: impl FnOnce(StdStream) + Send + 'static) {
        let path = std::env::temp_dir().join(format!("sip-fw-{name}-{}.sock", std::process::id()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = bind(&path).unwrap();
            let (calls_in, mut calls) = mpsc::channel::<Call>(1);
            let server = tokio::spawn(serve(listener, calls_in, Admission::default()));
            let stream = StdStream::connect(&path).unwrap();
            let client = tokio::task::spawn_blocking(move || client(stream));
            let live = broadcast::Sender::new(FOLLOW_LAG_MAX);
            let record = Arc::new(Record::new(clock::wall(), EventName::AgentStarted));
            let answers = async {
                while let Some(call) = calls.recv().await {
                    let response = match call.request {
                        Request::Events { .. } => {
                            let live = Some(live.subscribe());
                            Response::Records { stored: None, history: vec![record.clone()], live }
                        }
                        _ => Response::Reply(Reply::Ok(json!(true))),
                    };
                    drop(call.respond.send(response));
                    drop(live.send(record.clone()));
                }
            };
            tokio::select! {
                result = client => result.unwrap(),
                () = answers => {}
            }
            server.abort();
        });
        fs::remove_file(&path).unwrap();
    }

    fn ask(stream: &mut StdStream, request: &[u8]) -> String {
        stream.write_all(request).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn the_socket_is_for_owner_and_group_and_replaces_only_a_socket() {
        let path = std::env::temp_dir().join(format!("sip-fw-bind-{}.sock", std::process::id()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for _ in 0..2 {
                let _listener = bind(&path).unwrap();
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
            }
            fs::remove_file(&path).unwrap();
            fs::write(&path, "precious").unwrap();
            assert_eq!(bind(&path).map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::AlreadyExists));
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        });
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn one_line_each_way() {
        with_server("line", |mut stream| {
            assert_eq!(ask(&mut stream, b"{\"verb\":\"status\"}\n"), "{\"ok\":true}\n");
        });
    }

    #[test]
    fn a_long_line_is_refused() {
        with_server("long", |mut stream| {
            let answer = ask(&mut stream, &vec![b'x'; REQUEST_BYTES_MAX as usize + 1]);
            assert!(answer.contains("a request is one line of at most 65536 bytes"), "{answer}");
        });
    }

    #[test]
    fn followers_get_what_was_and_what_comes() {
        with_server("follow", |mut stream| {
            stream.write_all(b"{\"verb\":\"events\",\"since_seconds\":null,\"follow\":true}\n").unwrap();
            let lines: Vec<_> = BufReader::new(stream).lines().take(2).map(Result::unwrap).collect();
            assert!(lines.iter().all(|line| line.contains("agent-started")), "{lines:?}");
        });
    }
}
