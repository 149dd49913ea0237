//! The agent: it starts in a fixed order, then turns one loop until it is told to end.

mod agent;
mod apply;
mod auto;
mod changes;
mod event_loop;
mod figures;
mod interfaces;
mod keep;
mod lock;
mod lockout;
mod manager;
mod matches;
mod members;
mod prepare;
mod publisher;
mod reload;
mod remembered;
mod start;
mod state;
mod trial;

use std::path::{Path, PathBuf};

use log::LevelFilter;

use crate::config::ConfigError;
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::report::LogFormat;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub file: PathBuf,
    /// Form of the log; None: the journal where there is one.
    pub log_format: Option<LogFormat>,
    /// Level of the kernel programs' own messages.
    pub kernel_log: LevelFilter,
}

/// Runs the agent until it is told to end.
///
/// # Errors
///
/// When it cannot start, or cannot go on.
pub fn run(options: &Options) -> Result<(), Failure> {
    let config = crate::config::load(&options.file).map_err(faulty)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ExitCode::Failed, format!("no event loop: {error}")))?;
    crate::kernel::create(&config.paths.pins)?;
    let lock = lock::take(&config.paths.socket, &config.paths.pins)?;
    runtime.block_on(async {
        let (agent, inputs) = start::start(options, config).await?;
        event_loop::run(agent, inputs, lock).await
    })
}

/// The text of the configuration that was last in force for good, from the state folder.
#[must_use]
pub fn text_in_force(state: &Path) -> Option<String> {
    state::State::new(state).applied_text()
}

fn faulty(error: ConfigError) -> Failure {
    Failure::new(ExitCode::Usage, error.to_string())
}
