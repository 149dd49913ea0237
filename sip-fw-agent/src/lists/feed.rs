//! A feed: fetched, read, and kept on disk.

use std::path::PathBuf;

use ipnet::IpNet;
use sip_fw_core::text;
use sip_fw_core::time::Timestamp;

use super::disk;
use super::feed_text::{FeedTextError, Parsed, parse};
use super::fetch::{Answer, FetchError, Validators, get};
use super::pace::Pace;
use crate::clock;
use crate::config::FeedRules;
use crate::http::Roots;

/// Bytes of a reason; servers choose parts of it.
const REASON_BYTES_MAX: usize = 300;

/// Everything that a fetch needs, on a thread of its own.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The feed.
    pub rules: FeedRules,
    /// The folder where answers are kept.
    pub folder: PathBuf,
    /// Those of the answer that is known.
    pub validators: Option<Validators>,
    /// Whom to believe.
    pub roots: Roots,
    /// How long to wait.
    pub pace: Pace,
}

/// A good answer.
#[derive(Debug)]
pub struct Fetched {
    /// None: what is known is still right.
    pub list: Option<List>,
    /// When it came.
    pub as_of: Timestamp,
    /// Why it could not be kept on disk.
    pub not_kept: Option<String>,
}

/// The list of a feed.
#[derive(Debug)]
pub struct List {
    /// Aggregated.
    pub nets: Vec<IpNet>,
    /// What was not taken.
    pub note: Option<String>,
    /// For the next time.
    pub validators: Validators,
}

#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("cannot be fetched: {0}")]
    Fetch(#[from] FetchError),
    #[error("the answer {0}")]
    Text(#[from] FeedTextError),
}

impl Fetch {
    /// Fetches, reads and keeps the list. Blocks, at most for the time that `pace` gives.
    ///
    /// # Errors
    ///
    /// Why there is no new list, in words.
    pub fn run(&self) -> Result<Fetched, String> {
        self.try_run().map_err(|error| text::cut(&error.to_string(), REASON_BYTES_MAX))
    }

    fn try_run(&self) -> Result<Fetched, FeedError> {
        let FeedRules { name, url, format, max_bytes, .. } = &self.rules;
        let path = disk::feed_path(&self.folder, name, url);
        let answer = get(url, *max_bytes, self.validators.as_ref(), &self.roots, &self.pace)?;
        let as_of = clock::wall();
        let (list, kept) = match answer {
            Answer::NotModified => (None, disk::touch(&path)),
            Answer::Body(body, validators) => {
                let Parsed { nets, note } = parse(&body, *format)?;
                let kept = disk::write_feed(&path, url, &validators, &body);
                (Some(List { nets, note, validators }), kept)
            }
        };
        Ok(Fetched { list, as_of, not_kept: kept.err().map(|error| error.to_string()) })
    }

    /// The last good answer on disk; None when there is none, or it is no list in the form that is asked for now. Blocks.
    pub fn kept(&self) -> Option<(Timestamp, List)> {
        let FeedRules { name, url, format, max_bytes, .. } = &self.rules;
        let body = disk::read_feed(&disk::feed_path(&self.folder, name, url), url, *max_bytes)?;
        let Parsed { nets, note } = parse(&body.bytes, *format).ok()?;
        Some((body.as_of, List { nets, note, validators: body.validators }))
    }
}
