//! The programs with settings, and SIP exchanges in a line each.

use sip_fw_agent::kernel::{Action, DryRun, Loaded, TableSizes, now_ns, possible_cpus};
use sip_fw_common::abi::{Event, Live, Rate, ServiceKind, Settings, Source, SourceState};
use sip_fw_common::reason::Reason;
use sip_fw_core::rules::{Action as Fate, Plan, Rule, RuleSet, Service};

use crate::frames::Path;

pub const SECOND: u64 = 1_000_000_000;
pub const MINUTE: u64 = 60 * SECOND;

/// Small tables load quickly.
pub const SIZES: TableSizes = TableSizes {
    bans: 4096,
    ban_prefixes: 64,
    sources: 8192,
    strikes: 4096,
    transactions: 8192,
    nonces: 8192,
    peers: 4096,
};

pub struct Rig {
    pub run: DryRun,
    pub plan: Plan,
    pub live: Live,
    seen: Vec<u64>,
    next_branch: u32,
    /// Changes the last digits of every nonce, so that two rows of a table share none.
    pub suffix: u32,
}

/// One request and, where it is an attempt, its nonce.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub method: &'a str,
    pub user: &'a str,
    pub nonce: Option<&'a str>,
    pub digest: &'a str,
}

impl<'a> Ask<'a> {
    pub const fn plain(method: &'a str) -> Self {
        Self { method, user: "1000", nonce: None, digest: "d" }
    }

    pub const fn attempt(method: &'a str, nonce: &'a str) -> Self {
        Self { method, user: "1000", nonce: Some(nonce), digest: "d" }
    }

    pub fn text(&self, branch: &str) -> String {
        let Self { method, user, nonce, digest } = self;
        let credentials = nonce.map_or(String::new(), |nonce| {
            format!(
                "Authorization: Digest username=\"{user}\", realm=\"pbx\", nonce=\"{nonce}\", uri=\"sip:pbx\", \
                 response=\"{digest}\", algorithm=MD5\r\n"
            )
        });
        format!(
            "{method} sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch={branch}\r\n\
             From: <sip:{user}@pbx>;tag=a\r\nTo: <sip:{user}@pbx>\r\nCall-ID: same\r\nCSeq: 2 {method}\r\n\
             User-Agent: test phone\r\n{credentials}Content-Length: 0\r\n\r\n"
        )
    }
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub status: u16,
    /// Nonce of its challenge.
    pub nonce: Option<&'a str>,
    pub stale: bool,
}

impl<'a> Reply<'a> {
    pub const fn plain(status: u16) -> Self {
        Self { status, nonce: None, stale: false }
    }

    pub const fn challenge(status: u16, nonce: &'a str) -> Self {
        Self { status, nonce: Some(nonce), stale: false }
    }

    pub const fn stale(status: u16, nonce: &'a str) -> Self {
        Self { status, nonce: Some(nonce), stale: true }
    }

    pub fn text(&self, method: &str, branch: &str) -> String {
        let Self { status, nonce, stale } = self;
        let header = if *status == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let stale = if *stale { ",stale=true" } else { "" };
        let challenge = nonce.map_or(String::new(), |nonce| {
            format!("{header}: Digest realm=\"pbx\",nonce=\"{nonce}\"{stale},algorithm=MD5,qop=\"auth\"\r\n")
        });
        format!(
            "SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport=40000;received=192.0.2.7;branch={branch}\r\n\
             From: <sip:1000@pbx>;tag=a\r\nTo: <sip:1000@pbx>;tag=b\r\nCall-ID: same\r\nCSeq: 2 {method}\r\n{challenge}\
             Content-Length: 0\r\n\r\n"
        )
    }
}

