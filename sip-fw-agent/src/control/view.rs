//! The JSON documents of the listings, schema 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sip_fw_common::abi::{Ban, BanOrigin, Evidence, Settings, Shun, SourceState};
use sip_fw_core::SCHEMA;
use sip_fw_core::ledger::Page;
use sip_fw_core::rules::RuleSet;
use sip_fw_core::text::shown;
use sip_fw_core::time::{Time, Timestamp, Until};

use super::why::Why;
use crate::store::StoreView;

/// `status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// Version of these keys.
    pub schema: u32,
    /// The agent.
    pub agent: AgentView,
    /// Where the programs are attached.
    pub attachments: Vec<AttachmentView>,
    /// The services. Ports of no service are not inspected.
    pub services: Vec<ServiceView>,
    /// What is kept on disk; absent where no agent runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreView>,
    /// When a source is banned, and for how long.
    pub rules: RulesView,
    /// Bans in force.
    pub bans_active: usize,
    /// The same by step of the ladder; 0 is outside of it.
    #[serde(default)]
    pub bans_by_level: BTreeMap<u8, usize>,
    /// Sources seen.
    pub sources: usize,
    /// Who is told what happens, beside the journal; unknown while no agent runs.
    #[serde(default)]
    pub alerts: Vec<AlertView>,
    /// Packets and bytes by reason.
    pub counters: BTreeMap<String, CounterView>,
    /// The same for each CPU.
    pub per_cpu: BTreeMap<String, Vec<CounterView>>,
}

/// The agent, as far as it is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentView {
    /// Whether it answers.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Since when.
    pub uptime_seconds: Option<u64>,
    /// Its version; the CLI's when none runs.
    pub version: String,
    /// Events that found the ring buffer full.
    pub events_lost: u64,
    /// `enforce` or `observe`.
    pub mode: String,
}

/// How one of those who are told fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertView {
    /// Its name.
    pub name: String,
    /// `syslog`, `webhook` or `exec`.
    pub kind: String,
    /// `ok` or `failing`.
    pub state: String,
    /// The last failure.
    pub last_error: Option<String>,
    /// Alerts delivered.
    pub sent: u64,
    /// Records that found its queue full, and alerts that were given up.
    pub dropped: u64,
}

/// How the programs are attached to one interface.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttachmentView {
    /// Its name.
    pub interface: String,
    /// `native` or `generic`.
    pub ingress: String,
    /// `tcx` or `clsact`.
    pub egress: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// `sip`: its messages are read. `opaque`: it is only closed to banned sources.
    pub kind: String,
    /// Its ports, such as `udp/5060` or `tcp/8000-8010`.
    pub listen: Vec<String>,
}

/// The rules in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesView {
    /// Proven failures within the window that ban.
    pub threshold: u32,
    /// The window.
    pub window_seconds: u64,
    /// Length of the ban at each step.
    pub ladder_seconds: Vec<u64>,
    /// `services` or `host`: the ports that are closed to banned sources.
    pub scope: String,
}

impl RulesView {
    /// The programs' settings for people.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let steps = usize::try_from(settings.ladder_steps).unwrap_or(usize::MAX);
        Self {
            threshold: settings.threshold,
            window_seconds: settings.window_ns / 1_000_000_000,
            ladder_seconds: settings.ladder_ns.iter().take(steps).map(|step| step / 1_000_000_000).collect(),
            scope: if settings.scope_host == 0 { "services" } else { "host" }.to_owned(),
        }
    }
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct CounterView {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// `bans`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BansView {
    /// Version of these keys.
    pub schema: u32,
    /// The bans.
    pub bans: Vec<BanView>,
    /// The shuns in force.
    #[serde(default)]
    pub shuns: Vec<ShunView>,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// An address or a prefix.
    pub source: String,
    /// `active` or `ended`.
    pub state: String,
    /// Step of the ladder; 0 outside it.
    pub level: u8,
    /// Who decided it.
    pub origin: Option<String>,
    /// `proven` or `unproven`.
    pub evidence: Option<String>,
    /// When it began.
    pub since: Timestamp,
    /// When it ends; null when only an operator ends it.
    pub until: Until,
    /// Strikes that led to it.
    pub strikes: u32,
    /// Packets dropped, over all bans of this source.
    pub packets: u64,
    /// Bytes dropped, over all bans of this source.
    pub bytes: u64,
    /// User name of the last attempt.
    pub user: Option<String>,
    /// User-Agent of the last attempt.
    pub user_agent: Option<String>,
    /// Service of the last attempt.
    pub service: Option<String>,
}

