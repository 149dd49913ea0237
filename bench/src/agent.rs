//! The agent: its memory, and the time it needs, while a million sources come and go.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use sip_fw_e2e::actors::churn;
use sip_fw_e2e::http::get;
use sip_fw_e2e::wait::{catch_interrupts, wait_for};
use sip_fw_e2e::{Agent, Bed, Policy, require_agent};

use crate::process::{self, Memory};
use crate::{Goal, Report};

const SOURCES: u32 = 1_000_000;
/// Goal: what stays in memory while they come and go, in KiB.
const STEADY_MAX_KIB: u64 = 64 * 1024;
/// By then every table is full: what is in memory from here on is steady.
const STEADY_FROM: u32 = SOURCES / 2;
/// Where the agent tells its figures.
const METRICS: &str = "127.0.0.1:9469";
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// The agent may lag behind its events so long.
const CATCH_UP: Duration = Duration::from_secs(30);

/// The figures.
#[derive(Clone, Debug, Serialize)]
struct Row {
    bench: &'static str,
    sources: u32,
    requests: u64,
    seconds: f64,
    /// Events that the agent handled, and those that found the ring buffer full.
    events: u64,
    events_lost: u64,
    bans: u64,
    shuns: u64,
    /// KiB in RAM before the first source, at most in the second half, the part of it that is no file's, and at most ever.
    idle_kib: u64,
    steady_kib: u64,
    steady_anonymous_kib: u64,
    peak_kib: u64,
    /// Time that the agent had a CPU.
    cpu_seconds: f64,
}

/// Measures.
pub fn run() -> Result<Report> {
    catch_interrupts()?;
    let bed = Bed::new()?;
    let agent = metered(&bed)?;
    let pid = agent.pid().context("the agent does not run")?;
    let idle = process::memory(pid)?;
    let mut steady = Watch::new(pid);
    let churned = churn(&bed, SOURCES, None, |source| {
        if source >= STEADY_FROM {
            steady.look();
        }
    })?;
    let mut figures = Vec::new();
    // Every answer makes an event.
    let count =
        |figures: &[String]| figure(figures, "sip_fw_ring_events_total") + figure(figures, "sip_fw_events_lost_total");
    wait_for("the agent to catch up", CATCH_UP, || {
        figures = scrape(&bed).unwrap_or_default();
        steady.look();
        count(&figures) >= churned.answered
    })
    .with_context(|| format!("{} of {} events: {}", count(&figures), churned.answered, agent.log()))?;
    let Memory { resident, anonymous, .. } = steady.most;
    let row = Row {
        bench: "agent",
        sources: SOURCES,
        requests: churned.answered,
        seconds: churned.took.as_secs_f64(),
        events: figure(&figures, "sip_fw_ring_events_total"),
        events_lost: figure(&figures, "sip_fw_events_lost_total"),
        bans: figures.iter().filter(|line| line.starts_with("sip_fw_bans{")).filter_map(|line| value(line)).sum(),
        shuns: figure(&figures, "sip_fw_shuns"),
        idle_kib: idle.resident,
        steady_kib: resident,
        steady_anonymous_kib: anonymous,
        peak_kib: process::memory(pid)?.peak,
        cpu_seconds: agent.processor_time()?.as_secs_f64(),
    };
    let goal = Goal {
        text: format!("steady memory {} MiB, less than {}", resident / 1024, STEADY_MAX_KIB / 1024),
        met: resident < STEADY_MAX_KIB,
    };
    Ok(Report { rows: vec![serde_json::to_value(&row)?], table: table(&row)?, goals: vec![goal] })
}

/// An agent on the bed's pbx whose figures can be scraped.
pub fn metered(bed: &Bed) -> Result<Agent> {
    let binary = require_agent().context("no agent")?;
    let policy = Policy { extra: format!("[metrics]\nlisten = \"{METRICS}\"\n"), ..Policy::default() };
    Agent::start(binary, bed, &policy)
}

/// The most that the agent has in memory.
struct Watch {
    pid: u32,
    last: Instant,
    most: Memory,
}

impl Watch {
    fn new(pid: u32) -> Self {
        Self { pid, last: Instant::now(), most: Memory::default() }
    }

    /// Looks if it is time. An agent that is gone answers no scrape either, so that is noticed.
    fn look(&mut self) {
        if self.last.elapsed() < SAMPLE_EVERY {
            return;
        }
        self.last = Instant::now();
        if let Ok(now) = process::memory(self.pid)
            && now.resident > self.most.resident
        {
            self.most = now;
        }
    }
}

/// The agent's figures.
pub fn scrape(bed: &Bed) -> Result<Vec<String>> {
    let (_, page) = get(&bed.pbx, METRICS.parse()?, "/metrics")?;
    Ok(page.lines().map(str::to_owned).collect())
}

/// One of them by name; 0 if it is not there.
pub fn figure(figures: &[String], name: &str) -> u64 {
    let is_it = |line: &&String| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
    figures.iter().find(is_it).and_then(|line| value(line)).unwrap_or(0)
}

fn value(line: &str) -> Option<u64> {
    line.rsplit_once(' ')?.1.parse().ok()
}

fn table(row: &Row) -> Result<String> {
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let lines = [
        ("sources", row.sources.to_string()),
        ("requests answered", format!("{} in {:.1} s", row.requests, row.seconds)),
        ("events handled", row.events.to_string()),
        ("events lost", row.events_lost.to_string()),
        ("banned, shunned", format!("{}, {}", row.bans, row.shuns)),
        ("memory before", mib(row.idle_kib)),
        ("memory, steady", format!("{}, of it no file's {}", mib(row.steady_kib), mib(row.steady_anonymous_kib))),
        ("memory, peak", mib(row.peak_kib)),
        ("CPU time", format!("{:.1} s", row.cpu_seconds)),
    ];
    let mut text = String::new();
    for (title, figure) in lines {
        writeln!(text, "{title:<18} {figure}")?;
    }
    Ok(text)
}
