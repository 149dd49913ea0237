//! Good phones that SIPp plays: they register and call all the time until they are told to stop, and SIPp keeps the books.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ACCOUNTS;
use super::sipp::bare;
use crate::family::Family;
use crate::netns::{Bed, Host};
use crate::process::Process;
use crate::sip::Transport;
use crate::wait::{PATIENCE, wait_for};

/// Where the phone that is called listens, and above it the others: SIPp's own choice is not safe among several of them.
const CALLEE_PORT: u16 = 5090;

/// A call that is lost is repeated for 32 s before SIPp counts it (RFC 3261, timer B).
const LAST_CALLS: Duration = Duration::from_secs(45);

/// Characters of the errors of one SIPp that are kept: the first tell the cause.
const ERRORS_MAX: usize = 1000;

/// Whom the phones call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// An extension of the PBX that answers and waits.
    Extension(&'static str),
    /// Another phone of the office, over UDP, through a proxy.
    Phone,
}

/// What a phone does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Register,
    Call,
}

/// SIPp's own books on all phones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Registrations that went as they should.
    pub registrations: u64,
    /// Calls that went as they should, from INVITE to the end of the BYE.
    pub calls: u64,
    /// Registrations and calls that did not.
    pub failed: u64,
    /// Messages repeated because no answer came within half a second.
    pub repeated: u64,
    /// What SIPp says of those that failed.
    pub errors: String,
}

/// Phones at work. Dropping it ends them.
#[derive(Debug)]
pub struct Workforce {
    runs: Vec<(Task, Run)>,
    callee: Option<Run>,
    number: &'static str,
}

/// One SIPp.
#[derive(Debug)]
struct Run {
    process: Process,
    folder: TempDir,
}

impl Workforce {
    /// Phones behind the office's first address: over UDP and over TCP some that register and some that call. Waits until
    /// each of them did so once.
    pub fn start(bed: &Bed, family: Family, callee: Callee) -> Result<Self> {
        let (host, from, pbx) = (&bed.office, bed.office.address(family), bed.pbx.sip(family));
        let mut force = Self { runs: Vec::new(), callee: None, number: ACCOUNTS[2].0 };
        match callee {
            Callee::Extension(number) => force.number = number,
            Callee::Phone => force.callee = Some(answering(host, from, pbx)?),
        }
        for transport in [Transport::Udp, Transport::Tcp] {
            force.add(host, from, pbx, transport, Task::Register)?;
            force.add(host, from, pbx, transport, Task::Call)?;
        }
        force.wait_for_more(1)?;
        Ok(force)
    }

    /// Phones somewhere else, that nobody has seen before.
    pub fn add_newcomers(&mut self, host: &Host, from: IpAddr, pbx: SocketAddr) -> Result<()> {
        self.add(host, from, pbx, Transport::Udp, Task::Register)?;
        self.add(host, from, pbx, Transport::Udp, Task::Call)
    }

    fn add(&mut self, host: &Host, from: IpAddr, pbx: SocketAddr, transport: Transport, task: Task) -> Result<()> {
        let (scenario, rate) = match task {
            Task::Register => (include_str!("../../data/sipp/register_good.xml"), "3"),
            Task::Call => (include_str!("../../data/sipp/call.xml"), "2"),
        };
        let port = usize::from(CALLEE_PORT) + 1 + self.runs.len();
        let run = Run::start(host, from, scenario, self.number, |command| {
            command.arg(pbx.to_string()).args(["-inf", "accounts.csv", "-r", rate, "-m", "1000000"]);
            command.args(["-p", &port.to_string()]);
            command.args(["-t", if transport == Transport::Udp { "u1" } else { "t1" }]);
        })?;
        self.runs.push((task, run));
        Ok(())
    }

    /// What SIPp has written down until now: it does so every second.
    pub fn books(&self) -> Books {
        let mut books = Books::default();
        for (task, run) in &self.runs {
            let passed = run.count("SuccessfulCall(C)");
            match task {
                Task::Register => books.registrations += passed,
                Task::Call => books.calls += passed,
            }
            books.failed += run.count("FailedCall(C)");
            books.repeated += run.count("Retransmissions(C)");
            books.errors.extend(run.read("errors.log").chars().take(ERRORS_MAX));
        }
        books
    }

    /// Waits until every phone has done `more` of its task, well or not.
    pub fn wait_for_more(&self, more: u64) -> Result<()> {
        let done =
            || self.runs.iter().map(|(_, run)| run.count("SuccessfulCall(C)") + run.count("FailedCall(C)")).collect();
        let before: Vec<u64> = done();
        wait_for("good phones to register and call", 2 * PATIENCE, || {
            done().iter().zip(&before).all(|(now, before)| *now >= before + more)
        })
        .with_context(|| format!("{:?}", self.books()))
    }

    /// Lets every phone end what it does, and gives the books. An error if a SIPp says by its exit code that it failed.
    pub fn stop(mut self) -> Result<Books> {
        for (_, run) in &self.runs {
            run.process.signal(Signal::SIGUSR1);
        }
        let mut codes = Vec::new();
        for (_, run) in &mut self.runs {
            codes.push(run.process.wait(LAST_CALLS)?.code());
        }
        let books = self.books();
        ensure!(codes.iter().all(|code| *code == Some(0)), "SIPp ended with {codes:?}: {books:?}");
        Ok(books)
    }
}

impl Run {
    fn start(
        host: &Host,
        from: IpAddr,
        scenario: &str,
        number: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("scenario.xml"), scenario)?;
        let mut csv = "SEQUENTIAL\n".to_owned();
        for (user, password) in &ACCOUNTS[..2] {
            writeln!(csv, "{user};[authentication username={user} password={password}];{number}")?;
        }
        fs::write(folder.path().join("accounts.csv"), csv)?;
        let mut command = Command::new("sipp");
        command.current_dir(folder.path()).env("TERM", "dumb");
        command.args(["-nostdin", "-sf", "scenario.xml", "-i", &bare(from), "-mi", &bare(from)]);
        command.args(["-trace_stat", "-fd", "1", "-stf", "books.csv", "-trace_err", "-error_file", "errors.log"]);
        arguments(&mut command);
        Ok(Self { process: host.spawn(command)?, folder })
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// A column of the last complete line of the books.
    fn count(&self, column: &str) -> u64 {
        let text = self.read("books.csv");
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = complete.lines();
        let place = lines.next().and_then(|names| names.split(';').position(|name| name == column));
        let value = place.and_then(|place| lines.next_back()?.split(';').nth(place)?.parse().ok());
        value.unwrap_or(0)
    }
}

/// The phone that is called: registers, then answers.
fn answering(host: &Host, from: IpAddr, pbx: SocketAddr) -> Result<Run> {
    use crate::actors::Client;
    let (user, password) = ACCOUNTS[2];
    let local = SocketAddr::new(from, CALLEE_PORT);
    let mut client = Client::open(host, local, pbx, Transport::Udp)?;
    let mut request = client.request("REGISTER", user);
    let challenge = client.transact(&request, PATIENCE).and_then(|answer| answer.challenge());
    let challenge = challenge.context("the PBX did not challenge the callee")?;
    request = request.next();
    request.extra = vec![challenge.answer(user, password, "REGISTER", &request.uri)];
    let status = client.transact(&request, PATIENCE).and_then(|answer| answer.status());
    ensure!(status == Some(200), "the callee's registration ended with {status:?}");
    drop(client);
    Run::start(host, from, include_str!("../../data/sipp/answer.xml"), user, |command| {
        command.args(["-p", &CALLEE_PORT.to_string(), "-t", "u1"]);
    })
}