impl Rig {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::sized(&SIZES, change)
    }

    pub fn sized(sizes: &TableSizes, change: impl FnOnce(&mut Settings)) -> Self {
        let mut run = DryRun::load(sizes).unwrap();
        let service =
            |kind, ports| Service { kind, refusal: 0, rates: [Rate::default(); 2], default: Fate::Allow, ports };
        let sip = service(ServiceKind::Sip, vec![(false, 5060, 5060), (true, 5060, 5060)]);
        let gated = service(ServiceKind::Opaque, vec![(true, 443, 443)]);
        let mut settings = Settings {
            window_ns: 10 * MINUTE,
            decay_ns: 30 * 24 * 60 * MINUTE,
            known_peer_ns: 0,
            ladder_ns: [MINUTE, 10 * MINUTE, 60 * MINUTE, 0, 0, 0, 0, 0],
            ipv6_mask: u64::MAX,
            threshold: 5,
            ladder_steps: 3,
            observe: 0,
            scope_host: 0,
        };
        change(&mut settings);
        let live = Live { hash_seed: 0x1234_5678_9abc_def1, ..Live::default() };
        run.tables.write_live(&live).unwrap();
        let plan = Plan {
            settings,
            services: vec![sip, gated],
            rules: Vec::new(),
            own: Vec::new(),
            generation: 1,
            cpus: possible_cpus(),
            prefixes_max: 1024,
        };
        put_in_force(&mut run, &plan);
        let mut rig = Self { run, plan, live, seen: Vec::new(), next_branch: 0, suffix: 0 };
        rig.last_reason();
        rig
    }

    /// Moves the programs' clock forward.
    pub fn wait(&mut self, ns: u64) {
        self.live.clock_offset_ns += ns;
        self.run.tables.write_live(&self.live).unwrap();
    }

    /// Puts the plan in force as it is now.
    pub fn apply(&mut self) {
        self.plan.generation += 1;
        put_in_force(&mut self.run, &self.plan);
    }

    /// Puts these rules in force.
    pub fn apply_rules(&mut self, rules: Vec<Rule>) {
        self.plan.rules = rules;
        self.apply();
    }

    pub fn now_ns(&self) -> u64 {
        now_ns() + self.live.clock_offset_ns
    }

    /// An arriving packet: what became of it and why.
    pub fn arrive(&mut self, frame: &[u8]) -> (Action, Reason) {
        let action = self.run.ingress(frame).unwrap();
        (action, self.last_reason().expect("ingress counts every packet once"))
    }

    /// A leaving packet: why it was counted. It always goes on.
    pub fn leave(&mut self, frame: &[u8]) -> Reason {
        assert_eq!(self.run.egress(frame).unwrap(), Action::Pass);
        self.last_reason().expect("egress counts every packet once")
    }

    /// A branch nobody used.
    pub fn branch(&mut self) -> String {
        self.next_branch += 1;
        format!("z9hG4bK-{}", self.next_branch)
    }

    /// A request on a fresh branch and its answer: what was seen of each.
    pub fn exchange(&mut self, path: Path, ask: Ask<'_>, reply: Reply<'_>) -> (Reason, Reason) {
        let branch = self.branch();
        let own = |nonce: &str| format!("{}{:02x}", &nonce[..nonce.len().saturating_sub(2)], self.suffix);
        let (asked_nonce, sent_nonce) = match self.suffix {
            0 => (ask.nonce.map(str::to_owned), reply.nonce.map(str::to_owned)),
            _ => (ask.nonce.map(own), reply.nonce.map(own)),
        };
        let ask = Ask { nonce: asked_nonce.as_deref(), ..ask };
        let reply = Reply { nonce: sent_nonce.as_deref(), ..reply };
        let (_, asked) = self.arrive(&path.arriving(ask.text(&branch).as_bytes()));
        let answered = self.leave(&path.leaving(reply.text(ask.method, &branch).as_bytes()));
        (asked, answered)
    }

    /// Fetches a nonce: a plain REGISTER, challenged.
    pub fn fetch(&mut self, path: Path, nonce: &str) {
        assert_eq!(
            self.exchange(path, Ask::plain("REGISTER"), Reply::challenge(401, nonce)),
            (Reason::Request, Reason::Challenge)
        );
    }

    /// A guess with this nonce, refused with a new challenge.
    pub fn guess(&mut self, path: Path, nonce: &str) -> (Reason, Reason) {
        self.exchange(path, Ask::attempt("REGISTER", nonce), Reply::challenge(401, nonce))
    }

    pub fn state(&self, path: Path) -> SourceState {
        self.run.tables.source(source(path)).unwrap().unwrap_or_default()
    }

    /// Whether a packet of this peer to a SIP port is dropped now.
    pub fn is_dropped(&mut self, path: Path) -> bool {
        self.arrive(&path.arriving(b"\r\n\r\n")).0 == Action::Drop
    }

    pub fn events(&mut self) -> Vec<Event> {
        self.run.take_events()
    }

    /// The reason that was counted since the last call, if exactly one packet was.
    fn last_reason(&mut self) -> Option<Reason> {
        let counters = self.run.tables.counters().unwrap();
        let now: Vec<u64> = counters.iter().map(|cpus| cpus.iter().map(|counter| counter.packets).sum()).collect();
        let before = std::mem::replace(&mut self.seen, now);
        let mut changed = self.seen.iter().zip(before).enumerate().filter(|(_, (now, before))| **now != *before);
        let (number, (now, before)) = changed.next()?;
        assert_eq!((now - before, changed.next()), (1, None));
        Reason::from_number(u8::try_from(number).unwrap())
    }
}

fn put_in_force(run: &mut DryRun, plan: &Plan) {
    let loaded = Loaded::load(&RuleSet::compile(plan).unwrap()).unwrap();
    run.tables.put_in_force(&loaded).unwrap();
}

pub fn source(path: Path) -> Source {
    if path.v6 {
        Source::v6(u64::from_be_bytes(path.peer_v6()[..8].try_into().unwrap()), u64::MAX)
    } else {
        Source::v4(u32::from_be_bytes(path.peer_v4()))
    }
}
