//! The programs, the controller and the capture's clock.

use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use sip_fw_common::abi::{Live, Source};
use sip_fw_common::reason::Reason;
use sip_fw_core::controller::{Controller, Input, Rules};
use sip_fw_core::record::Record;
use sip_fw_core::rules::RuleSet;
use sip_fw_core::time::{Time, Timestamp};

use super::message::{Content, Direction, Part};
use crate::config::Config;
use crate::control::execute::{execute, input, known_peer_in};
use crate::host;
use crate::kernel::{Action, DryRun, KernelError, Loaded, TableSizes, Tables, possible_cpus};

/// The secret of the hashes. Any will do; always the same one, so that the same capture gives the same output.
pub const HASH_SEED: u64 = 0x7369_702d_6677_2031;
/// Entries of each table that forgets the least recently used: enough that a capture of a busy day evicts nothing that
/// matters, in 150 MB.
const ENTRIES_MIN: u32 = 1 << 18;
const STRIKES_MIN: u32 = 1 << 16;
/// As often as the agent looks at its tables.
const TICK_NS: u64 = 1_000_000_000;
/// Bans that are looked at in one tick at that pace; of twice as many only every other second.
const BANS_PER_TICK: u64 = 64;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It went on.
    Passed,
    /// Ingress dropped it.
    Dropped,
    /// It went on, and the program found a new attempt in it.
    Attempted,
}

/// Runs packets.
pub struct Stage {
    run: DryRun,
    controller: Controller,
    now_ns: u64,
    next_tick_ns: u64,
}

/// A point of the capture's clock. The programs' clock is the wall clock of the capture.
#[must_use]
pub fn at(ns: u64) -> Time {
    Time { kernel_ns: ns, wall: Timestamp { unix_ms: i64::try_from(ns / 1_000_000).unwrap_or(i64::MAX) } }
}

impl Stage {
    /// Loads the programs with the rules of a configuration.
    ///
    /// # Errors
    ///
    /// What the kernel refused.
    pub fn new(config: &Config, observe: bool) -> Result<Self, KernelError> {
        host::lift_memory_lock_limit();
        stay_on_this_cpu();
        let limits = config.limits;
        let mut run = DryRun::load(&TableSizes {
            sources: limits.sources.max(ENTRIES_MIN),
            strikes: limits.strikes.max(STRIKES_MIN),
            transactions: limits.transactions.max(ENTRIES_MIN),
            nonces: limits.nonces.max(ENTRIES_MIN),
            ..limits
        })?;
        let mut plan = config.plan(Vec::new(), possible_cpus(), |_| Vec::new());
        plan.settings.observe = u32::from(observe);
        let set = RuleSet::compile(&plan)
            .map_err(|error| KernelError::Access { what: "access rules".to_owned(), reason: error.to_string() })?;
        run.tables.write_live(&Live { fixed_now_ns: 1, hash_seed: HASH_SEED, ..Live::default() })?;
        let loaded = Loaded::load(&set)?;
        run.tables.put_in_force(&loaded)?;
        run.tables.set_signatures(&config.signatures)?;
        let access = config.access_in_force().map(|(line, _)| line.name.clone()).collect();
        let rules = Rules { settings: plan.settings, services: config.service_names(), access, bans_max: limits.bans };
        Ok(Self { run, controller: Controller::new(rules), now_ns: 1, next_tick_ns: 0 })
    }

    /// The capture's clock.
    #[must_use]
    pub const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// What is enforced and remembered.
    #[must_use]
    pub const fn tables(&self) -> &Tables {
        &self.run.tables
    }

    /// Moves the clock. It never goes back, and 0 means the kernel's own.
    ///
    /// # Errors
    ///
    /// When a table cannot be read or written.
    pub fn advance(&mut self, to_ns: u64, records: &mut Vec<Record>) -> Result<(), KernelError> {
        let to_ns = to_ns.max(self.now_ns);
        if self.next_tick_ns == 0 {
            self.next_tick_ns = to_ns.saturating_add(TICK_NS);
        }
        while self.next_tick_ns <= to_ns {
            self.tick_up_to(to_ns, records)?;
        }
        self.set_clock(to_ns)
    }

    /// The last look at the tables.
    ///
    /// # Errors
    ///
    /// When a table cannot be read or written.
    pub fn finish(&mut self, records: &mut Vec<Record>) -> Result<(), KernelError> {
        let (bans, prefix_bans) = (self.run.tables.bans()?, self.run.tables.prefix_bans()?);
        let shuns = self.run.tables.shuns()?;
        self.handle(Input::Tick { bans: sorted(bans), prefix_bans, shuns: sorted(shuns) }, records)?;
        for (reason, input) in
            [(Reason::EventLost, Input::EventsLost as fn(u64) -> Input), (Reason::BanLost, Input::BansLost)]
        {
            let lost = self.counted(reason)?;
            if lost > 0 {
                self.handle(input(lost), records)?;
            }
        }
        Ok(())
    }

