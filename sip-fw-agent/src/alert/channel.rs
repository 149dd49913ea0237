//! What every way out of this process has in common: it tells one alert, or says why not.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::message::Alert;
use crate::report::queue::Far;

/// The way out of this process. It may block, on its sink's thread, for as long as its own limits let it.
pub trait Channel: Send + 'static {
    /// Tells one alert.
    fn deliver(&mut self, alert: &Alert, patience: &Patience<'_>) -> Result<(), Trouble>;
}

/// Why an alert was not delivered.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub reason: String,
    /// Whether it may work later.
    pub again: Again,
}

/// Whether the same alert is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It would fail again.
    Never,
    /// It may work; the other end says after how long, or does not.
    Later(Option<Duration>),
}

impl Trouble {
    /// Which may be over soon.
    pub fn for_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Later(None) }
    }

    /// Which another try would meet as well.
    pub fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Never }
    }
}

/// How long a sink may still take.
pub struct Patience<'a> {
    far: &'a Far,
    last: Duration,
    /// When the sink noticed that it is to end.
    ending: Cell<Option<Instant>>,
}

impl<'a> Patience<'a> {
    /// Once it is told to end, a sink has so long for what waits.
    pub const fn new(far: &'a Far, last: Duration) -> Self {
        Self { far, last, ending: Cell::new(None) }
    }

    /// Waits; false when the sink is to end, and then at once.
    pub fn pause(&self, length: Duration) -> bool {
        self.far.pause(length)
    }

    /// Whether the sink was told to end, and had its time since.
    pub fn is_over(&self) -> bool {
        if self.far.pause(Duration::ZERO) {
            return false;
        }
        let now = Instant::now();
        let since = self.ending.get().unwrap_or(now);
        self.ending.set(Some(since));
        now.saturating_duration_since(since) >= self.last
    }
}
