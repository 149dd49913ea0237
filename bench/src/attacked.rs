//! The agent's share of a CPU while a botnet attacks at a rate that is held.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;
use sip_fw_e2e::actors::{Churned, churn};
use sip_fw_e2e::process::processor_time;
use sip_fw_e2e::wait::{catch_interrupts, wait_for};
use sip_fw_e2e::{Agent, Bed};

use crate::agent::{figure, metered, scrape};
use crate::schedule::{self, OUTSIDE, Turn};
use crate::{Goal, Report};

const SOURCES: u32 = 100_000;
/// Messages a second, and the part of them that counts as held.
const RATE: u32 = 10_000;
const HELD: f64 = 0.95;
/// The attack is looked at in pieces of this length.
const WINDOW: Duration = Duration::from_secs(2);
/// The agent may lag behind its events so long.
const CATCH_UP: Duration = Duration::from_secs(30);

/// The figures.
#[derive(Debug, Serialize)]
struct Row {
    bench: &'static str,
    case: String,
    /// Nanoseconds of the agent's CPU for a message: the median, the best and the worst window.
    own_ns: f64,
    min: f64,
    max: f64,
    /// In those of the reference: the program that sends all messages and refuses them, as the simplest PBX that there can be.
    ratio: f64,
    /// Share of one CPU, in the median window.
    cpu_share: f64,
    /// Messages that were sent, a second.
    messages_per_second: f64,
    /// Events that the agent handled, and those that found the ring buffer full.
    events: u64,
    lost: u64,
}

/// What happened in a window.
struct Window {
    seconds: f64,
    agent: Duration,
    reference: Duration,
}

/// Measures.
pub fn run() -> Result<Report> {
    catch_interrupts()?;
    let bed = Bed::new()?;
    let agent = metered(&bed)?;
    let mut watch = Watch::begin(&agent)?;
    let churned = thread::scope(|scope| {
        let attack = scope.spawn(|| attack(&bed, &agent, &mut watch));
        attack.join().map_err(|_| anyhow::anyhow!("the attack panicked"))?
    })?;
    let mut figures = Vec::new();
    let told =
        |figures: &[String]| (figure(figures, "sip_fw_ring_events_total"), figure(figures, "sip_fw_events_lost_total"));
    wait_for("the agent to catch up", CATCH_UP, || {
        figures = scrape(&bed).unwrap_or_default();
        let (events, lost) = told(&figures);
        // Every answer makes an event.
        events + lost >= churned.answered
    })
    .with_context(|| agent.log())?;
    let (events, lost) = told(&figures);
    let rate = churned.sent as f64 / churned.took.as_secs_f64();
    let row = row(&watch.windows, rate, events, lost)?;
    let goal = Goal {
        text: format!("scale: {}: {rate:.0} messages/s held, at least {HELD} of {RATE}", row.case),
        met: rate >= HELD * f64::from(RATE),
    };
    Ok(Report { rows: vec![serde_json::to_value(&row)?], table: table(&row), goals: vec![goal] })
}

/// The attack, on a CPU that it always gets: or the rate is not held on a machine with other work.
fn attack(bed: &Bed, agent: &Agent, watch: &mut Watch) -> Result<Churned> {
    schedule::take(OUTSIDE, Turn::First)?;
    let mut broken = None;
    let churned = churn(bed, SOURCES, Some(RATE), |_| broken = broken.take().or(watch.look(agent).err()))?;
    broken.map_or(Ok(churned), Err)
}

/// Notes what the agent and this process need, window by window.
struct Watch {
    began: Instant,
    agent: Duration,
    reference: Duration,
    windows: Vec<Window>,
}

impl Watch {
    fn begin(agent: &Agent) -> Result<Self> {
        let (agent, reference) = (agent.processor_time()?, processor_time(std::process::id())?);
        Ok(Self { began: Instant::now(), agent, reference, windows: Vec::new() })
    }

    fn look(&mut self, agent: &Agent) -> Result<()> {
        let took = self.began.elapsed();
        if took < WINDOW {
            return Ok(());
        }
        let now = Self { windows: std::mem::take(&mut self.windows), ..Self::begin(agent)? };
        let window = Window {
            seconds: took.as_secs_f64(),
            agent: now.agent.saturating_sub(self.agent),
            reference: now.reference.saturating_sub(self.reference),
        };
        *self = now;
        self.windows.push(window);
        Ok(())
    }
}

fn row(windows: &[Window], rate: f64, events: u64, lost: u64) -> Result<Row> {
    let mut shares: Vec<f64> = windows.iter().map(|window| window.agent.as_secs_f64() / window.seconds).collect();
    shares.sort_by(f64::total_cmp);
    let (Some(min), Some(max)) = (shares.first(), shares.last()) else { anyhow::bail!("the attack was too short") };
    let cpu_share = shares[shares.len() / 2];
    let reference: f64 = windows.iter().map(|window| window.reference.as_secs_f64()).sum();
    let agent: f64 = windows.iter().map(|window| window.agent.as_secs_f64()).sum();
    let ns = |share: f64| share * 1e9 / rate;
    Ok(Row {
        bench: "scale",
        case: format!("agent sources={SOURCES} messages/s={RATE}"),
        own_ns: ns(cpu_share),
        min: ns(*min),
        max: ns(*max),
        ratio: agent / reference,
        cpu_share,
        messages_per_second: rate,
        events,
        lost,
    })
}

fn table(row: &Row) -> String {
    let Row { bench, case, own_ns, min, max, ratio, cpu_share, messages_per_second, events, lost } = row;
    format!(
        "{bench:<10} {case}: {:.1} % of a CPU at {messages_per_second:.0} messages/s: {own_ns:.0} ns each ({min:.0} to {max:.0}), \
         {ratio:.2} of the simplest PBX's; {events} events handled, {lost} lost\n",
        cpu_share * 100.0
    )
}
