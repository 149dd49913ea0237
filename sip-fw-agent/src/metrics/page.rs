//! What is served: the figures of the last tick, and how full the tables are, counted when somebody asks.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::Snapshot;
use super::encode::Figures;
use crate::kernel::{Fill, fills};

/// Time between two counts of the tables' entries.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// Large tables take long; at most one part in so many of the time is spent on counting them.
const COUNT_SHARE: u32 = 20;

/// Everything there is to serve.
#[derive(Debug)]
pub struct Page {
    pins: PathBuf,
    snapshot: watch::Receiver<Snapshot>,
    counted: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    fills: Vec<Fill>,
    /// They are not counted again before.
    next: Instant,
}

impl Page {
    /// Of the tables that are pinned there.
    pub fn new(pins: &Path, snapshot: watch::Receiver<Snapshot>) -> Self {
        let counted = Counted { fills: Vec::new(), next: Instant::now() };
        Self { pins: pins.to_owned(), snapshot, counted: Mutex::new(counted) }
    }

    /// In OpenMetrics text.
    ///
    /// # Errors
    ///
    /// When a figure cannot be written.
    pub fn text(&self) -> Result<String, String> {
        let figures = Figures { snapshot: self.snapshot.borrow().clone(), fills: self.fills() };
        encode(figures).map_err(|error| format!("a figure cannot be written: {error}\n"))
    }

    /// The last count, or a new one if it is time. A table that cannot be read is left out.
    fn fills(&self) -> Vec<Fill> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        if began >= counted.next {
            counted.fills = fills(&self.pins);
            counted.next = Instant::now() + COUNT_EVERY.max(began.elapsed() * COUNT_SHARE);
        }
        counted.fills.clone()
    }
}

/// The figures in OpenMetrics text.
pub(super) fn encode(figures: Figures) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(figures));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}
