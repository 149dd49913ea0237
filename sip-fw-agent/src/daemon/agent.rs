//! The running agent: what it holds, and what it does with each input.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip_fw_common::abi::Event;
use sip_fw_common::reason::Reason;
use sip_fw_core::controller::{Controller, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::Timestamp;
use tokio::sync::broadcast;

use super::lock::Lock;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::control::answer::{AgentInfo, Desk};
use crate::control::execute::execute;
use crate::control::protocol::{HISTORY_RECORDS_MAX, Reply, Request};
use crate::control::server::Response;
use crate::host::own_addresses;
use crate::kernel::{Kernel, KernelError, Tables};
use crate::report::Reporter;

use super::reload::restart_needed;
use super::start::write_rules;

/// Everything the agent's loop changes.
pub struct Agent {
    pub kernel: Kernel,
    pub controller: Controller,
    pub reporter: Reporter,
    pub history: VecDeque<Arc<Record>>,
    pub live: broadcast::Sender<Arc<Record>>,
    pub config: Config,
    pub file: PathBuf,
    pub started: Instant,
    pub lost: Lost,
    /// What failed in the last tick; said once, not every second.
    pub trouble: Option<String>,
    /// Released last.
    pub lock: Lock,
}

/// What the programs could not deliver or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    events: u64,
    bans: u64,
}

impl Lost {
    pub fn read(tables: &Tables) -> Result<Self, KernelError> {
        let counters = tables.counters()?;
        let sum = |reason: Reason| {
            counters.get(usize::from(reason as u8)).map_or(0, |cpus| cpus.iter().map(|cpu| cpu.packets).sum())
        };
        Ok(Self { events: sum(Reason::EventLost), bans: sum(Reason::BanLost) })
    }
}

impl Agent {
    /// Lets the controller decide, obeys, and tells people, also of what failed.
    pub fn handle(&mut self, input: Input) {
        if let Err(error) = self.obey(input) {
            self.complain(Some(error.to_string()));
        }
    }

    fn obey(&mut self, input: Input) -> Result<(), KernelError> {
        let now = clock::now();
        let commands = self.controller.handle(input, now);
        let (records, errors) = execute(commands, &mut self.kernel.tables, now.kernel_ns);
        records.into_iter().for_each(|record| self.tell(record));
        errors.into_iter().next().map_or(Ok(()), Err)
    }

    pub fn events(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match crate::control::execute::input(event, &self.kernel.tables) {
                Ok(input) => self.handle(input),
                Err(error) => self.complain(Some(error.to_string())),
            }
        }
    }

    /// What must be looked at every second; returns how long it took.
    pub fn tick(&mut self) -> Duration {
        let began = Instant::now();
        let trouble = self.try_tick().err().map(|error| error.to_string());
        self.complain(trouble);
        began.elapsed()
    }

    pub fn answer(&mut self, request: &Request) -> Response {
        let now = clock::now();
        if let Request::Events { since_seconds, follow } = request {
            let all = if *follow { i64::MAX } else { i64::MIN };
            let oldest = since_seconds.map_or(all, |seconds| before(now.wall, seconds));
            return Response::Records {
                history: self.history.iter().filter(|record| record.time.unix_ms >= oldest).cloned().collect(),
                live: follow.then(|| self.live.subscribe()),
            };
        }
        let agent = AgentInfo { pid: std::process::id(), uptime_seconds: self.started.elapsed().as_secs() };
        let mut desk = Desk {
            tables: &mut self.kernel.tables,
            controller: &mut self.controller,
            agent: Some(agent),
            guard: Guard::new(own_addresses()),
        };
        let reply = desk.answer(request, now).map(|(value, records)| {
            records.into_iter().for_each(|record| self.tell(record));
            value
        });
        Response::Reply(Reply::from(reply))
    }

    /// Takes the new configuration, or none of it.
    pub fn reload(&mut self) {
        match self.try_reload() {
            Ok(()) => self.handle(Input::RulesApplied),
            Err(reason) => self.handle(Input::RulesRefused { reason: format!("not reloaded: {reason}") }),
        }
    }

    fn try_reload(&mut self) -> Result<(), String> {
        let config = crate::config::load(&self.file).map_err(|error: ConfigError| error.to_string())?;
        if let Some(keys) = restart_needed(&self.config, &config) {
            return Err(format!("a change of {keys} needs a restart of the agent; nothing was changed"));
        }
        let rules = write_rules(&mut self.kernel, &config).map_err(|error| error.to_string())?;
        self.controller.set_rules(rules);
        self.config = config;
        Ok(())
    }

    fn try_tick(&mut self) -> Result<(), KernelError> {
        let bans = self.kernel.tables.bans()?;
        let prefix_bans = self.kernel.tables.prefix_bans()?;
        let obeyed = self.obey(Input::Tick { bans, prefix_bans });
        let lost = Lost::read(&self.kernel.tables)?;
        let events = lost.events.saturating_sub(self.lost.events);
        let bans = lost.bans.saturating_sub(self.lost.bans);
        self.lost = lost;
        if events > 0 {
            self.handle(Input::EventsLost(events));
        }
        if bans > 0 {
            self.handle(Input::BansLost(bans));
        }
        obeyed
    }

    /// Tells people what is wrong, unless it is what they were told last.
    fn complain(&mut self, trouble: Option<String>) {
        if let Some(trouble) = trouble.as_ref().filter(|trouble| self.trouble.as_ref() != Some(trouble)) {
            self.tell(Record::new(clock::wall(), EventName::Degraded).because(trouble.as_str()));
        }
        self.trouble = trouble;
    }

    fn tell(&mut self, record: Record) {
        self.reporter.record(&record);
        let record = Arc::new(record);
        if self.history.len() >= HISTORY_RECORDS_MAX {
            self.history.pop_front();
        }
        self.history.push_back(Arc::clone(&record));
        // Fails only when nobody follows.
        let _ = self.live.send(record);
    }
}

fn before(now: Timestamp, seconds: u64) -> i64 {
    now.unix_ms.saturating_sub(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}
