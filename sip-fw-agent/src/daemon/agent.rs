//! The running agent: what it holds, and what it does with each input.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use sip_fw_common::abi::{Counter, Event};
use sip_fw_common::reason::Reason;
use sip_fw_core::controller::{Controller, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::rules::Action;
use sip_fw_core::time::Timestamp;
use tokio::sync::mpsc;

use super::apply::{InForce, Orders, Outcome};
use super::changes::Recompiling;
use super::interfaces::Held;
use super::matches::Matches;
use super::members::Members;
use super::publisher::Publisher;
use super::remembered::Remembered;
use super::state::State;
use super::trial::Waiting;
use crate::clock;
use crate::config::{Config, Origin};
use crate::control::access::Access;
use crate::control::answer::{AgentInfo, Desk};
use crate::control::execute::{execute, known_peer_in};
use crate::control::protocol::{Failure, Reply, Request};
use crate::control::server::Response;
use crate::control::view::ServiceView;
use crate::exit_code::ExitCode;
use crate::host::own_addresses;
use crate::kernel::{self, Kernel, KernelError};
use crate::lists::Lists;
use crate::metrics::{Census, Metrics};
use crate::store::Store;

/// Everything the agent's loop changes.
pub struct Agent {
    pub kernel: Kernel,
    pub controller: Controller,
    pub publisher: Publisher,
    pub config: Arc<Config>,
    /// Grows with each configuration that comes into force.
    pub configuration: u64,
    /// Those of the configuration, for people.
    pub services: Vec<ServiceView>,
    pub file: PathBuf,
    pub started: Instant,
    /// The same on the wall clock.
    pub started_at: Timestamp,
    pub lost: Lost,
    /// Which interfaces have the programs.
    pub interfaces: Held,
    /// What failed in the last tick; said once, not every second.
    pub trouble: Option<String>,
    /// The rule set, as the kernel goes by it.
    pub in_force: InForce,
    /// Number of the last rule set that was compiled.
    pub generation: u32,
    /// A configuration that waits for its confirmation.
    pub waiting: Option<Waiting>,
    /// Addresses that the configuration does not spell out.
    pub lists: Lists,
    /// What the lines of the access list matched.
    pub matches: Matches,
    /// What was confirmed, and what was not.
    pub state: State,
    /// Which orders came, and which are done.
    pub orders: Orders,
    /// A look at the addresses of the configuration in force that is under way.
    pub recompiling: Option<Recompiling>,
    /// What is kept on disk.
    pub store: Rc<Store>,
    /// What of the tables is there.
    pub remembered: Remembered,
    /// Looks at the tables until known peers and strikes are kept again.
    pub ticks_to_peers: u32,
    /// Where prepared configurations go.
    pub outcomes: mpsc::Sender<Outcome>,
    /// Whom the control socket is for.
    pub members: Members,
    /// Figures for monitoring.
    pub metrics: Metrics,
    /// Events read from the ring buffer.
    pub ring_events: u64,
}

/// What a look at the tables or at the interfaces came to.
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
    /// Of counters by reason number and CPU.
    pub fn of(counters: &[Vec<Counter>]) -> Self {
        let sum = |reason: Reason| {
            counters.get(usize::from(reason as u8)).map_or(0, |cpus| cpus.iter().map(|cpu| cpu.packets).sum())
        };
        Self { events: sum(Reason::EventLost), bans: sum(Reason::BanLost) }
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
        self.ring_events = self.ring_events.saturating_add(events.len() as u64);
        for event in events.drain(..) {
            match crate::control::execute::input(event, &self.kernel.tables) {
                Ok(input) => {
                    self.handle(input);
                    self.look_at_neighbours(event);
                    self.keep_ban(event);
                }
                Err(error) => self.complain(Some(error.to_string())),
            }
        }
    }

    /// Whether so many sources beside a banned one are banned that their prefix should be.
    fn look_at_neighbours(&mut self, event: Event) {
        let Some(prefix) = self.controller.crowded(event.source) else { return };
        match known_peer_in(prefix, &self.kernel.tables, self.controller.ipv6()) {
            Ok(peer) => {
                let spared = peer.or_else(|| self.trusted_in(prefix));
                self.handle(Input::Crowd { prefix, spared });
            }
            Err(error) => self.complain(Some(error.to_string())),
        }
    }

    /// The access rule that trusts anybody in a prefix.
    fn trusted_in(&self, prefix: IpNet) -> Option<String> {
        let lists = self.lists.snapshot();
        let overlaps = |net: &IpNet| net.contains(&prefix) || prefix.contains(net);
        let trusts = |origin: &Origin| match origin {
            Origin::Net(net) => overlaps(net),
            Origin::Own => own_addresses().iter().any(|own| prefix.contains(own)),
            other => lists.nets(other).iter().any(overlaps),
        };
        let mut trusting = self.config.access_in_force().filter(|(_, action)| *action == Action::Trust);
        let (line, _) = trusting.find(|(line, _)| line.from.iter().any(trusts))?;
        Some(format!("access rule \"{}\" trusts addresses in it", line.name))
    }

    /// Looks at what must be looked at every second.
    pub fn tick(&mut self) -> Tick {
        let began = Instant::now();
        let trouble = self.try_tick().err();
        self.complain(trouble.map(|error| error.to_string()));
        self.serve_metrics();
        self.follow_members();
        self.publisher.look_at_alerts();
        let taken_off = self.look_at_interfaces();
        Tick { took: began.elapsed(), taken_off }
    }

    /// Looks at once at what a change of interfaces or of addresses of this host concerns.
    pub fn look(&mut self) -> Tick {
        let began = Instant::now();
        self.follow_own_addresses();
        let taken_off = self.look_at_interfaces();
        Tick { took: began.elapsed(), taken_off }
    }

    pub fn answer(&mut self, request: &Request) -> Response {
        let now = clock::now();
        if matches!(request, Request::Confirm) {
            let view = self.confirm().and_then(|view| {
                serde_json::to_value(view).map_err(|error| Failure::new(ExitCode::Failed, error.to_string()))
            });
            return Response::Reply(Reply::from(view));
        }
        if matches!(request, Request::Rules)
            && let Err(error) = self.count_matches()
        {
            return Response::Reply(Reply::from(Err(error.into())));
        }
        if let Request::Events { since_seconds, follow } = request {
            return self.publisher.records(*since_seconds, *follow, now.wall);
        }
        let agent = AgentInfo {
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            services: self.services.clone(),
            store: matches!(request, Request::Status).then(|| self.store.view()),
            alerts: self.publisher.alerts.views(),
        };
        let guard = match request {
            Request::Ban { .. } | Request::Import { .. } => {
                let names = Arc::clone(&self.controller.rules().access);
                Guard::new(own_addresses()).with_access(Arc::clone(&self.in_force.compiled.set), names)
            }
            _ => Guard::default(),
        };
        let access = Access {
            set: &self.in_force.compiled.set,
            config: &self.config,
            lists: self.lists.snapshot(),
            matches: &|number| self.matches.of(number),
            confirm_until: self.waiting.as_ref().map(|waiting| now.wall_of(waiting.until_ns)),
        };
        let mut desk = Desk {
            access: Some(access),
            tables: &mut self.kernel.tables,
            controller: &mut self.controller,
            agent: Some(agent),
            guard,
            records: Vec::new(),
        };
        let reply = desk.answer(request, now);
        desk.records.into_iter().for_each(|record| self.publisher.tell(record));
        Response::Reply(Reply::from(reply))
    }

    fn try_tick(&mut self) -> Result<(), KernelError> {
        let began = Instant::now();
        let bans = self.kernel.tables.bans()?;
        let prefix_bans = self.kernel.tables.prefix_bans()?;
        let shuns = self.kernel.tables.shuns()?;
        let census = Census::of(&bans, &prefix_bans, &shuns, kernel::now_ns());
        self.keep_bans(&bans, &prefix_bans);
        let obeyed = self.obey(Input::Tick { bans, prefix_bans, shuns });
        self.keep_peers_now_and_then()?;
        self.tell_of_store();
        self.count_matches()?;
        self.end_trial()?;
        self.follow_own_addresses();
        let counters = self.kernel.tables.counters()?;
        self.show_figures(census, &counters, began.elapsed())?;
        let lost = Lost::of(&counters);
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

    fn count_matches(&mut self) -> Result<(), KernelError> {
        let counted = self.in_force.compiled.loaded.matched()?;
        self.matches.look(&counted, clock::wall());
        Ok(())
    }

    /// Tells people what is wrong, unless it is what they were told last.
    pub fn complain(&mut self, trouble: Option<String>) {
        if let Some(trouble) = trouble.as_ref().filter(|trouble| self.trouble.as_ref() != Some(trouble)) {
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(trouble.as_str()));
        }
        self.trouble = trouble;
    }
}
