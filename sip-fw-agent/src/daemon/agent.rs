//! The running agent: what it holds, and what it does with each input.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sip_fw_common::abi::Event;
use sip_fw_common::reason::Reason;
use sip_fw_core::controller::{Controller, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::{EventName, Record};

use super::interfaces::Look;
use super::publisher::Publisher;
use super::reload::restart_needed;
use super::start::write_rules;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::control::answer::{AgentInfo, Desk};
use crate::control::execute::execute;
use crate::control::protocol::{Reply, Request};
use crate::control::server::Response;
use crate::control::services;
use crate::control::view::ServiceView;
use crate::host::own_addresses;
use crate::kernel::{Kernel, KernelError, Tables};

/// Everything the agent's loop changes.
pub struct Agent {
    pub kernel: Kernel,
    pub controller: Controller,
    pub publisher: Publisher,
    pub config: Config,
    /// Those of the configuration, for people.
    pub services: Vec<ServiceView>,
    pub file: PathBuf,
    pub started: Instant,
    pub lost: Lost,
    /// Interfaces of the configuration that went away.
    pub away: BTreeSet<String>,
    /// What failed in the last tick; said once, not every second.
    pub trouble: Option<String>,
}

/// What a look at the tables came to.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// How long it took.
    pub took: Duration,
    /// Somebody took the programs off every interface.
    pub taken_off: bool,
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
        records.into_iter().for_each(|record| self.publisher.tell(record));
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

    /// Looks at what must be looked at every second.
    pub fn tick(&mut self) -> Tick {
        let began = Instant::now();
        let Look { trouble, taken_off } = self
            .try_tick()
            .and_then(|()| self.look_at_interfaces())
            .unwrap_or_else(|error| Look { trouble: Some(error.to_string()), taken_off: false });
        self.complain(trouble.filter(|_| !taken_off));
        Tick { took: began.elapsed(), taken_off }
    }

    pub fn answer(&mut self, request: &Request) -> Response {
        let now = clock::now();
        if let Request::Events { since_seconds, follow } = request {
            return self.publisher.records(*since_seconds, *follow, now.wall);
        }
        let agent = AgentInfo {
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            services: self.services.clone(),
        };
        let mut desk = Desk {
            tables: &mut self.kernel.tables,
            controller: &mut self.controller,
            agent: Some(agent),
            guard: Guard::new(own_addresses()),
            records: Vec::new(),
        };
        let reply = desk.answer(request, now);
        desk.records.into_iter().for_each(|record| self.publisher.tell(record));
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
        let config = crate::config::load(&self.file).map_err(one_line)?;
        if let Some(keys) = restart_needed(&self.config, &config) {
            return Err(format!("a change of {keys} needs a restart of the agent; nothing was changed"));
        }
        let rules = write_rules(&mut self.kernel, &config).map_err(|error| error.to_string())?;
        self.controller.set_rules(rules);
        self.services = services::views(&config.ports(), &config.service_names());
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
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(trouble.as_str()));
        }
        self.trouble = trouble;
    }
}

/// The faults of a configuration as one record tells them.
fn one_line(error: ConfigError) -> String {
    error.to_string().replace('\n', "; ")
}
