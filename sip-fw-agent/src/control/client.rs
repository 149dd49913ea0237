//! The CLI's end of the control socket, and its way around a missing agent.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::answer::{Desk, controller_of};
use super::group::advice;
use super::protocol::{Failure, REPLY_BYTES_MAX, Reply, Request};
use crate::clock;
use crate::config::Paths;
use crate::exit_code::ExitCode;
use crate::host::own_addresses;
use crate::kernel::{KernelError, Tables};
use sip_fw_core::guard::Guard;

/// An agent that has not answered by then is stuck.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The same when everything must be taken off at once: it can be done without the agent.
const DETACH_TIMEOUT: Duration = Duration::from_secs(3);

/// Replies of an agent.
pub struct Replies {
    reader: BufReader<UnixStream>,
    timeout: Duration,
}

/// Sends a request to the agent; None when no agent runs.
///
/// # Errors
///
/// When there is an agent that cannot be asked.
pub fn ask(paths: &Paths, request: &Request) -> Result<Option<Replies>, Failure> {
    let fail = |error: io::Error| Failure::new(ExitCode::Failed, format!("{}: {error}", paths.socket.display()));
    let mut stream = match UnixStream::connect(&paths.socket) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let message = format!("{}: {error}; {}", paths.socket.display(), advice(&paths.socket));
            return Err(Failure::new(ExitCode::Failed, message));
        }
        Err(error) => return Err(fail(error)),
    };
    let timeout = if matches!(request, Request::Detach) { DETACH_TIMEOUT } else { TIMEOUT };
    let follow = matches!(request, Request::Events { follow: true, .. });
    stream.set_read_timeout((!follow).then_some(timeout)).map_err(fail)?;
    stream.set_write_timeout(Some(timeout)).map_err(fail)?;
    let mut line = serde_json::to_string(request).map_err(|error| fail(error.into()))?;
    line.push('\n');
    match stream.write_all(line.as_bytes()) {
        // The agent said at once why it does not listen.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        sent => sent.map_err(fail)?,
    }
    Ok(Some(Replies { reader: BufReader::new(stream), timeout }))
}

impl Replies {
    /// The next reply; None at the end of a stream.
    ///
    /// # Errors
    ///
    /// When the agent says so, or does not answer.
    pub fn next_reply(&mut self) -> Result<Option<Value>, Failure> {
        let fail = |what: String| Failure::new(ExitCode::Failed, format!("the agent's answer: {what}"));
        let mut line = Vec::new();
        let limited = &mut (&mut self.reader).take(REPLY_BYTES_MAX);
        limited.read_until(b'\n', &mut line).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => fail(format!("none within {} seconds; it is stuck", self.timeout.as_secs())),
            _ => fail(error.to_string()),
        })?;
        if line.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&line).map_err(|error| fail(error.to_string()))? {
            Reply::Ok(value) => Ok(Some(value)),
            Reply::Error(failure) => Err(failure),
        }
    }
}

/// The answer of the agent, or of the pinned maps when none runs.
///
/// # Errors
///
/// When it cannot be done, or must not.
pub fn fetch(paths: &Paths, services: &[String], request: &Request) -> Result<Value, Failure> {
    if let Some(mut replies) = ask(paths, request)? {
        let ended = || Failure::new(ExitCode::Failed, "the agent ended without an answer");
        return replies.next_reply()?.ok_or_else(ended);
    }
    let mut tables = Tables::open(&paths.pins).map_err(|error| no_agent(paths, &error))?;
    let mut controller = controller_of(&tables, services.to_vec())?;
    let guard = Guard::new(own_addresses());
    let records = Vec::new();
    let mut desk = Desk { tables: &mut tables, controller: &mut controller, agent: None, access: None, guard, records };
    desk.answer(request, clock::now())
}

/// Says that nothing answers.
#[must_use]
pub fn no_agent(paths: &Paths, error: &KernelError) -> Failure {
    let socket = paths.socket.display();
    match error {
        KernelError::NotAttached(pins) => Failure::new(
            ExitCode::NoAgent,
            format!(
                "no agent answers at {socket}, and nothing is attached ({} does not exist): this host is not protected; \
                 start the agent with: sip-fw run",
                pins.display()
            ),
        ),
        error => Failure::new(ExitCode::Failed, format!("no agent answers at {socket}, and: {error}")),
    }
}
