//! A capture through the real programs and the controller, on its own clock, attached to nothing and touching no pin.
//!
//! * [`capture`], [`frame`], [`message`]: from a file to frames, and what they carry.
//! * [`stage`]: the programs, the controller and the clock.
//! * [`unsent`]: the answers that would not have been sent.
//! * [`split`], [`summary`]: what comes out.

pub mod capture;
pub mod frame;
pub mod message;
pub mod split;
pub mod stage;
pub mod summary;
pub mod unsent;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use sip_fw_core::record::Record;

use crate::config::{Config, Faults, parse};
use crate::kernel::KernelError;
use capture::{Capture, Item, Packet};
use message::{Content, Direction, Reader};
use split::Split;
use stage::{Fate, HASH_SEED, Stage};
use summary::Summary;
use unsent::Unsent;

/// What to replay and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The capture.
    pub file: PathBuf,
    /// The addresses of the host that it was taken on.
    pub local: Vec<IpNet>,
    /// Decide, but drop nothing.
    pub observe: bool,
    /// Where to write what was not dropped.
    pub kept: Option<PathBuf>,
    /// Where to write what was dropped.
    pub dropped: Option<PathBuf>,
}

/// Why a replay failed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The capture cannot be opened.
    #[error("{file}: {error}")]
    Unreadable {
        /// The capture.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{file}: {found}; allowed are captures in pcap or pcapng format (tcpdump -w, dumpcap, sngrep)")]
    NoCapture {
        /// The file.
        file: String,
        /// What it is.
        found: String,
    },
    /// The capture is damaged.
    #[error("{file}: at byte {at}: {what}")]
    Damaged {
        /// The capture.
        file: String,
        /// Where.
        at: u64,
        /// What was found there, and what is allowed.
        what: String,
    },
    /// An output file cannot be written.
    #[error("cannot write {file}: {error}")]
    Unwritable {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The kernel does not run the programs.
    #[error("{0}")]
    Kernel(#[from] KernelError),
    /// Standard output.
    #[error("{0}")]
    Output(#[from] io::Error),
}

/// Who is told how it goes on.
pub trait Watcher {
    /// A decision.
    ///
    /// # Errors
    ///
    /// When it cannot be told to anybody.
    fn decided(&mut self, record: &Record) -> io::Result<()>;
    /// So many bytes of so many were read.
    fn progress(&mut self, bytes: u64, of: u64);
    /// Something is not as it should be.
    fn warn(&mut self, what: &str);
}

/// Packets between two reports of progress.
const PACKETS_PER_PROGRESS: u64 = 2048;
/// A clock that goes back further than this is said: frames of two queues are exchanged by less.
const BACKWARDS_NS: u64 = 1_000_000_000;

/// The configuration without a file.
///
/// # Errors
///
/// None that a release could have.
pub fn default_config() -> Result<Config, Faults> {
    parse(Path::new("the defaults"), "interfaces = [\"replay\"]")
}

/// Replays a capture.
///
/// # Errors
///
/// When the capture, an output file or the kernel is not as it must be.
pub fn run(options: &Options, config: &Config, watcher: &mut dyn Watcher) -> Result<Summary, ReplayError> {
    let mut capture = Capture::open(&options.file)?;
    let split = Split::create(&options.file, options.kept.as_deref(), options.dropped.as_deref())?;
    let stage = Stage::new(config, options.observe)?;
    let reader = Reader::new(config, HASH_SEED);
    let mut replay = Replay {
        local: &options.local,
        stage,
        reader,
        unsent: Unsent::new(),
        summary: Summary::default(),
        records: Vec::new(),
        frame: Vec::new(),
        backwards: 0,
    };
    let mut split = split;
    while let Some(item) = capture.next_item()? {
        match item {
            Item::Other => split.both(capture.raw())?,
            Item::CutOff => {
                watcher.warn(&format!(
                    "{}: cut off at byte {}: replayed up to there",
                    options.file.display(),
                    capture.position()
                ));
                break;
            }
            Item::Packet(packet) => {
                let is_dropped = replay.packet(&packet, capture.raw())?;
                split.packet(capture.raw(), is_dropped)?;
                replay.tell(watcher)?;
                if replay.summary.packets.is_multiple_of(PACKETS_PER_PROGRESS) {
                    watcher.progress(capture.position(), capture.file_bytes);
                }
            }
        }
    }
    replay.stage.finish(&mut replay.records)?;
    replay.tell(watcher)?;
    split.finish()?;
    replay.finish(options, watcher)
}

struct Replay<'a> {
    local: &'a [IpNet],
    stage: Stage,
    reader: Reader,
    unsent: Unsent,
    summary: Summary,
    records: Vec<Record>,
    frame: Vec<u8>,
    backwards: u64,
}

impl Replay<'_> {
    /// Runs a packet; true if it was dropped.
    fn packet(&mut self, packet: &Packet, raw: &[u8]) -> Result<bool, ReplayError> {
        self.summary.packets += 1;
        self.summary.cut += u64::from(packet.is_cut);
        if let Some(time_ns) = packet.time_ns {
            self.backwards += u64::from(self.stage.now_ns().saturating_sub(time_ns) > BACKWARDS_NS);
            self.stage.advance(time_ns, &mut self.records)?;
        }
        let data = raw.get(packet.data.clone()).unwrap_or_default();
        let Some(direction) = self.direction(packet, data) else {
            self.summary.skipped += 1;
            return Ok(false);
        };
        let content = self.reader.read(direction, &self.frame);
        match direction {
            Direction::Arriving => self.arriving(content),
            Direction::Leaving => self.leaving(content).map(|()| false),
        }
    }

    /// Makes the frame, and says which way it goes.
    fn direction(&mut self, packet: &Packet, data: &[u8]) -> Option<Direction> {
        frame::ethernet(packet.link, data, &mut self.frame)?;
        let (source, destination) = frame::addresses(&self.frame)?;
        let is_local = |address: IpAddr| self.local.iter().any(|net| net.contains(&address.to_canonical()));
        match (is_local(source), is_local(destination)) {
            (true, false) => Some(Direction::Leaving),
            (false, true) => Some(Direction::Arriving),
            (true, true) | (false, false) => None,
        }
    }

    fn arriving(&mut self, content: Content) -> Result<bool, ReplayError> {
        let fate = self.stage.packet(Direction::Arriving, content, &self.frame, &mut self.records)?;
        if fate == Fate::Dropped {
            match content {
                Content::Request(request) => self.unsent.dropped(request.part, request.is_answered),
                Content::Response(part) | Content::Unparsed(part) => self.unsent.dropped(part, false),
                Content::Nothing => {}
            }
            return Ok(true);
        }
        match content {
            Content::Request(request) => {
                self.summary.messages += 1;
                self.summary.attempts += u64::from(fate == Fate::Attempted);
                self.unsent.passed(request.part);
            }
            Content::Response(_) => self.summary.messages += 1,
            Content::Unparsed(_) => self.summary.unparsed += 1,
            Content::Nothing => {}
        }
        Ok(false)
    }

    fn leaving(&mut self, content: Content) -> Result<(), ReplayError> {
        if let Content::Response(part) = content
            && self.unsent.concerns(part)
            && !self.stage.awaits(part)?
        {
            self.summary.unsent += 1;
            return Ok(());
        }
        self.stage.packet(Direction::Leaving, content, &self.frame, &mut self.records)?;
        self.summary.messages += u64::from(matches!(content, Content::Request(_) | Content::Response(_)));
        Ok(())
    }

    fn tell(&mut self, watcher: &mut dyn Watcher) -> Result<(), ReplayError> {
        for record in self.records.drain(..) {
            self.summary.note(&record);
            watcher.decided(&record)?;
        }
        Ok(())
    }

    fn finish(mut self, options: &Options, watcher: &mut dyn Watcher) -> Result<Summary, ReplayError> {
        self.summary.take_counters(&self.stage)?;
        let summary = self.summary;
        let file = options.file.display();
        if summary.cut > 0 {
            let cut = summary.cut;
            watcher.warn(&format!("{file}: {cut} packets are cut short by its snap length; capture with tcpdump -s 0"));
        }
        if self.backwards > 0 {
            let packets = self.backwards;
            watcher.warn(&format!(
                "{file}: {packets} packets are more than 1s older than one before them: it is not in order of time"
            ));
        }
        if summary.packets > 0 && summary.skipped == summary.packets {
            watcher.warn(&format!("{file}: no packet arrives at or leaves --local: are these addresses the host's?"));
        }
        Ok(summary)
    }
}
