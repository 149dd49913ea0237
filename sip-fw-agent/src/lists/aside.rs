//! Work that would block the loop, on a thread of its own.
//!
//! Not on the runtime's blocking threads: it waits for those when it ends, and a file system or a server that hangs must
//! not hold up the end of the agent.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Why work did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// The system gives no thread.
    #[error("no thread for {what}: {error}; there are too many tasks or too little memory")]
    NoThread {
        /// For which work.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The thread ended early.
    #[error("{0} ended in a fault of sip-fw; the standard error output has it, please report it")]
    Died(&'static str),
}

/// Runs `work` on a thread and waits for it without blocking. When the caller stops waiting, the work still ends by
/// itself.
///
/// # Errors
///
/// When there is no thread, or the work panics.
pub async fn run<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AsideError> {
    let (done, wait) = oneshot::channel();
    thread::Builder::new()
        .name(format!("lists-{what}"))
        // Fails only when nobody waits any more.
        .spawn(move || drop(done.send(work())))
        .map_err(|error| AsideError::NoThread { what, error })?;
    wait.await.map_err(|_| AsideError::Died(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_and_its_end() {
        assert_eq!(run("test", || 7).await.unwrap(), 7);
        assert!(matches!(run("test", || panic!("on purpose")).await, Err(AsideError::Died("test"))));
    }
}
