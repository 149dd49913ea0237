//! The order in which the agent starts. Nothing is attached before everything before it is right.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use libsystemd::daemon::{NotifyState, notify};
use log::LevelFilter;
use sip_fw_core::controller::{Controller, Input, Rules};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Options;
use super::agent::{Agent, Lost};
use super::event_loop::Inputs;
use super::publisher::Publisher;
use crate::config::Config;
use crate::control::execute::count_prefixes;
use crate::control::protocol::{CONNECTIONS_MAX, Failure};
use crate::control::{server, services};
use crate::exit_code::ExitCode;
use crate::host;
use crate::kernel::{self, Kernel, KernelError, LoadOptions};
use crate::report::Reporter;
use crate::report::writer::Writer;

/// Starts; the caller is inside the runtime and holds the lock.
///
/// # Errors
///
/// What failed. What an earlier agent left enforced stays so; where nothing was enforced, nothing is left.
pub fn start(options: &Options, config: Config) -> Result<(Agent, Inputs), Failure> {
    let pins = config.paths.pins.clone();
    let is_first = !kernel::is_pinned(&pins);
    let started = try_start(options, config);
    if started.is_err() && is_first {
        // The failure that is returned comes first.
        let _ = kernel::detach(&pins);
    }
    started
}

fn try_start(options: &Options, config: Config) -> Result<(Agent, Inputs), Failure> {
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
    let lost = Lost::read(&kernel.tables)?;
    let signals = |kind| signal(kind).map_err(|error| Failure::new(ExitCode::Failed, format!("signals: {error}")));
    let (calls_in, calls) = mpsc::channel(CONNECTIONS_MAX);
    let permits = server::permits();
    let mut inputs = Inputs {
        events,
        calls,
        hangup: signals(SignalKind::hangup())?,
        terminate: signals(SignalKind::terminate())?,
        interrupt: signals(SignalKind::interrupt())?,
        permits: permits.clone(),
        server: None,
    };
    // From here on the new rules are in force, in the programs of an earlier agent, too.
    let rules = write_rules(&mut kernel, &config)?;
    let attachments = kernel.attach(&config.interfaces)?;
    let others = kernel.detach_others(&config.interfaces)?;
    inputs.server = Some(tokio::spawn(server::serve(listener, calls_in, permits)));
    let mut agent = Agent {
        kernel,
        controller: Controller::new(rules),
        publisher: Publisher::new(log),
        file: options.file.clone(),
        services: services::views(&config.ports(), &config.service_names()),
        config,
        started: Instant::now(),
        lost,
        away: BTreeSet::new(),
        trouble: None,
    };
    agent.handle(Input::Started { version: env!("CARGO_PKG_VERSION") });
    for attachment in attachments {
        let (ingress, egress) = (attachment.ingress, attachment.egress);
        agent.handle(Input::Attached { interface: attachment.interface, ingress, egress });
    }
    for interface in others {
        agent.handle(Input::Detached { reason: format!("{interface}: no longer in the configuration") });
    }
    let _ = notify(false, &[NotifyState::Ready]);
    Ok((agent, inputs))
}

/// Writes ports and settings; the secret of the hashes stays while the maps live.
pub fn write_rules(kernel: &mut Kernel, config: &Config) -> Result<Rules, KernelError> {
    let seed = match kernel.tables.settings()?.hash_seed {
        0 => host::random_seed()
            .map_err(|error| KernelError::Access { what: "/dev/urandom".to_owned(), reason: error.to_string() })?,
        seed => seed,
    };
    let prefix_bans = u32::try_from(kernel.tables.prefix_bans()?.len()).unwrap_or(u32::MAX);
    let settings = config.settings(seed, prefix_bans);
    kernel.tables.write_ports(&config.ports())?;
    kernel.tables.write_settings(&settings)?;
    count_prefixes(&mut kernel.tables)?;
    Ok(Rules { settings, services: config.service_names(), bans_max: config.limits.bans })
}
