//! Waiting for conditions, never for fixed times, and noticing the operator's Ctrl-C while waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// How long a condition may take on a machine busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How many times as long everything may take: set where a machine is emulated.
const SLOWER: &str = "SIP_FW_SLOWER";

const POLL: Duration = Duration::from_millis(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Waits until `condition` holds; an error that names `what` if it does not within `limit` or the run is interrupted.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let limit = limit * slowness();
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return Ok(());
        }
        check_interrupt()?;
        if Instant::now() >= deadline {
            bail!("waited {limit:?} in vain for: {what}");
        }
        thread::sleep(POLL);
    }
}

fn slowness() -> u32 {
    std::env::var(SLOWER).ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// An error after SIGINT or SIGTERM, so that callers unwind and their guards clean up.
pub fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// From now on SIGINT and SIGTERM make `check_interrupt` fail instead of ending the process at once.
pub fn catch_interrupts() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(on_interrupt), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { sigaction(signal, &action) }.with_context(|| format!("sigaction {signal}"))?;
    }
    Ok(())
}

extern "C" fn on_interrupt(_signal: i32) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}
