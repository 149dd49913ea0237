//! Arriving packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sip_fw_common::abi::{Method, PeerKey, Source, Transaction, TransactionKey};
use sip_fw_common::bucket::{Admission, pay};
use sip_fw_common::hash;
use sip_fw_common::head::Span;
use sip_fw_common::limits::BUCKETS_MAX;
use sip_fw_common::reason::Reason;
use sip_fw_common::request;
use sip_fw_common::sip::{Scan, StartLine, uri_user};
use sip_fw_common::wire::{Address, Ip, Transport};
use sip_fw_core::rules::{Action, Rule};

use super::{Addressed, Message, Model, headers};

impl Model {
    /// What is counted of an arriving packet; [`Reason::drops`] says whether it is dropped.
    pub fn arrive(&mut self, frame: &[u8]) -> Reason {
        let (ip, transport) = match headers(frame) {
            Ok(read) => read,
            Err(reason) => return reason,
        };
        let service = transport.ok().and_then(|found| self.service_at(found.tcp, found.destination_port));
        // What hides its ports may be for a service.
        let hidden = transport == Err(Reason::Malformed);
        if service.is_none() && self.settings().scope_host == 0 && !hidden {
            return transport.map_or_else(|reason| reason, |transport| self.without_service(frame, &ip, transport));
        }
        let peer = self.source(ip.source);
        let action = self.access(&ip, peer, service);
        if action == Action::Trust {
            return Reason::Trusted;
        }
        let is_banned = self.is_banned(peer, frame.len() as u64);
        let closed = match (is_banned, action) {
            (true, _) => Some(Reason::Banned),
            (false, Action::Deny) if service.is_some() => Some(Reason::Denied),
            _ => None,
        };
        let observe = self.settings().observe != 0;
        if let Some(reason) = closed.filter(|_| !observe) {
            return reason;
        }
        let transport = match transport {
            Ok(transport) => transport,
            Err(reason) => return reason,
        };
        let Some(service) = service else { return self.without_service(frame, &ip, transport) };
        let mut passes = closed.is_none();
        if self.is_sip(service) {
            if transport.payload_len != 0 && !self.is_within_rate(peer, service) {
                if !observe {
                    return Reason::Flood;
                }
                passes = false;
            }
            let peer_port = transport.source_port;
            let seen = self.message(&Addressed { frame, peer, peer_port, transport, service, client: false });
            if passes {
                return seen;
            }
        }
        if passes { Reason::Opaque } else { Reason::WouldDrop }
    }

    /// To a port of no service comes at most an answer over TCP, from whom this host called.
    fn without_service(&mut self, frame: &[u8], ip: &Ip, transport: Transport) -> Reason {
        let peer = self.source(ip.source);
        let Transport { tcp, payload_len, source_port: peer_port, .. } = transport;
        let called = self.service_at(tcp, peer_port).filter(|service| self.is_sip(*service));
        if let Some(service) = called.filter(|service| tcp && payload_len != 0 && self.was_asked(peer, *service)) {
            self.message(&Addressed { frame, peer, peer_port, transport, service, client: true });
        }
        Reason::NoService
    }

    /// Whether a ban is in force; what it drops is counted in it.
    fn is_banned(&mut self, peer: Source, bytes: u64) -> bool {
        let (now_ns, drops) = (self.now_ns(), self.settings().observe == 0);
        let Some(ban) = self.bans.get_mut(&peer).filter(|ban| now_ns < ban.until_ns) else { return false };
        if drops {
            ban.packets += 1;
            ban.bytes += bytes;
        }
        true
    }

