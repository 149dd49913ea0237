//! Answers requests from the tables; used by the agent, and by the CLI itself where no agent runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;
use sip_fw_common::abi::{Ban, Method, Peer, PeerKey, Shun, Source, Strikes};
use sip_fw_common::reason::Reason;
use sip_fw_core::SCHEMA;
use sip_fw_core::controller::{BanLength, Controller, Input, Rules};
use sip_fw_core::guard::Guard;
use sip_fw_core::record::Record;
use sip_fw_core::rules;
use sip_fw_core::source::{Target, TargetError, show_net};
use sip_fw_core::text::shown;
use sip_fw_core::time::Time;

use super::access::Access;
use super::execute::execute;
use super::explain::explain;
use super::protocol::{Failure, Length, Request};
use super::services;
use super::view::{
    AgentView, AlertView, AttachmentView, BanView, BannedView, BansView, CounterView, PeerView, PeersView, RulesView,
    ServiceView, ShunView, SourceView, SourcesView, StatusView, UnbannedView,
};
use super::why::{Why, keep_worst};
use crate::exit_code::ExitCode;
use crate::kernel::{KernelError, Tables};
use crate::store::StoreView;

/// The agent that answers.
#[derive(Clone, Debug)]
pub struct AgentInfo {
    /// Its process.
    pub pid: u32,
    /// How long it has been running.
    pub uptime_seconds: u64,
    /// Its services.
    pub services: Vec<ServiceView>,
    /// Its store; only `status` asks for it.
    pub store: Option<StoreView>,
    /// Who is told what happens.
    pub alerts: Vec<AlertView>,
}

/// What answers are made of.
pub struct Desk<'a> {
    /// The maps.
    pub tables: &'a mut Tables,
    /// The agent's controller, or one made for this request.
    pub controller: &'a mut Controller,
    /// None where the CLI answers itself.
    pub agent: Option<AgentInfo>,
    /// The access list; None where the CLI answers itself.
    pub access: Option<Access<'a>>,
    /// What must never be banned.
    pub guard: Guard,
    /// What to tell people beside the answer, whether it is a good one or not.
    pub records: Vec<Record>,
}

/// An answer.
pub type Answer = Result<Value, Failure>;

/// A controller that knows what the pinned maps say.
///
/// # Errors
///
/// When they cannot be read.
pub fn controller_of(tables: &Tables, services: Vec<String>) -> Result<Controller, KernelError> {
    let rules = Rules { settings: tables.settings()?, services, access: Arc::from([]), bans_max: u32::MAX };
    let mut controller = Controller::new(rules);
    controller.know_prefixes(&tables.prefix_bans()?);
    Ok(controller)
}

