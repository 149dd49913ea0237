//! What the kernel programs have to do with a packet, on the host: their tables as maps of the standard library.
//!
//! Headers, heads, hashes and answers are read by the code of `sip-fw-common` that the programs are built of: compiled for another
//! machine, it must say the same. Everything around it, what is looked up, remembered, proven, struck and banned, is written
//! here a second time.

mod arriving;
mod leaving;

use std::collections::HashMap;

use sip_fw_agent::replay::frame::Bytes;
use sip_fw_common::abi::{
    Asked, Ban, Live, Nonce, PeerKey, ServiceKind, Settings, Source, SourceState, Strike, Transaction, TransactionKey,
};
use sip_fw_common::head::Head;
use sip_fw_common::limits::{HEAD_BYTES, STRIKES_MAX};
use sip_fw_common::reason::Reason;
use sip_fw_common::sip::{Cursor, Scan, StartLine, message_start, scan, start_line};
use sip_fw_common::wire::{self, Address, Transport};
use sip_fw_core::rules::{Plan, Service};

/// The programs and their tables.
pub struct Model {
    plan: Plan,
    live: Live,
    transactions: HashMap<TransactionKey, Transaction>,
    nonces: HashMap<u64, Nonce>,
    /// Seconds in which a challenge left that could not be read, by what is left of them in a table of so many.
    unread: HashMap<u64, u64>,
    sources: HashMap<Source, SourceState>,
    strikes: HashMap<Source, Vec<Strike>>,
    bans: HashMap<Source, Ban>,
    peers: HashMap<PeerKey, u64>,
    asked: HashMap<TransactionKey, Asked>,
    buckets: HashMap<u32, u64>,
}

/// A packet with ports, and the service that it is for or from.
struct Addressed<'a> {
    frame: &'a [u8],
    peer: Source,
    peer_port: u16,
    transport: Transport,
    service: u8,
    /// This host called that service elsewhere, from a port of none.
    client: bool,
}

/// A message as the programs read it.
struct Message {
    head: Head,
    start: u64,
    len: u64,
    line: StartLine,
}

impl Model {
    /// Nothing was seen yet.
    pub fn new(plan: &Plan, live: &Live) -> Self {
        Self {
            plan: plan.clone(),
            live: *live,
            transactions: HashMap::new(),
            nonces: HashMap::new(),
            unread: HashMap::new(),
            sources: HashMap::new(),
            strikes: HashMap::new(),
            bans: HashMap::new(),
            peers: HashMap::new(),
            asked: HashMap::new(),
            buckets: HashMap::new(),
        }
    }

    /// What the clock says from now on.
    pub fn set_now(&mut self, now_ns: u64) {
        self.live.fixed_now_ns = now_ns;
    }

    /// What is known of every source.
    pub fn sources(&self) -> impl Iterator<Item = (Source, &SourceState)> {
        self.sources.iter().map(|(source, state)| (*source, state))
    }

    /// Every ban, in force or remembered.
    pub fn bans(&self) -> impl Iterator<Item = (Source, &Ban)> {
        self.bans.iter().map(|(source, ban)| (*source, ban))
    }

    /// Every request that is remembered.
    pub fn transactions(&self) -> impl Iterator<Item = (&TransactionKey, &Transaction)> {
        self.transactions.iter()
    }

    /// Every nonce that was handed out, by its hash.
    pub fn nonces(&self) -> impl Iterator<Item = (u64, &Nonce)> {
        self.nonces.iter().map(|(hash, nonce)| (*hash, nonce))
    }

    const fn now_ns(&self) -> u64 {
        self.live.fixed_now_ns
    }

    const fn settings(&self) -> &Settings {
        &self.plan.settings
    }

    /// The last service that listens on a port: its number.
    fn service_at(&self, tcp: bool, port: u16) -> Option<u8> {
        let listens = |service: &Service| {
            service.ports.iter().any(|(t, first, last)| *t == tcp && (*first..=*last).contains(&port))
        };
        self.plan.services.iter().rposition(listens).map(|number| number as u8)
    }

    fn is_sip(&self, service: u8) -> bool {
        self.plan.services[usize::from(service)].kind == ServiceKind::Sip
    }

    fn source(&self, address: Address) -> Source {
        match address {
            Address::V4(address) => Source::v4(address),
            Address::V6 { high, .. } => Source::v6(high, self.settings().ipv6_mask),
        }
    }

    fn is_peer(&self, source: Source, user: u64) -> bool {
        let last = self.peers.get(&PeerKey { source, user });
        last.is_some_and(|last| self.now_ns().saturating_sub(*last) < self.settings().known_peer_ns)
    }

    /// Whether this host asked somebody there lately.
    fn was_asked(&self, source: Source, service: u8) -> bool {
        let asked = self.asked.get(&TransactionKey { source, branch: Asked::ANY_BRANCH });
        asked.is_some_and(|asked| asked.service == service && self.now_ns() < asked.time_ns)
    }

    /// Whether one of these nonces went to this source alone.
    fn proves(&self, nonces: &[u64], source: Source) -> bool {
        nonces.iter().filter_map(|hash| self.nonces.get(hash)).any(|nonce| nonce.is_only_of(source))
    }

    fn account(&mut self, source: Source) -> &mut SourceState {
        let now_ns = self.now_ns();
        let state =
            self.sources.entry(source).or_insert(SourceState { first_seen_ns: now_ns, ..SourceState::default() });
        state.last_seen_ns = now_ns;
        state
    }

    fn welcome(&mut self, source: Source, user: u64) {
        for user in [user, 0] {
            self.peers.insert(PeerKey { source, user }, self.live.fixed_now_ns);
        }
    }

    /// Strikes that count now: those within the window, after the last ban.
    fn struck(&mut self, source: Source, user: u64) -> u32 {
        let now_ns = self.now_ns();
        let Settings { window_ns, .. } = *self.settings();
        let forgiven_ns = self.bans.get(&source).map_or(0, |ban| ban.until_ns);
        let strikes = self.strikes.entry(source).or_default();
        strikes.push(Strike { time_ns: now_ns, user });
        let kept = strikes.len().saturating_sub(STRIKES_MAX);
        let counts = |strike: &&Strike| strike.time_ns > forgiven_ns && now_ns - strike.time_ns <= window_ns;
        strikes[kept..].iter().filter(counts).count() as u32
    }
}

impl Message {
    /// The head of a payload; None where there is nothing but blanks.
    fn of(addressed: &Addressed<'_>) -> Option<Self> {
        let Transport { payload, payload_len, .. } = addressed.transport;
        let from = payload as usize;
        let len = (payload_len as usize).min(HEAD_BYTES - 1);
        let mut head = Head::EMPTY;
        let len = u64::from(head.fill(&addressed.frame[from..from + len]));
        let start = message_start(&head, len, 0);
        let line = start_line(&head, start);
        (len != 0).then_some(Self { head, start, len, line })
    }

    fn scan<const RESPONSE: bool>(&self) -> Scan {
        let mut found = Scan::NOTHING;
        scan::<RESPONSE>(&self.head, Cursor::new(self.start, self.len, 0), &mut found);
        found
    }
}

/// Both readings of a frame's headers.
fn headers(frame: &[u8]) -> Result<(wire::Ip, Result<Transport, Reason>), Reason> {
    let frame = Bytes(frame);
    let ip = wire::ip(&frame)?;
    Ok((ip, wire::transport(&frame, &ip)))
}