impl BanView {
    /// A ban for people.
    #[must_use]
    pub fn new(source: String, ban: &Ban, services: &[String], now: Time) -> Self {
        let tried = ban.origin == BanOrigin::Failures as u8;
        Self {
            source,
            state: if ban.until_ns > now.kernel_ns { "active" } else { "ended" }.to_owned(),
            level: ban.level,
            origin: BanOrigin::from_number(ban.origin).map(|origin| origin.name().to_owned()),
            evidence: Evidence::from_number(ban.evidence).map(|evidence| evidence.name().to_owned()),
            since: now.wall_of(ban.since_ns),
            until: now.until(ban.until_ns),
            strikes: ban.strikes,
            packets: ban.packets,
            bytes: ban.bytes,
            user: shown(&ban.user),
            user_agent: shown(&ban.user_agent),
            service: services.get(usize::from(ban.service)).filter(|_| tried).cloned(),
        }
    }

    /// Whether packets are dropped for it now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// `ban`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BannedView {
    /// Version of these keys.
    pub schema: u32,
    /// The ban now in force.
    pub banned: BanView,
}

/// `import`, and each part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedView {
    /// Version of these keys.
    pub schema: u32,
    /// Nothing was written: this is what would be done.
    pub dry_run: bool,
    /// Bans that are in force now, or remembered for the ladder.
    pub imported: u64,
    /// Bans of sources that are banned as long or longer, which stay as they are.
    pub kept: u64,
    /// Bans that were over.
    pub over: u64,
    /// Lines that were skipped as faulty.
    pub skipped: u64,
    /// Bans that would hurt this host.
    pub refused: u64,
    /// The first of them.
    pub refusals: Vec<RefusalView>,
    /// Why the rest was left.
    pub stopped: Option<StoppedView>,
}

/// A ban that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// Whose.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// A table without room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedView {
    /// Its key in `[limits]`.
    pub limit: String,
    /// Entries in use.
    pub held: u64,
    /// Bans that were left, of this part or of the whole import.
    pub left: u64,
    /// What happened.
    pub reason: String,
}

/// `unban`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnbannedView {
    /// Version of these keys.
    pub schema: u32,
    /// Whose bans were lifted.
    pub unbanned: Vec<String>,
}

/// `detach`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DetachedView {
    /// Version of these keys.
    pub schema: u32,
    /// What was taken off and unpinned.
    pub detached: Vec<String>,
}

/// `sources`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourcesView {
    /// Version of these keys.
    pub schema: u32,
    /// The sources, the last seen first.
    pub sources: Vec<SourceView>,
}

/// What one source did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceView {
    /// An address, or an IPv6 prefix.
    pub source: String,
    /// SIP requests.
    pub requests: u64,
    /// Requests with credentials.
    pub attempts: u64,
    /// Attempts that failed and prove that the source is real.
    pub failures_proven: u64,
    /// Attempts that failed, of a source that may be forged.
    pub failures_unproven: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// Requests that were challenged.
    pub challenges: u64,
    /// Attempts with an old nonce.
    pub stale: u64,
    /// Packets dropped; those that a ban of a prefix dropped are counted with the prefix.
    pub drops: u64,
    /// First packet.
    pub first_seen: Timestamp,
    /// Last SIP request.
    pub last_seen: Timestamp,
    /// `banned`, `shunned` or `ok`.
    pub state: String,
    /// Strikes within the window.
    pub strikes: u32,
    /// Why it stands out; in `explain` that is told at length elsewhere.
    #[serde(flatten)]
    pub why: Why,
}

impl SourceView {
    /// A source for people.
    #[must_use]
    pub fn new(
        source: String,
        did: &SourceState,
        ban: Option<&Ban>,
        prefix_banned: bool,
        strikes: u32,
        now: Time,
    ) -> Self {
        let banned = prefix_banned || ban.is_some_and(|ban| ban.until_ns > now.kernel_ns);
        Self {
            source,
            requests: did.requests,
            attempts: did.attempts,
            failures_proven: did.failures_proven,
            failures_unproven: did.failures_unproven,
            successes: did.successes,
            challenges: did.challenges,
            stale: did.stale,
            drops: ban.map_or(0, |ban| ban.packets),
            first_seen: now.wall_of(did.first_seen_ns),
            last_seen: now.wall_of(did.last_seen_ns),
            state: if banned { "banned" } else { "ok" }.to_owned(),
            strikes,
            why: Why::default(),
        }
    }

    /// With what holds it back, and what is remembered of it.
    #[must_use]
    pub fn because(mut self, why: Why) -> Self {
        if why.until.is_some() && self.state == "ok" {
            "shunned".clone_into(&mut self.state);
        }
        self.why = why;
        self
    }
}

/// `rules`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessView {
    /// Version of these keys.
    pub schema: u32,
    /// Number of the rule set.
    pub generation: u32,
    /// Kernel memory of the rule set.
    pub memory_bytes: u64,
    /// Prefixes that all lines came to.
    pub prefixes: usize,
    /// What waits for its confirmation.
    pub pending: Option<PendingView>,
    /// The lines in their order, then the default of each service.
    pub rules: Vec<AccessRuleView>,
}

