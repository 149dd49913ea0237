//! The guard of a running `sip-fw`: an own configuration, own pins, own state; nothing is left when it is dropped.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::netns::{Bed, Host, is_stale};
use crate::process::{Process, processor_time};
use crate::wait::{PATIENCE, wait_for};

const BPFFS: &str = "/sys/fs/bpf";

/// How long one command of the CLI may take.
const COMMAND: Duration = Duration::from_secs(10);

/// What the configuration of a test varies.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `enforce` or `observe`.
    pub mode: &'static str,
    /// Failures that make a ban.
    pub threshold: u32,
    /// Steps of the ladder.
    pub ladder: Vec<&'static str>,
    /// What a refusal looks like: `auto`, or a dialect.
    pub refusal: &'static str,
    /// What stays when the agent is told to end: `keep` or `detach`.
    pub on_exit: &'static str,
    /// More arguments of `run`.
    pub arguments: Vec<&'static str>,
    /// Scanner signatures: `none`, as most of the tests' guessers are scanners, or `shipped`.
    pub scanners: &'static str,
    /// Lines at the top level, such as `dns_servers`.
    pub top: String,
    /// Lines in the service `sip`, such as `default`.
    pub sip: String,
    /// Tables after all others: `[[service]]`, `[[access]]`, `[[feed]]`.
    pub extra: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: "enforce",
            threshold: 5,
            ladder: vec!["1m", "10m", "1h", "1d", "7d"],
            refusal: "auto",
            on_exit: "keep",
            arguments: Vec::new(),
            scanners: "none",
            top: String::new(),
            sip: String::new(),
            extra: String::new(),
        }
    }
}

/// A line of `sip-fw sources --json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the documented JSON schema")]
pub struct SourceRow {
    pub source: String,
    pub requests: u64,
    pub attempts: u64,
    pub failures_proven: u64,
    pub failures_unproven: u64,
    pub successes: u64,
    pub challenges: u64,
    pub stale: u64,
    pub drops: u64,
    pub state: String,
    pub strikes: u64,
}

impl SourceRow {
    /// Failures of either evidence.
    pub const fn failures(&self) -> u64 {
        self.failures_proven + self.failures_unproven
    }
}

/// A line of `sip-fw bans --json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the documented JSON schema")]
pub struct BanRow {
    pub source: String,
    pub state: String,
    pub level: Option<u64>,
    pub origin: Option<String>,
    pub evidence: Option<String>,
    pub until: Option<String>,
    pub strikes: Option<u64>,
    pub packets: Option<u64>,
    pub user: Option<String>,
}

/// A line of `sip-fw rules --json`. The last ones, named `others`, are the defaults of the services and have no order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the documented JSON schema")]
pub struct RuleRow {
    pub order: Option<u64>,
    pub name: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
    pub action: String,
    pub packets: u64,
    pub bytes: u64,
    pub last_match: Option<String>,
    pub warning: Option<String>,
}

/// A line of `sip-fw peers --json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of the documented JSON schema")]
pub struct PeerRow {
    pub source: String,
    pub kind: String,
    pub user: Option<String>,
    pub transport: String,
    pub service: String,
    pub learned: String,
}

/// How a command of the CLI ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// stdout.
    pub stdout: String,
    /// stderr.
    pub stderr: String,
}

/// A running agent in the namespace of a host.
#[derive(Debug)]
pub struct Agent {
    binary: PathBuf,
    config: PathBuf,
    interface: String,
    pins: PathBuf,
    namespace: PathBuf,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, String)>,
    process: Option<Process>,
    folder: TempDir,
}

impl Agent {
    /// Starts `sip-fw run` on the interface of the bed's pbx and waits until it protects.
    pub fn start(binary: PathBuf, bed: &Bed, policy: &Policy) -> Result<Self> {
        let mut agent = Self::prepare(binary, bed, policy)?;
        agent.restart()?;
        Ok(agent)
    }

    /// The same, but does not start it.
    pub fn prepare(binary: PathBuf, bed: &Bed, policy: &Policy) -> Result<Self> {
        mount_bpffs()?;
        sweep_stale_pins();
        let folder = TempDir::new()?;
        let pins = Path::new(BPFFS).join(&bed.name);
        let config = folder.path().join("sip-fw.toml");
        let interface = bed.pbx.interface().to_owned();
        let namespace = bed.pbx.namespace().path().to_owned();
        let arguments = policy.arguments.clone();
        let environment = Vec::new();
        let agent = Self { binary, config, interface, pins, namespace, arguments, environment, process: None, folder };
        agent.configure(policy)?;
        Ok(agent)
    }

    /// Starts the daemon (again) and waits until it is ready.
    pub fn restart(&mut self) -> Result<()> {
        self.begin()?;
        self.wait_until_ready()
    }

