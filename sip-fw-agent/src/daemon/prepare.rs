//! What comes before a configuration can be put in force: all of it beside the agent's loop, and without touching anything that
//! is in force.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sip_fw_core::controller::Rules;
use sip_fw_core::rules::RuleSet;

use crate::config::{self, Config, Origin, parse};
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::host::own_addresses;
use crate::kernel::{Loaded, possible_cpus};
use crate::lists::{Memory, Prepared, Snapshot, Wanted};

/// How long names and feeds that were never known are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A configuration that could come into force.
pub struct Ready {
    /// Its text.
    pub text: String,
    /// What it says.
    pub config: Arc<Config>,
    /// Its lists.
    pub prepared: Prepared,
    /// Its rules.
    pub compiled: Compiled,
}

/// The rules of a configuration, with the addresses of its lists.
pub struct Compiled {
    /// In memory.
    pub set: Arc<RuleSet>,
    /// In the kernel.
    pub loaded: Loaded,
    /// The addresses of this host that they know.
    pub own: Vec<IpAddr>,
}

/// Reads, resolves and compiles a file.
pub async fn of_file(memory: Memory, file: PathBuf, generation: u32) -> Result<Ready, Failure> {
    let reading = file.clone();
    let text = aside(move || config::read(&reading).map_err(|error| usage(error.to_string()))).await?;
    of_text(memory, &file, text, generation).await
}

/// Resolves and compiles a text; the file is only named in faults.
pub async fn of_text(memory: Memory, file: &Path, text: String, generation: u32) -> Result<Ready, Failure> {
    let (text, config) = understand(file, text).await?;
    let prepared = memory.prepare(wanted(&config), PATIENCE).await.map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
        usage(lines.join("\n"))
    })?;
    compiled(text, config, prepared, generation).await
}

/// The same for a text that was in force before: its lists may be unreadable by now.
pub async fn of_former_text(memory: Memory, file: &Path, text: String, generation: u32) -> Result<Ready, Failure> {
    let (text, config) = understand(file, text).await?;
    let prepared = memory.prepare_again(wanted(&config), PATIENCE).await;
    compiled(text, config, prepared, generation).await
}

/// Compiles a configuration with what is known of its lists, into a rule set in the kernel that is not in force.
pub async fn compile(config: Arc<Config>, lists: Snapshot, generation: u32) -> Result<Compiled, Failure> {
    aside(move || {
        let own = own_addresses();
        let mut plan = config.plan(own.clone(), possible_cpus(), |origin| lists.nets(origin).to_vec());
        plan.generation = generation;
        let set = RuleSet::compile(&plan).map_err(|error| usage(error.to_string()))?;
        let loaded = Loaded::load(&set)?;
        Ok(Compiled { set: Arc::new(set), loaded, own })
    })
    .await
}

/// What the controller needs to know of a configuration.
pub fn rules(config: &Config) -> Rules {
    let access = config.access_in_force().map(|(line, _)| line.name.clone()).collect();
    Rules { settings: config.settings(), services: config.service_names(), access, bans_max: config.limits.bans }
}

async fn understand(file: &Path, text: String) -> Result<(String, Arc<Config>), Failure> {
    let file = file.to_owned();
    aside(move || match parse(&file, &text) {
        Ok(config) => Ok((text, Arc::new(config))),
        Err(faults) => Err(usage(faults.to_string())),
    })
    .await
}

async fn compiled(text: String, config: Arc<Config>, prepared: Prepared, generation: u32) -> Result<Ready, Failure> {
    let compiled = compile(Arc::clone(&config), prepared.snapshot(), generation).await?;
    Ok(Ready { text, config, prepared, compiled })
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(ExitCode::Failed, format!("while a configuration was prepared: {error}")))?
}

fn usage(message: String) -> Failure {
    Failure::new(ExitCode::Usage, message)
}

/// The lists that a configuration asks for.
fn wanted(config: &Config) -> Wanted {
    let mut wanted = Wanted {
        feeds: Vec::new(),
        country_db: config.country_db.clone(),
        dns_servers: config.dns_servers.clone(),
        ..Wanted::default()
    };
    let mut feeds = BTreeSet::new();
    for origin in config.access_in_force().flat_map(|(line, _)| &line.from) {
        match origin {
            Origin::Host(name) => drop(wanted.hosts.insert(name.clone())),
            Origin::File(path) => drop(wanted.files.insert(path.clone())),
            Origin::Feed(name) => drop(feeds.insert(name)),
            Origin::Country(code) => drop(wanted.countries.insert(code.clone())),
            Origin::Net(_) | Origin::Own | Origin::Learned => {}
        }
    }
    wanted.feeds = config.feeds.iter().filter(|feed| feeds.contains(&feed.name)).cloned().collect();
    wanted
}
