//! Leaving packets.

use sip_fw_common::abi::{Asked, Ban, BanOrigin, Method, Nonce, Settings, Source, Transaction, TransactionKey};
use sip_fw_common::hash;
use sip_fw_common::head::Span;
use sip_fw_common::judge::{Answer, Outcome, Refusal, outcome};
use sip_fw_common::ladder;
use sip_fw_common::limits::{ANSWER_TIME_NS, CREDENTIALS_MAX, INVITE_ANSWER_TIME_NS, UNREAD_SECONDS};
use sip_fw_common::reason::Reason;
use sip_fw_common::sip::{Scan, StartLine};
use sip_fw_common::wire::Transport;

use super::{Addressed, Message, Model, headers};

const SECOND_NS: u64 = 1_000_000_000;

impl Model {
    /// What is counted of a leaving packet, which always goes on.
    pub fn leave(&mut self, frame: &[u8]) -> Reason {
        let Ok((ip, Ok(transport))) = headers(frame) else { return Reason::OutOther };
        let Transport { tcp, source_port, destination_port: peer_port, payload_len, .. } = transport;
        let own = self.service_at(tcp, source_port);
        let client = own.is_none() && tcp && payload_len != 0;
        let called = if client { self.service_at(true, peer_port) } else { own };
        match called.filter(|service| self.is_sip(*service)) {
            Some(service) => {
                let peer = self.source(ip.destination);
                self.sent(&Addressed { frame, peer, peer_port, transport, service, client })
            }
            None => Reason::OutOther,
        }
    }

    fn sent(&mut self, packet: &Addressed<'_>) -> Reason {
        let Some(message) = Message::of(packet) else { return Reason::OutUnjudged };
        match message.line {
            StartLine::Response(status) if status >= 200 && !packet.client => self.answer(packet, &message, status),
            StartLine::Request(method) if method != Method::Ack => {
                self.ask(packet, &message, method);
                Reason::OutUnjudged
            }
            _ => Reason::OutUnjudged,
        }
    }

    /// A request of this host lets answers in, and may make an upstream known.
    fn ask(&mut self, packet: &Addressed<'_>, message: &Message, method: Method) {
        let Addressed { peer: source, service, .. } = *packet;
        let now_ns = self.now_ns();
        let entry = |time_ns, tcp| Asked { time_ns, method: method as u8, service, tcp, _pad: [0; 5] };
        let wait_ns = if method == Method::Invite { INVITE_ANSWER_TIME_NS } else { ANSWER_TIME_NS };
        let any = TransactionKey { source, branch: Asked::ANY_BRANCH };
        let longer = self.asked.get(&any).filter(|before| before.service == service).map_or(0, |before| before.time_ns);
        self.asked.insert(any, entry(longer.max(now_ns + wait_ns), 0));
        if matches!(method, Method::Register | Method::Invite | Method::Options) {
            let found = message.scan::<true>();
            let branch = self.hash(message, found.branch());
            let asked = entry(now_ns, u8::from(packet.transport.tcp));
            self.asked.entry(TransactionKey { source, branch }).or_insert(asked);
        }
    }

    fn hash(&self, message: &Message, span: Span) -> u64 {
        hash::span(&message.head, self.live.hash_seed, span)
    }

    fn answer(&mut self, packet: &Addressed<'_>, message: &Message, status: u16) -> Reason {
        let found = message.scan::<true>();
        let key = TransactionKey { source: packet.peer, branch: self.hash(message, found.branch()) };
        let asked = self.transactions.get(&key).copied();
        if matches!(status, 401 | 407) {
            let method = asked.map_or(Method::Other as u8, |asked| asked.method);
            self.hand_out(packet.peer, message, &found, method);
        }
        let Some(asked) = asked else { return Reason::OutUnmatched };
        let refused = matches!(status, 401 | 403 | 404 | 407);
        let other = found.cseq_method().is_some_and(|method| method as u8 != asked.method);
        if other && !refused || asked.answered >= asked.asked {
            return Reason::OutUnmatched;
        }
        let stale = found.is_stale(&message.head);
        let after = Transaction { answered: asked.answered + 1, ..asked };
        self.transactions.insert(key, after);
        self.judge(packet, key, &after, status, stale)
    }