    /// Starts the daemon and does not wait for anything.
    pub fn begin(&mut self) -> Result<()> {
        let mut command = self.command(&["run", "--log-format", "json"]);
        command.args(&self.arguments);
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::spawn(command, Some(&self.namespace))?);
        Ok(())
    }

    /// Waits until the daemon protects.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the daemon was not started")?;
        let mut ended = None;
        let ready = wait_for("sip-fw to be ready", PATIENCE, || {
            ended = process.ended();
            ended.is_some() || self.is_running()
        });
        ensure!(ended.is_none(), "sip-fw run ended with {ended:?}:\n{}\n{}", process.stdout(), process.stderr());
        ready.with_context(|| process.stderr())?;
        self.process = Some(process);
        Ok(())
    }

    /// From the next start on the daemon finds this in its environment.
    pub fn set_environment(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// The time that the daemon spent on a processor, its own and the kernel's for it.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(self.process.as_ref().context("the daemon was not started")?.pid())
    }

    /// If `status` says that a daemon is running.
    pub fn is_running(&self) -> bool {
        self.call(&["status", "--json"]).is_ok_and(|outcome| {
            let status: Option<Value> = serde_json::from_str(&outcome.stdout).ok();
            outcome.code == 0 && status.is_some_and(|status| status["agent"]["running"] == true)
        })
    }

    /// SIGKILL for the daemon: what it attached stays.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    /// The daemon's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Waits for the end of the daemon; gives its exit code and what it wrote.
    pub fn wait_for_end(&mut self) -> Result<Outcome> {
        let mut process = self.process.take().context("the daemon was not started")?;
        let status = process.wait(PATIENCE)?;
        Ok(Outcome { code: status.code().unwrap_or(-1), stdout: process.stdout(), stderr: process.stderr() })
    }

    /// Starts a command of the CLI that runs until it is stopped, such as `events --follow`.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Process> {
        Process::spawn(self.command(arguments), Some(&self.namespace))
    }

    /// The same as another user, in that group alone.
    pub fn spawn_as(&self, uid: u32, gid: u32, arguments: &[&str]) -> Result<Process> {
        // Only after the namespace is entered, which wants root.
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).args(["--clear-groups", "--"]);
        command.arg(&self.binary).arg("--config").arg(&self.config).args(arguments);
        Process::spawn(command, Some(&self.namespace))
    }

    /// Runs a copy of the program from its own folder from now on: others may not reach where it was built.
    pub fn move_binary_to_folder(&mut self) -> Result<()> {
        let copy = self.folder.path().join("sip-fw");
        // By another program: what is open for writing here, a child that another test starts just now has open, too.
        let status = Command::new("cp").arg(&self.binary).arg(&copy).status()?;
        ensure!(status.success(), "cp: {status}");
        self.binary = copy;
        Ok(())
    }

    /// Puts `to` in the place of `from` in the configuration.
    pub fn reconfigure(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(&self.config)?;
        ensure!(text.contains(from), "{from:?} is not in the configuration:\n{text}");
        Ok(fs::write(&self.config, text.replacen(from, to, 1))?)
    }

    /// Writes the configuration anew; nobody is told.
    pub fn configure(&self, policy: &Policy) -> Result<()> {
        fs::write(&self.config, self.text(policy)).context("write the configuration")
    }

    /// Writes another configuration for this agent into a file of its own: what `apply FILE` wants.
    pub fn write_candidate(&self, name: &str, policy: &Policy) -> Result<String> {
        let file = self.folder.path().join(name);
        fs::write(&file, self.text(policy))?;
        Ok(file.display().to_string())
    }

    /// `sip-fw apply` with more arguments.
    pub fn apply(&self, arguments: &[&str]) -> Result<Outcome> {
        self.call(&[&["apply"], arguments].concat())
    }

    /// Where its maps and links are pinned.
    pub fn pins(&self) -> &Path {
        &self.pins
    }

    /// The program.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// A folder for its files, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its database.
    pub fn store(&self) -> PathBuf {
        self.folder().join("state/state.db")
    }

    /// What the `sqlite3` shell says of its database, as a sysadmin would ask it.
    pub fn ask_store(&self, query: &str) -> Result<String> {
        let output = Command::new("sqlite3").arg("-readonly").arg(self.store()).arg(query).output()?;
        ensure!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// If there is an XDP program on the interface of `host`: what the kernel says, not sip-fw.
    pub fn has_xdp(&self, host: &Host) -> Result<bool> {
        host.has_xdp()
    }

    /// Waits until the interface of `host` has no XDP program. The kernel lets go of a link that lost its last name a moment later,
    /// on a work queue.
    pub fn wait_until_off(&self, host: &Host) -> Result<()> {
        wait_for("the programs to be off", PATIENCE, || self.has_xdp(host).is_ok_and(|has| !has))
    }

    /// The events in the daemon's log.
    pub fn events(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the daemon's log has an event of this name whose reason contains `reason`.
    pub fn wait_for_event(&self, name: &str, reason: &str) -> Result<()> {
        let said = |event: &Value| event["reason"].as_str().unwrap_or_default().contains(reason);
        wait_for(&format!("the event {name}: {reason}"), PATIENCE, || {
            self.events().iter().any(|event| event["event"] == name && said(event))
        })
        .with_context(|| self.log())
    }

    /// What the daemon wrote to stdout and stderr.
    pub fn log(&self) -> String {
        self.process.as_ref().map(|process| format!("{}{}", process.stdout(), process.stderr())).unwrap_or_default()
    }

    /// Runs a command of the CLI.
    pub fn call(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut process = Process::spawn(self.command(arguments), Some(&self.namespace))?;
        let status = process.wait(COMMAND)?;
        Ok(Outcome { code: status.code().unwrap_or(-1), stdout: process.stdout(), stderr: process.stderr() })
    }

    /// Sends a line to the control socket without the CLI: what the agent answers, and how long that took, the start of a program
    /// left out.
    pub fn ask(&self, line: &str) -> Result<(String, Duration)> {
        let began = Instant::now();
        let mut stream = UnixStream::connect(self.folder.path().join("control.sock"))?;
        stream.set_read_timeout(Some(COMMAND))?;
        writeln!(stream, "{line}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok((answer, began.elapsed()))
    }

    /// Runs a command of the CLI that prints one JSON object.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let outcome = self.call(arguments)?;
        ensure!(outcome.code == 0, "sip-fw {} ended with {}: {}", arguments.join(" "), outcome.code, outcome.stderr);
        serde_json::from_str(&outcome.stdout)
            .with_context(|| format!("sip-fw {}: {}", arguments.join(" "), outcome.stdout))
    }

    /// Every source it knows.
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        let mut listing = self.json(&["sources", "--json"])?;
        Ok(serde_json::from_value(listing["sources"].take())?)
    }

    /// What it knows about one source; all zero if nothing.
    pub fn source(&self, name: &str) -> Result<SourceRow> {
        Ok(self.sources()?.into_iter().find(|row| row.source == name).unwrap_or_default())
    }

    /// The access rules in force, with what they matched.
    pub fn rules(&self) -> Result<Vec<RuleRow>> {
        Ok(serde_json::from_value(self.json(&["rules", "--json"])?["rules"].take())?)
    }

    /// The known peers.
    pub fn peers(&self) -> Result<Vec<PeerRow>> {
        Ok(serde_json::from_value(self.json(&["peers", "--json"])?["peers"].take())?)
    }

    /// Every ban in force.
    pub fn bans(&self) -> Result<Vec<BanRow>> {
        let mut listing = self.json(&["bans", "--json"])?;
        let rows: Vec<BanRow> = serde_json::from_value(listing["bans"].take())?;
        Ok(rows.into_iter().filter(|row| row.state == "active").collect())
    }

    /// If a ban of this source is in force.
    pub fn has_banned(&self, name: &str) -> Result<bool> {
        Ok(self.bans()?.iter().any(|row| row.source == name))
    }

    fn text(&self, policy: &Policy) -> String {
        let Policy { mode, threshold, ladder, refusal, on_exit, scanners, top, sip, extra, .. } = policy;
        format!(
            "interfaces = [\"{interface}\"]\nmode = \"{mode}\"\non_exit = \"{on_exit}\"\n{top}\n\
             [paths]\npins = \"{pins}\"\nstate = \"{state}\"\nsocket = \"{socket}\"\n\n\
             [[service]]\nname = \"sip\"\nkind = \"sip\"\nlisten = [\"udp/5060\", \"tcp/5060\"]\nrefusal = \"{refusal}\"\n{sip}\n\
             [ban]\nthreshold = {threshold}\nwindow = \"10m\"\nladder = {ladder:?}\ndecay = \"30d\"\nscope = \"services\"\n\n\
             [scanners]\nlist = \"{scanners}\"\n\n\
             {extra}",
            interface = self.interface,
            pins = self.pins.display(),
            state = self.folder.path().join("state").display(),
            socket = self.folder.path().join("control.sock").display(),
        )
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.config).args(arguments);
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sip-fw said:\n{}", self.log());
        }
        self.process = None;
        if let Err(error) = self.call(&["detach"]) {
            eprintln!("sip-fw detach: {error:#}");
        }
        // Normally gone already; without its pins nothing outlives the namespace.
        let _ = fs::remove_dir_all(&self.pins);
    }
}

/// Where the binary is: SIP_FW_BIN, beside this program, or in the target folder of the workspace.
pub fn find_binary() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SIP_FW_BIN") {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    let own = std::env::current_exe().ok()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("sip-fw"));
    let targets = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).into_iter();
    let targets = targets.chain([Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")]);
    let built = targets.flat_map(|target| ["release", "debug"].map(|profile| target.join(profile).join("sip-fw")));
    beside.chain(built).find(|path| path.is_file())
}

fn mount_bpffs() -> Result<()> {
    if statfs(BPFFS).is_ok_and(|stat| stat.filesystem_type() == BPF_FS_MAGIC) {
        return Ok(());
    }
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("mount a bpf file system on {BPFFS}"))
}

/// Removes the pins of runs that were killed, so that their programs and maps go, too.
fn sweep_stale_pins() {
    let Ok(entries) = fs::read_dir(BPFFS) else { return };
    for entry in entries.flatten().filter(|entry| is_stale(&entry.file_name().to_string_lossy())) {
        // Another run may be sweeping the same one; either of the two removes it.
        let _ = fs::remove_dir_all(entry.path());
    }
}
