//! What the agent gives to the store: bans at once, known peers and strikes now and then, and all of it at the end.

use ipnet::IpNet;
use sip_fw_common::abi::{Ban, Event, EventKind, PeerKey, Source};
use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use super::remembered::{Restored, Terms};
use crate::clock;
use crate::kernel::KernelError;
use crate::store::{Changes, Recalled};

/// Looks at the tables between two in which known peers and strikes are kept.
const TICKS_TO_PEERS: u32 = 10;

impl Agent {
    /// Takes over from an earlier agent what is not in the maps, and says what came of a reboot.
    pub(super) fn take_up(&mut self, recalled: &Recalled, restored: Option<Restored>) {
        let now = clock::now();
        self.remembered.take(recalled, Terms::of(&self.controller, now));
        let tables = &self.kernel.tables;
        let is_peer = |source| tables.peer(PeerKey { source, user: 0 }).is_ok_and(|peer| peer.is_some());
        for (_, record) in &recalled.judged {
            self.controller.recall(record, is_peer, now);
        }
        self.keep_seed();
        let of_store = restored.map_or(0, |restored| restored.left_out);
        for (left_out, of) in [(of_store, "the store"), (self.kernel.taken_over.left_out, "the tables before")] {
            if left_out == 0 {
                continue;
            }
            let reason = format!("{left_out} entries of {of} did not fit into the tables; raise [limits]");
            self.publisher.tell(Record::new(now.wall, EventName::Degraded).because(reason));
        }
        self.tell_of_store();
    }

    /// A ban that the programs just wrote: a power cut within the next second must not lift it.
    pub(super) fn keep_ban(&mut self, event: Event) {
        if EventKind::from_number(event.kind) != Some(EventKind::Ban) {
            return;
        }
        if let Ok(Some(ban)) = self.kernel.tables.ban(event.source) {
            let terms = Terms::of(&self.controller, clock::now());
            self.store.remember(self.remembered.ban(event.source, &ban, terms));
        }
    }

    /// Everything about bans that is different since the last look.
    pub(super) fn keep_bans(&mut self, bans: &[(Source, Ban)], prefix_bans: &[(IpNet, Ban)]) {
        if self.store.wants_everything() {
            self.remembered.forget();
            self.ticks_to_peers = 0;
            self.keep_seed();
        }
        let terms = Terms::of(&self.controller, clock::now());
        self.store.remember(self.remembered.bans(bans, prefix_bans, terms));
    }

    pub(super) fn keep_peers_now_and_then(&mut self) -> Result<(), KernelError> {
        if self.ticks_to_peers > 0 {
            self.ticks_to_peers -= 1;
            return Ok(());
        }
        self.ticks_to_peers = TICKS_TO_PEERS;
        self.keep_peers()
    }

    /// Says what went wrong with the store, and what works again.
    pub(super) fn tell_of_store(&mut self) {
        for news in self.store.news() {
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(news));
        }
    }

    /// The secret that the hashes in the store need.
    pub(super) fn keep_seed(&self) {
        if let Ok(live) = self.kernel.tables.live() {
            self.store.remember(Changes { hash_seed: Some(live.hash_seed), ..Default::default() });
        }
    }

    /// Everything, before the agent ends.
    pub(super) fn keep_all(&mut self) {
        let kept = self.kernel.tables.bans().and_then(|bans| {
            let prefix_bans = self.kernel.tables.prefix_bans()?;
            self.keep_bans(&bans, &prefix_bans);
            self.keep_peers()
        });
        self.complain(kept.err().map(|error| error.to_string()));
    }

    fn keep_peers(&mut self) -> Result<(), KernelError> {
        let terms = Terms::of(&self.controller, clock::now());
        self.store.remember(self.remembered.peers(&self.kernel.tables, terms)?);
        self.store.remember(self.remembered.strikes(&self.kernel.tables, terms)?);
        Ok(())
    }
}