    /// Notes who got which nonce; a challenge without a readable one casts doubt on those of that time.
    fn hand_out(&mut self, receiver: Source, message: &Message, found: &Scan, method: u8) {
        let time_ns = self.now_ns();
        let spans = (0..CREDENTIALS_MAX).map(|slot| found.nonce(slot)).filter(|span| span.len != 0);
        for span in spans {
            let nonce = message.head.bytes(span);
            let form = if nonce.len() == 43 && nonce[10] == b'/' { Nonce::PJSIP } else { 0 };
            let flags = form | Nonce::challenged(method);
            let fresh = Nonce { receiver, flags: 0, time_ns };
            let known = self.nonces.entry(self.hash(message, span)).or_insert(fresh);
            known.flags |= flags | if known.receiver == receiver { 0 } else { Nonce::SHARED };
        }
        if found.nonce(0).len == 0 {
            let second = time_ns / SECOND_NS;
            self.unread.insert(second % u64::from(UNREAD_SECONDS), second);
        }
    }

    fn is_doubtful(&self, nonce: &Nonce) -> bool {
        let second = nonce.time_ns / SECOND_NS;
        let mut near = second.saturating_sub(2)..=second + 2;
        let is_unread = |second| self.unread.get(&(second % u64::from(UNREAD_SECONDS))) == Some(&second);
        nonce.flags & Nonce::PJSIP == 0 && near.any(is_unread)
    }

    fn judge(
        &mut self,
        packet: &Addressed<'_>,
        key: TransactionKey,
        asked: &Transaction,
        status: u16,
        stale: bool,
    ) -> Reason {
        let source = packet.peer;
        let known: Vec<Nonce> = asked.nonces.iter().filter_map(|hash| self.nonces.get(hash)).copied().collect();
        let proof = known.iter().any(|nonce| nonce.is_only_of(source) && !self.is_doubtful(nonce));
        let challenged = known.iter().any(|nonce| nonce.flags & Nonce::challenged(asked.method) != 0);
        let pjsip = known.iter().any(|nonce| nonce.flags & Nonce::PJSIP != 0);
        let refusal = match self.plan.services[usize::from(packet.service)].refusal {
            1 => Refusal::Challenge,
            0 if pjsip => Refusal::Challenge,
            _ => Refusal::Forbidden,
        };
        let method = Method::from_number(asked.method).unwrap_or(Method::Other);
        let attempt = asked.credentials != 0;
        let outcome = outcome(&Answer { status, method, attempt, stale, refusal });
        let spends = matches!(outcome, Outcome::Failure | Outcome::Success) && asked.credit > 0;
        if spends {
            self.transactions.insert(key, Transaction { credit: asked.credit - 1, ..*asked });
        }
        let over_tcp = packet.transport.tcp && asked.tcp != 0 && asked.peer_port == packet.peer_port;
        let proven = over_tcp || proof && (spends || outcome != Outcome::Failure);
        let account = self.account(source);
        match outcome {
            Outcome::Provisional => Reason::OutUnjudged,
            Outcome::Neutral => Reason::Neutral,
            Outcome::Challenge => {
                account.challenges += 1;
                Reason::Challenge
            }
            Outcome::Stale => {
                account.stale += 1;
                Reason::Stale
            }
            Outcome::Success => {
                account.successes += 1;
                if proven && challenged && asked.user_hash != Transaction::SEVERAL_USERS {
                    let strikes = self.strikes.entry(source).or_default();
                    strikes
                        .iter_mut()
                        .filter(|strike| strike.user == asked.user_hash)
                        .for_each(|strike| strike.time_ns = 0);
                    self.welcome(source, asked.user_hash);
                }
                Reason::Success
            }
            Outcome::Failure if !proven => {
                account.failures_unproven += 1;
                Reason::FailureUnproven
            }
            Outcome::Failure => {
                account.failures_proven += 1;
                self.fail(source, asked);
                Reason::FailureProven
            }
        }
    }

    fn fail(&mut self, source: Source, asked: &Transaction) {
        let strikes = self.struck(source, asked.user_hash);
        let Settings { threshold, .. } = *self.settings();
        let now_ns = self.now_ns();
        let last = self.bans.get(&source);
        let holds = last.is_some_and(|ban| ban.until_ns > now_ns);
        if strikes < threshold || self.is_peer(source, 0) || holds {
            return;
        }
        let step = ladder::next(self.settings(), last, now_ns);
        let (packets, bytes) = last.map_or((0, 0), |ban| (ban.packets, ban.bytes));
        let ban = Ban {
            packets,
            bytes,
            strikes,
            level: step.level,
            service: asked.service,
            user: asked.user,
            user_agent: asked.user_agent,
            ..Ban::new(BanOrigin::Failures, now_ns, now_ns.saturating_add(step.length_ns))
        };
        self.bans.insert(source, ban);
    }
}
