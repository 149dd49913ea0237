//! The order in which the agent starts. Nothing is attached before everything before it is right.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use log::LevelFilter;
use sip_fw_common::abi::Live;
use sip_fw_core::controller::{Controller, Input};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Options;
use super::agent::{Agent, Lost};
use super::apply::{InForce, Orders};
use super::event_loop::Inputs;
use super::interfaces;
use super::manager::Manager;
use super::matches::Matches;
use super::members::Members;
use super::prepare::{self, Ready};
use super::publisher::Publisher;
use super::remembered::{Remembered, Restored, Terms, restore};
use super::state::{Choice, State};
use super::trial::Waiting;
use crate::clock;
use crate::config::{self, Config};
use crate::control::admission::Admission;
use crate::control::execute::count_prefixes;
use crate::control::protocol::{CONNECTIONS_MAX, Failure};
use crate::control::{server, services};
use crate::exit_code::ExitCode;
use crate::host;
use crate::kernel::{self, Kernel, KernelError, LoadOptions, Tables};
use crate::lists::{Lists, Named};
use crate::metrics::Metrics;
use crate::report::Reporter;
use crate::report::writer::Writer;
use crate::store::{Recalled, Store};

/// Starts; the caller is inside the runtime and holds the lock.
///
/// # Errors
///
/// What failed. What an earlier agent left enforced stays so; where nothing was enforced, nothing is left.
pub async fn start(options: &Options, config: Config) -> Result<(Agent, Inputs), Failure> {
    let pins = config.paths.pins.clone();
    let is_first = !kernel::is_pinned(&pins);
    let started = try_start(options, config).await;
    if started.is_err() && is_first {
        // The failure that is returned comes first.
        let _ = kernel::detach(&pins);
    }
    started
}