    fn access(&self, ip: &Ip, peer: Source, service: Option<u8>) -> Action {
        let address = match ip.source {
            Address::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            Address::V6 { high, low } => IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))),
        };
        if self.plan.own.contains(&address) {
            return Action::Trust;
        }
        let is_peer = service.is_some() && self.is_peer(peer, 0);
        let matches = |rule: &&Rule| {
            let there = rule.to.as_ref().is_none_or(|to| service.is_some_and(|service| to.contains(&service)));
            there && (rule.learned && is_peer || rule.nets.iter().any(|net| net.contains(&address)))
        };
        match (self.plan.rules.iter().find(matches), service) {
            (Some(rule), _) => rule.action,
            // Whom this host asks must be able to answer.
            (None, Some(service)) if !self.was_asked(peer, service) => self.plan.services[usize::from(service)].default,
            (None, _) => Action::Allow,
        }
    }

    /// Pays as somebody whom nobody knows, and when that is spent as a known peer.
    fn is_within_rate(&mut self, peer: Source, service: u8) -> bool {
        let payers = if self.is_peer(peer, 0) { &[false, true][..] } else { &[false] };
        let rates = self.plan.services[usize::from(service)].rates;
        for (rate, known) in rates.into_iter().zip(payers) {
            if rate.interval_us == 0 {
                return true;
            }
            let place = hash::mix(self.live.hash_seed ^ (u64::from(service) << 1 | u64::from(*known)), peer.bits);
            let entry = self.buckets.entry(place as u32 & (BUCKETS_MAX - 1)).or_default();
            let (state, admission) = pay(*entry, place, self.live.fixed_now_ns, rate);
            *entry = state;
            if admission == Admission::Within {
                return true;
            }
        }
        false
    }

    fn message(&mut self, packet: &Addressed<'_>) -> Reason {
        let Some(message) = Message::of(packet).filter(|message| message.start < message.len) else {
            return Reason::KeepAlive;
        };
        let method = match message.line {
            StartLine::Request(_) if packet.client => return Reason::NoService,
            StartLine::Request(Method::Ack | Method::Cancel) => return Reason::AckOrCancel,
            StartLine::Request(method) => Some(method),
            StartLine::Response(_) => None,
            StartLine::Unknown => return Reason::Unparsed,
        };
        let found = message.scan::<false>();
        let branch = hash::span(&message.head, self.live.hash_seed, found.branch());
        let key = TransactionKey { source: packet.peer, branch };
        match method {
            None if found.has_via() => self.learn(&key),
            None => {}
            Some(_) if !found.has_via() => return Reason::Unparsed,
            Some(method) => {
                let asked = self.described(packet, &message, &found, method);
                return self.remember(key, asked);
            }
        }
        Reason::ResponseIn
    }

    /// Who answers this host is an upstream, unless it authenticated here.
    fn learn(&mut self, key: &TransactionKey) {
        let is_known = |user| self.peers.contains_key(&PeerKey { source: key.source, user });
        let authenticated = is_known(0) && !is_known(PeerKey::UPSTREAM);
        if self.asked.remove(key).is_some() && !authenticated {
            self.welcome(key.source, PeerKey::UPSTREAM);
        }
    }

    fn described(&self, packet: &Addressed<'_>, message: &Message, found: &Scan, method: Method) -> Transaction {
        let mut asked = Transaction {
            peer_port: packet.peer_port,
            method: method as u8,
            tcp: u8::from(packet.transport.tcp),
            service: packet.service,
            ..Transaction::NOTHING
        };
        let user = |span| uri_user(&message.head, span, 0);
        let asked_for = match found.credentials {
            0 => request::asked_for(method as u8, message.start, found, user),
            _ => Span::default(),
        };
        let hash = |span| hash::span(&message.head, self.live.hash_seed, span);
        request::describe(&message.head, found, &mut asked, asked_for, hash);
        asked.credit = u64::from(asked.credentials != 0 && self.proves(&asked.nonces, packet.peer));
        asked
    }

    fn remember(&mut self, key: TransactionKey, asked: Transaction) -> Reason {
        let is_attempt = asked.credentials != 0;
        if let Some(known) = self.transactions.get(&key).copied() {
            if known.digest == asked.digest && known.method == asked.method {
                return Reason::Retransmission;
            }
            let waits = known.credentials != 0 && known.answered < known.asked;
            let (times, credit) = (known.asked + 1, known.credit + asked.credit);
            let after = if waits && (!is_attempt || self.proves(&known.nonces, key.source)) {
                // Nothing covers an attempt that waits for its answer.
                let digest = if is_attempt { asked.digest } else { known.digest };
                Transaction { digest, asked: times, credit, ..known }
            } else {
                Transaction { asked: times, answered: known.answered, service: known.service, ..asked }
            };
            self.transactions.insert(key, after);
        } else {
            self.transactions.insert(key, asked);
        }
        let account = self.account(key.source);
        account.requests += 1;
        account.attempts += u64::from(is_attempt);
        Reason::Request
    }
}