impl Desk<'_> {
    /// Answers one request. `events` and `detach` are not answered here.
    ///
    /// # Errors
    ///
    /// When it cannot be done, or must not.
    pub fn answer(&mut self, request: &Request, now: Time) -> Answer {
        match request {
            Request::Status => value(&self.status()?),
            Request::Bans { ended } => value(&self.bans(*ended, now)?),
            Request::Sources { worst } => value(&self.sources(*worst, now)?),
            Request::Explain { address, service } => self.explain(address, service.as_deref(), now),
            Request::Ban { target, length, reason } => self.ban(target, *length, reason.clone(), now),
            Request::Import { bans, from, reason, dry_run } => {
                value(&self.import(bans, from, reason.as_deref(), *dry_run, now)?)
            }
            Request::Unban { target } => self.unban(target, now),
            Request::UnbanAll => self.unban_all(now),
            Request::Rules => self.access.as_ref().map_or_else(
                || Err(Failure::new(ExitCode::NoAgent, "no agent runs, and only it knows the access list")),
                |access| value(&access.view()),
            ),
            Request::Peers => value(&self.peers(now)?),
            Request::Apply { .. } | Request::Confirm => {
                Err(Failure::new(ExitCode::NoAgent, "no agent runs; it puts the configuration in force when it starts"))
            }
            Request::Events { .. } | Request::Detach => {
                Err(Failure::new(ExitCode::Failed, "this request is not answered from the tables"))
            }
        }
    }

    fn status(&self) -> Result<StatusView, KernelError> {
        let counters = self.tables.counters()?;
        let settings = self.tables.settings()?;
        let now_ns = crate::kernel::now_ns();
        let mut totals = BTreeMap::new();
        let mut per_cpu = BTreeMap::new();
        for reason in Reason::ALL {
            let cpus = counters.get(usize::from(*reason as u8)).map_or(&[][..], Vec::as_slice);
            let cpus: Vec<_> = cpus.iter().map(|c| CounterView { packets: c.packets, bytes: c.bytes }).collect();
            let total = cpus.iter().fold(CounterView::default(), |sum, cpu| CounterView {
                packets: sum.packets.saturating_add(cpu.packets),
                bytes: sum.bytes.saturating_add(cpu.bytes),
            });
            totals.insert(reason.name().to_owned(), total);
            per_cpu.insert(reason.name().to_owned(), cpus);
        }
        let (bans, prefix_bans) = (self.tables.bans()?, self.tables.prefix_bans()?);
        let bans = bans.iter().map(|(_, ban)| ban).chain(prefix_bans.iter().map(|(_, ban)| ban));
        let mut bans_by_level = BTreeMap::new();
        for ban in bans.filter(|ban| ban.until_ns > now_ns) {
            *bans_by_level.entry(ban.level).or_default() += 1;
        }
        let attachments = self.tables.attachments()?.into_iter().map(|attachment| AttachmentView {
            interface: attachment.interface,
            ingress: attachment.ingress.to_owned(),
            egress: attachment.egress.to_owned(),
        });
        let services = self.services()?;
        Ok(StatusView {
            schema: SCHEMA,
            agent: AgentView {
                running: self.agent.is_some(),
                pid: self.agent.as_ref().map(|agent| agent.pid),
                uptime_seconds: self.agent.as_ref().map(|agent| agent.uptime_seconds),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                events_lost: totals.get(Reason::EventLost.name()).map_or(0, |counter| counter.packets),
                mode: if settings.observe == 0 { "enforce" } else { "observe" }.to_owned(),
            },
            attachments: attachments.collect(),
            services,
            store: self.agent.as_ref().and_then(|agent| agent.store.clone()),
            rules: RulesView::new(&settings),
            bans_active: bans_by_level.values().sum(),
            bans_by_level,
            sources: self.tables.sources()?.len(),
            alerts: self.agent.as_ref().map_or_else(Vec::new, |agent| agent.alerts.clone()),
            counters: totals,
            per_cpu,
        })
    }

    fn services(&self) -> Result<Vec<ServiceView>, KernelError> {
        match &self.agent {
            Some(agent) => Ok(agent.services.clone()),
            None => {
                let Some(set) = self.tables.in_force()? else { return Ok(Vec::new()) };
                let pages = set.pages()?;
                let names = &self.controller.rules().services;
                Ok(services::views(&rules::ports(&pages), &rules::service_kinds(&pages), names))
            }
        }
    }

    fn explain(&self, address: &str, service: Option<&str>, now: Time) -> Answer {
        let asked = service.map(|name| services::find(self.services()?, name)).transpose()?;
        let mut view = explain(self.tables, self.controller, address, asked, now)?;
        if let (Some(access), Ok(address)) = (&self.access, address.split('/').next().unwrap_or_default().parse()) {
            let source = self.controller.ipv6().source_of(address);
            let peer = self.tables.peer(PeerKey { source, user: 0 })?;
            let known_ns = self.controller.rules().settings.known_peer_ns;
            let is_peer = peer.is_some_and(|peer| now.kernel_ns.saturating_sub(peer.last_ns) < known_ns);
            view.access = access.decisions(address, is_peer);
            view.known |= view.access.iter().any(|decision| decision.order.is_some());
        }
        value(&view)
    }

    fn bans(&self, ended: bool, now: Time) -> Result<BansView, KernelError> {
        let services = &self.controller.rules().services;
        let ipv6 = self.controller.ipv6();
        let mut bans: Vec<_> = self.tables.bans()?.into_iter().map(|(source, ban)| (ipv6.net(source), ban)).collect();
        bans.extend(self.tables.prefix_bans()?);
        bans.retain(|(_, ban)| ended || ban.until_ns > now.kernel_ns);
        bans.sort_by_key(|(net, ban)| (std::cmp::Reverse(ban.since_ns), *net));
        let bans = bans.iter().map(|(net, ban)| BanView::new(show_net(*net), ban, services, now)).collect();
        let mut shuns = self.tables.shuns()?;
        shuns.retain(|(_, shun)| shun.until_ns > now.kernel_ns);
        shuns.sort_by_key(|(source, shun)| (std::cmp::Reverse(shun.since_ns), *source));
        let shuns = shuns.iter().map(|(source, shun)| ShunView::new(ipv6.show(*source), shun, now)).collect();
        Ok(BansView { schema: SCHEMA, bans, shuns })
    }

    fn sources(&self, worst: Option<usize>, now: Time) -> Result<SourcesView, KernelError> {
        let bans: HashMap<Source, Ban> = self.tables.bans()?.into_iter().collect();
        let prefixes = Prefixes::new(self.tables.prefix_bans()?, now);
        let window_ns = self.controller.rules().settings.window_ns;
        let shuns: HashMap<Source, Shun> = self.tables.shuns()?.into_iter().collect();
        let mut sources = self.tables.sources()?;
        match worst {
            Some(count) => keep_worst(&mut sources, &bans, count),
            None => sources.sort_by_key(|(source, did)| (std::cmp::Reverse(did.last_seen_ns), *source)),
        }
        let mut views = Vec::with_capacity(sources.len());
        for (source, did) in &sources {
            let ban = bans.get(source);
            let strikes = if did.failures_proven == 0 { None } else { self.tables.strikes(*source)? };
            let strikes = strikes_within(strikes.as_ref(), ban, window_ns, now);
            let net = self.controller.ipv6().net(*source);
            let why = Why::new(ban, shuns.get(source), self.controller.page(*source), now);
            views.push(SourceView::new(show_net(net), did, ban, prefixes.cover(net), strikes, now).because(why));
        }
        Ok(SourcesView { schema: SCHEMA, sources: views })
    }

    fn peers(&self, now: Time) -> Result<PeersView, KernelError> {
        let known_ns = self.controller.rules().settings.known_peer_ns;
        let services = &self.controller.rules().services;
        let mut peers = self.tables.peers()?;
        // The entry of a source without a user repeats the others.
        peers.retain(|(key, peer)| key.user != 0 && now.kernel_ns.saturating_sub(peer.last_ns) < known_ns);
        peers.sort_by_key(|(key, peer)| (std::cmp::Reverse(peer.last_ns), key.source, key.user));
        let view = |(key, peer): &(PeerKey, Peer)| {
            let upstream = key.user == PeerKey::UPSTREAM;
            let method = Method::from_number(peer.method).map_or("request", Method::name);
            PeerView {
                source: self.controller.ipv6().show(key.source),
                kind: if upstream { "upstream" } else { "user" }.to_owned(),
                user: shown(&peer.user).filter(|_| !upstream),
                first_seen: now.wall_of(peer.first_ns),
                last_seen: now.wall_of(peer.last_ns),
                transport: if peer.tcp == 0 { "udp" } else { "tcp" }.to_owned(),
                service: services.get(usize::from(peer.service)).cloned(),
                learned: if upstream {
                    format!("answered our {method}")
                } else {
                    "authenticated with proof".to_owned()
                },
            }
        };
        Ok(PeersView { schema: SCHEMA, peers: peers.iter().map(view).collect() })
    }

    fn ban(&mut self, target: &str, length: Length, reason: Option<String>, now: Time) -> Answer {
        let target = parse_target(self.controller, target)?;
        let admitted = self
            .guard
            .admit(target, self.controller.ipv6())
            .map_err(|refusal| Failure::new(ExitCode::Refused, format!("refused: {refusal}")))?;
        let length = match length {
            Length::Ladder => BanLength::Ladder,
            Length::Seconds(seconds) => BanLength::Nanos(seconds.saturating_mul(1_000_000_000)),
            Length::Permanent => BanLength::UntilLifted,
        };
        let found = self.found(target)?;
        self.handle([Input::Ban { admitted, length, reason, found }], now)?;
        let ban = self.found(target)?.ok_or_else(|| Failure::new(ExitCode::Failed, "the ban was not written"))?;
        let source = self.controller.ipv6().show_target(target);
        let banned = BanView::new(source, &ban, &self.controller.rules().services, now);
        value(&BannedView { schema: SCHEMA, banned })
    }

    fn unban(&mut self, target: &str, now: Time) -> Answer {
        let target = parse_target(self.controller, target)?;
        let shown = self.controller.ipv6().show_target(target);
        let shunned = self.shunned(target, now)?;
        let Some(found) = self.found(target)?.filter(|ban| ban.until_ns > now.kernel_ns || ban.level > 0) else {
            if let Some(source) = shunned {
                self.handle([Input::Unshun { source }], now)?;
                return value(&UnbannedView { schema: SCHEMA, unbanned: vec![shown] });
            }
            let mut message = format!("{shown} is not banned");
            for (prefix, _) in self.covering(target, now)? {
                message.push_str(&format!(", but {prefix} is: sip-fw unban {prefix}"));
            }
            return Err(Failure::new(ExitCode::NotFound, message));
        };
        let unshun = shunned.map(|source| Input::Unshun { source });
        self.handle([Input::Unban { target, found }].into_iter().chain(unshun), now)?;
        value(&UnbannedView { schema: SCHEMA, unbanned: vec![shown] })
    }

    fn unban_all(&mut self, now: Time) -> Answer {
        let sources = self.tables.bans()?.into_iter().map(|(source, ban)| (Target::Source(source), ban));
        let mut all: Vec<_> = sources.collect();
        all.extend(self.tables.prefix_bans()?.into_iter().map(|(prefix, ban)| (Target::Prefix(prefix), ban)));
        all.retain(|(_, ban)| ban.until_ns > now.kernel_ns);
        let mut shunned = self.tables.shuns()?;
        shunned.retain(|(_, shun)| shun.until_ns > now.kernel_ns);
        if all.is_empty() && shunned.is_empty() {
            return Err(Failure::new(ExitCode::NotFound, "nothing is banned"));
        }
        let ipv6 = self.controller.ipv6();
        let bans = all.iter().map(|(target, _)| ipv6.show_target(*target));
        let unbanned = bans.chain(shunned.iter().map(|(source, _)| ipv6.show(*source))).collect();
        let unban = all.into_iter().map(|(target, found)| Input::Unban { target, found });
        let unshun = shunned.into_iter().map(|(source, _)| Input::Unshun { source });
        self.handle(unban.chain(unshun), now)?;
        value(&UnbannedView { schema: SCHEMA, unbanned })
    }

    /// The source that a target is, if it is shunned.
    fn shunned(&self, target: Target, now: Time) -> Result<Option<Source>, KernelError> {
        let Target::Source(source) = target else { return Ok(None) };
        let holds = self.tables.shun(source)?.is_some_and(|shun| shun.until_ns > now.kernel_ns);
        Ok(holds.then_some(source))
    }

    fn found(&self, target: Target) -> Result<Option<Ban>, KernelError> {
        match target {
            Target::Source(source) => self.tables.ban(source),
            Target::Prefix(prefix) => {
                Ok(self.tables.prefix_bans()?.into_iter().find(|(found, _)| *found == prefix).map(|(_, ban)| ban))
            }
        }
    }

    fn covering(&self, target: Target, now: Time) -> Result<Vec<(IpNet, Ban)>, KernelError> {
        let net = match target {
            Target::Source(source) => self.controller.ipv6().net(source),
            Target::Prefix(prefix) => prefix,
        };
        covering(self.tables, net, now)
    }

    fn handle(&mut self, inputs: impl IntoIterator<Item = Input>, now: Time) -> Result<(), Failure> {
        let commands = inputs.into_iter().flat_map(|input| self.controller.handle(input, now)).collect();
        let (records, errors) = execute(commands, self.tables, now.kernel_ns);
        self.records.extend(records);
        errors.into_iter().next().map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Reads what an operator wrote.
pub(super) fn parse_target(controller: &Controller, text: &str) -> Result<Target, Failure> {
    controller.ipv6().parse(text).map_err(|error| {
        let exit = match error {
            TargetError::Syntax(_) | TargetError::TooLong { .. } => ExitCode::Usage,
            TargetError::Multicast(_) => ExitCode::Refused,
        };
        Failure::new(exit, error.to_string())
    })
}

/// Bans in force on prefixes that contain `net`.
pub(super) fn covering(tables: &Tables, net: IpNet, now: Time) -> Result<Vec<(IpNet, Ban)>, KernelError> {
    let mut bans = tables.prefix_bans()?;
    bans.retain(|(prefix, ban)| prefix.contains(&net) && *prefix != net && ban.until_ns > now.kernel_ns);
    Ok(bans)
}

/// Strikes that count now: within the window, and after the last ban.
pub(super) fn strikes_within(strikes: Option<&Strikes>, ban: Option<&Ban>, window_ns: u64, now: Time) -> u32 {
    let forgiven_ns = ban.map_or(0, |ban| ban.until_ns);
    strikes.map_or(0, |strikes| strikes.within(window_ns, now.kernel_ns, forgiven_ns))
}

/// Prefixes banned now.
struct Prefixes {
    nets: HashSet<IpNet>,
    lengths: BTreeSet<u8>,
}

impl Prefixes {
    fn new(mut bans: Vec<(IpNet, Ban)>, now: Time) -> Self {
        bans.retain(|(_, ban)| ban.until_ns > now.kernel_ns);
        let nets: HashSet<_> = bans.into_iter().map(|(net, _)| net).collect();
        let lengths = nets.iter().map(IpNet::prefix_len).collect();
        Self { nets, lengths }
    }

    fn cover(&self, net: IpNet) -> bool {
        let shorter = self.lengths.range(..net.prefix_len());
        shorter.filter_map(|len| IpNet::new(net.network(), *len).ok()).any(|wider| self.nets.contains(&wider.trunc()))
    }
}

fn value<T: Serialize>(view: &T) -> Answer {
    serde_json::to_value(view).map_err(|error| Failure::new(ExitCode::Failed, error.to_string()))
}
