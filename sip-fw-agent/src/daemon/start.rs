//! The order in which the agent starts. Nothing is attached before everything before it is right.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use libsystemd::daemon::{NotifyState, notify};
use log::LevelFilter;
use sip_fw_core::controller::{Controller, Input, Rules};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};

use super::agent::{Agent, Lost};
use super::event_loop::Inputs;
use super::{Options, lock};
use crate::config::Config;
use crate::control::execute::count_prefixes;
use crate::control::protocol::{CONNECTIONS_MAX, FOLLOW_LAG_MAX, Failure};
use crate::control::server;
use crate::exit_code::ExitCode;
use crate::host;
use crate::kernel::{Kernel, KernelError, LoadOptions};
use crate::report::Reporter;

/// Starts; the caller is inside the runtime.
pub fn start(options: &Options, config: Config) -> Result<(Agent, Inputs), Failure> {
    let lock = lock::take(&config.paths.socket)?;
    host::lift_memory_lock_limit();
    let mut kernel = Kernel::load(&LoadOptions {
        pins: &config.paths.pins,
        sizes: config.limits,
        log_level: options.kernel_log as u8,
    })?;
    let rules = write_rules(&mut kernel, &config)?;
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
    let attachments = kernel.attach(&config.interfaces)?;
    inputs.server = Some(tokio::spawn(server::serve(listener, calls_in, permits)));
    let mut agent = Agent {
        kernel,
        controller: Controller::new(rules),
        reporter: Reporter::new(options.log_format),
        history: VecDeque::new(),
        live: broadcast::Sender::new(FOLLOW_LAG_MAX),
        file: options.file.clone(),
        config,
        started: Instant::now(),
        lost,
        trouble: None,
        lock,
    };
    agent.handle(Input::Started { version: env!("CARGO_PKG_VERSION") });
    for attachment in attachments {
        let (ingress, egress) = (attachment.ingress, attachment.egress);
        agent.handle(Input::Attached { interface: attachment.interface, ingress, egress });
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