    /// Runs a packet.
    ///
    /// # Errors
    ///
    /// When the kernel does not run it.
    pub fn packet(
        &mut self,
        direction: Direction,
        content: Content,
        frame: &[u8],
        records: &mut Vec<Record>,
    ) -> Result<Fate, KernelError> {
        let fate = match direction {
            Direction::Arriving => self.ingress(content, frame)?,
            Direction::Leaving => {
                self.run.egress(frame)?;
                Fate::Passed
            }
        };
        for event in self.run.take_events() {
            let input = input(event, &self.run.tables)?;
            self.handle(input, records)?;
            if let Some(prefix) = self.controller.crowded(event.source) {
                let spared = known_peer_in(prefix, &self.run.tables, self.controller.ipv6())?;
                self.handle(Input::Crowd { prefix, spared }, records)?;
            }
        }
        Ok(fate)
    }

    /// Whether a request of this branch passed and has no final answer yet.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn awaits(&self, part: Part) -> Result<bool, KernelError> {
        let asked = self.run.transaction(&part.key)?;
        Ok(asked.is_some_and(|asked| asked.answered < asked.asked))
    }

    /// Packets counted under a reason.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    pub fn counted(&self, reason: Reason) -> Result<u64, KernelError> {
        let counters = self.run.tables.counters()?;
        Ok(counters.get(reason as usize).map_or(0, |cpus| cpus.iter().map(|cpu| cpu.packets).sum()))
    }

    fn ingress(&self, content: Content, frame: &[u8]) -> Result<Fate, KernelError> {
        let asked = match content {
            Content::Request(request) if request.is_attempt => Some(request.part.key.source),
            _ => None,
        };
        let before = self.attempts(asked)?;
        if self.run.ingress(frame)? == Action::Drop {
            return Ok(Fate::Dropped);
        }
        Ok(if self.attempts(asked)? > before { Fate::Attempted } else { Fate::Passed })
    }

    fn attempts(&self, source: Option<Source>) -> Result<u64, KernelError> {
        let Some(source) = source else { return Ok(0) };
        Ok(self.run.tables.source(source)?.map_or(0, |did| did.attempts))
    }

    /// One tick, and the time of the next. While no packet comes only deadlines matter, so a long silence is crossed
    /// from one to the next.
    fn tick_up_to(&mut self, to_ns: u64, records: &mut Vec<Record>) -> Result<(), KernelError> {
        let tick_ns = self.next_tick_ns;
        self.set_clock(tick_ns)?;
        let (bans, prefix_bans) = (self.run.tables.bans()?, self.run.tables.prefix_bans()?);
        let shuns = self.run.tables.shuns()?;
        let deadlines = bans.iter().map(|(_, ban)| ban.until_ns).chain(prefix_bans.iter().map(|(_, ban)| ban.until_ns));
        let deadlines = deadlines.chain(shuns.iter().map(|(_, shun)| shun.until_ns));
        let nearest_ns = deadlines.filter(|until| *until > tick_ns).min().unwrap_or(u64::MAX);
        let pace_ns = TICK_NS.saturating_mul(1 + (bans.len() + prefix_bans.len()) as u64 / BANS_PER_TICK);
        self.handle(Input::Tick { bans: sorted(bans), prefix_bans, shuns: sorted(shuns) }, records)?;
        let silent = nearest_ns.min(to_ns).saturating_sub(tick_ns);
        self.next_tick_ns = tick_ns.saturating_add(pace_ns.saturating_mul((silent / pace_ns).max(1)));
        Ok(())
    }

    fn set_clock(&mut self, to_ns: u64) -> Result<(), KernelError> {
        if to_ns == self.now_ns {
            return Ok(());
        }
        self.now_ns = to_ns;
        // Read first: what the controller asked for may have changed them.
        let live = Live { fixed_now_ns: to_ns, ..self.run.tables.live()? };
        self.run.tables.write_live(&live)
    }

    fn handle(&mut self, input: Input, records: &mut Vec<Record>) -> Result<(), KernelError> {
        let commands = self.controller.handle(input, at(self.now_ns));
        let (told, errors) = execute(commands, &mut self.run.tables, self.now_ns);
        records.extend(told);
        errors.into_iter().next().map_or(Ok(()), Err)
    }
}

/// The kernel lists its tables in an order that changes from run to run.
fn sorted<T>(mut bans: Vec<(Source, T)>) -> Vec<(Source, T)> {
    bans.sort_unstable_by_key(|(source, _)| *source);
    bans
}

/// Counters and the lists of the tables are per CPU: on one alone, what is forgotten first is always the same. Where
/// it is refused nothing else differs.
fn stay_on_this_cpu() {
    let mut here = CpuSet::new();
    if let Ok(cpu) = sched_getcpu()
        && here.set(cpu).is_ok()
    {
        let _ = sched_setaffinity(Pid::from_raw(0), &here);
    }
}