/// A configuration that waits for its confirmation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PendingView {
    /// Then the configuration before is in force again.
    pub until: Timestamp,
}

/// A line of the access list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AccessRuleView {
    /// Its place, from 1; null for a line that is off and for defaults.
    pub order: Option<u32>,
    /// Its name; `others` for a default.
    pub name: String,
    /// Whom it matches; empty for a default.
    pub from: Vec<String>,
    /// The services it is for.
    pub to: Vec<String>,
    /// `trust`, `allow`, `deny` or `off`.
    pub action: String,
    /// Packets that it decided on, since the rules or the addresses of a list last changed.
    pub packets: u64,
    /// The same in bytes.
    pub bytes: u64,
    /// When it decided last, to the second.
    pub last_match: Option<Timestamp>,
    /// What is wrong with it.
    pub warning: Option<String>,
}

/// What the access list says of an address at a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// The service.
    pub service: String,
    /// `trust`, `allow` or `deny`.
    pub action: String,
    /// Name of the line that decides; `others` for the default.
    pub rule: String,
    /// Place of the line, from 1.
    pub order: Option<u32>,
}

/// `apply` and `confirm`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppliedView {
    /// Version of these keys.
    pub schema: u32,
    /// Kernel memory of the rule set.
    pub memory_bytes: u64,
    /// Prefixes that all lines came to.
    pub prefixes: usize,
    /// Without a confirmation, the configuration before is in force again then.
    pub confirm_until: Option<Timestamp>,
    /// What people should know besides.
    pub notes: Vec<String>,
}

impl AppliedView {
    /// A rule set that is in force.
    #[must_use]
    pub fn new(set: &RuleSet) -> Self {
        Self {
            schema: SCHEMA,
            memory_bytes: set.bytes(),
            prefixes: set.prefixes(),
            confirm_until: None,
            notes: Vec::new(),
        }
    }
}

/// `peers`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeersView {
    /// Version of these keys.
    pub schema: u32,
    /// The known peers, the last seen first.
    pub peers: Vec<PeerView>,
}

/// A known peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerView {
    /// An address, or an IPv6 prefix.
    pub source: String,
    /// `user` or `upstream`.
    pub kind: String,
    /// User name of the last success.
    pub user: Option<String>,
    /// First success or answer.
    pub first_seen: Timestamp,
    /// Last success or answer.
    pub last_seen: Timestamp,
    /// `udp` or `tcp`.
    pub transport: String,
    /// The service.
    pub service: Option<String>,
    /// How it was learned.
    pub learned: String,
}

/// `explain`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainView {
    /// Version of these keys.
    pub schema: u32,
    /// The source.
    pub source: String,
    /// Whether anything is known of it.
    pub known: bool,
    /// Its ban, or the memory of the last one.
    pub ban: Option<BanView>,
    /// Bans of prefixes that contain it.
    pub prefix_bans: Vec<BanView>,
    /// Its shun, if it is shunned.
    #[serde(default)]
    pub shun: Option<ShunView>,
    /// What its next ban would be.
    pub next_ban: NextBanView,
    /// Its strikes.
    pub strikes: StrikesView,
    /// What it did.
    pub counters: Option<SourceView>,
    /// What the agent remembers of it.
    pub memory: Option<Page>,
    /// What happens to a packet of it now.
    pub now: PacketsView,
    /// What clears its ban and strikes.
    pub clears: String,
    /// What the access list says of it at each service; empty where no agent runs.
    #[serde(default)]
    pub access: Vec<DecisionView>,
}

/// A shun in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShunView {
    /// Who.
    pub source: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends, unless its source goes on.
    pub until: Timestamp,
    /// Packets dropped.
    pub packets: u64,
    /// Bytes dropped.
    pub bytes: u64,
}

impl ShunView {
    /// Of a source.
    #[must_use]
    pub fn new(source: String, shun: &Shun, now: Time) -> Self {
        let Shun { until_ns, since_ns, packets, bytes } = *shun;
        Self { source, since: now.wall_of(since_ns), until: now.wall_of(until_ns), packets, bytes }
    }
}

/// The next step of the ladder.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NextBanView {
    /// Number of the step.
    pub level: u8,
    /// Its length.
    pub length_seconds: u64,
}

/// Strikes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StrikesView {
    /// Within the window, and since the last ban.
    pub count: u32,
    /// How many ban.
    pub threshold: u32,
    /// The window.
    pub window_seconds: u64,
}

/// What happens to packets: `pass`, `drop`, or `would-drop` in mode observe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketsView {
    /// The service that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<ServiceView>,
    /// To a port of a service.
    pub service: String,
    /// To any other port, unless a service was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}