async fn try_start(options: &Options, config: Config) -> Result<(Agent, Inputs), Failure> {
    let reporter = Reporter::new(options.log_format);
    let log = Writer::start(move |record| reporter.record(record))
        .map_err(|error| Failure::new(ExitCode::Failed, format!("no thread for the log: {error}")))?;
    host::lift_memory_lock_limit();
    let mut kernel = Kernel::load(&LoadOptions {
        pins: &config.paths.pins,
        sizes: config.limits,
        log_level: options.kernel_log as u8,
    })?;
    let events = kernel.take_events()?;
    if options.kernel_log != LevelFilter::Off {
        kernel.start_kernel_log()?;
    }
    let socket =
        |error: io::Error| Failure::new(ExitCode::Failed, format!("{}: {error}", config.paths.socket.display()));
    let listener = server::bind(&config.paths.socket).map_err(socket)?;
    let lost = Lost::of(&kernel.tables.counters()?);
    let signals = |kind| signal(kind).map_err(|error| Failure::new(ExitCode::Failed, format!("signals: {error}")));
    let (calls_in, calls) = mpsc::channel(CONNECTIONS_MAX);
    let (outcomes, inputs_outcomes) = mpsc::channel(1);
    let admission = Admission::default();
    let mut inputs = Inputs {
        events,
        changes: host::InterfaceChanges::listen().map_err(deaf)?,
        calls,
        outcomes: inputs_outcomes,
        hangup: signals(SignalKind::hangup())?,
        terminate: signals(SignalKind::terminate())?,
        interrupt: signals(SignalKind::interrupt())?,
        admission: admission.clone(),
        server: None,
        manager: Manager::from_environment(),
    };
    let mut lists = Lists::new(&config.paths.state);
    let state = State::new(&config.paths.state);
    let applied = state.applied_path();
    let file = config::read(&options.file).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))?;
    let confirm_until_ns = kernel.tables.live()?.confirm_until_ns;
    let choice = state.choose(&file, confirm_until_ns > kernel::now_ns());
    let (store, mut recalled) = Store::open(&config.paths.state, config.store)
        .map_err(|error| Failure::new(ExitCode::Failed, format!("no thread for the store: {error}")))?;
    let mut generation = match kernel.tables.in_force()? {
        Some(earlier) => earlier.header()?.generation,
        None => 0,
    };
    let mut next = || {
        generation = generation.wrapping_add(1);
        generation
    };
    let former = |text, generation| prepare::of_former_text(lists.memory(), &applied, text, generation);
    let (ready, before) = match choice.clone() {
        Choice::File => (prepare::of_text(lists.memory(), &options.file, file, next()).await?, None),
        Choice::Before(text) => (former(text, next()).await?, None),
        Choice::Waiting { text, before } => (former(text, next()).await?, Some(former(before, next()).await?)),
    };
    let controller = Controller::new(prepare::rules(&ready.config));
    let restored = begin_live(&mut kernel.tables, &recalled, &controller, kernel.taken_over.is_incomplete)?;
    // From here on the new rules are in force, in the programs of an earlier agent, too.
    match &before {
        Some(_) => kernel.tables.replace_tentative(&ready.compiled.loaded)?,
        None => kernel.tables.put_in_force(&ready.compiled.loaded)?,
    }
    let waiting = before.map(|before| Waiting { until_ns: confirm_until_ns, before: before.into() });
    let Ready { text, config, prepared, compiled } = ready;
    kernel.tables.set_signatures(&config.signatures)?;
    lists.adopt(prepared);
    let (interfaces, attached) = interfaces::attach(&mut kernel, &config.interfaces)?;
    kernel.end_migration()?;
    inputs.server = Some(tokio::spawn(server::serve(listener, calls_in, admission.clone())));
    let store = Rc::new(store);
    let mut agent = Agent {
        kernel,
        controller,
        publisher: Publisher::new(log, Rc::clone(&store), recalled.last_event, std::mem::take(&mut recalled.recent)),
        file: options.file.clone(),
        metrics: Metrics::new(&config.paths.pins),
        ring_events: 0,
        members: Members::new(admission),
        services: services::views(&config.ports(), &config.service_kinds(), &config.service_names()),
        config,
        started: Instant::now(),
        started_at: clock::wall(),
        lost,
        interfaces,
        trouble: None,
        in_force: InForce { text, compiled },
        configuration: 0,
        orders: Orders::default(),
        recompiling: None,
        generation,
        waiting,
        lists,
        matches: Matches::default(),
        state,
        store,
        remembered: Remembered::default(),
        ticks_to_peers: 0,
        outcomes,
    };
    agent.publisher.alerts.replace(&agent.config.alerts);
    agent.take_up(&recalled, restored);
    drop(recalled);
    agent.handle(Input::Started { version: env!("CARGO_PKG_VERSION") });
    if let Choice::Before(_) = choice {
        let file = options.file.display();
        let reason = format!(
            "{file} was not confirmed in time, so the configuration before it is in force; `sip-fw apply` puts {file} in force"
        );
        agent.handle(Input::RulesRefused { reason });
    } else if agent.waiting.is_none()
        && let Err(error) = agent.state.applied(&agent.in_force.text)
    {
        agent.handle(Input::RulesRefused { reason: format!("cannot remember the configuration: {error}") });
    }
    let troubled: Vec<_> = agent
        .lists
        .snapshot()
        .iter()
        .filter_map(|(origin, entry)| Some(format!("{}: {}", Named(origin), entry.trouble.as_ref()?)))
        .collect();
    for reason in troubled {
        agent.handle(Input::RulesRefused { reason });
    }
    agent.tell_attached(attached);
    inputs.manager.ready();
    Ok((agent, inputs))
}

fn deaf(error: io::Error) -> Failure {
    let message = format!("cannot listen for changes of interfaces: {error}; does a sandbox forbid AF_NETLINK?");
    Failure::new(ExitCode::Failed, message)
}

/// Fresh maps, and those that take the place of another layout, are filled with what is remembered; others are the truth. The
/// secret of the hashes, which stays while the maps live, comes last: an agent that is killed meanwhile finds the maps as fresh as
/// they were.
fn begin_live(
    tables: &mut Tables,
    recalled: &Recalled,
    controller: &Controller,
    is_incomplete: bool,
) -> Result<Option<Restored>, KernelError> {
    let live = tables.live()?;
    let mut restored = None;
    if live.hash_seed == 0 || is_incomplete {
        let terms = Terms::of(controller, clock::now());
        restored = Some(restore(tables, recalled, &controller.rules().settings, terms));
        let random = || {
            host::random_seed()
                .map_err(|error| KernelError::Access { what: "/dev/urandom".to_owned(), reason: error.to_string() })
        };
        if live.hash_seed == 0 {
            let hash_seed = recalled.hash_seed.map_or_else(random, Ok)?;
            tables.write_live(&Live { hash_seed, ..live })?;
        }
    }
    count_prefixes(tables)?;
    Ok(restored)
}
