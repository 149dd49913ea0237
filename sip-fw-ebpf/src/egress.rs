//! Leaving packets: a SIP answer is tied to its request and judged; at the threshold the source is banned here, so
//! that its next packet is dropped whether the agent is alive or not.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::programs::TcContext;
use aya_log_ebpf::debug;
use sip_fw_common::abi::{
    Asked, Ban, BanOrigin, Event, EventKind, Evidence, Known, Live, Method, Nonce, Peer, ServiceKind, Settings, Source,
    Transaction, TransactionKey,
};
use sip_fw_common::hash;
use sip_fw_common::head::{Head, Span};
use sip_fw_common::judge::{Answer, Outcome, Refusal, outcome};
use sip_fw_common::limits::{ANSWER_TIME_NS, CREDENTIALS_MAX, INVITE_ANSWER_TIME_NS};
use sip_fw_common::reason::Reason;
use sip_fw_common::sip::{Cursor, StartLine, message_start, start_line};
use sip_fw_common::wire::{self, Ip, Packet, PlainUdp, Transport};

use crate::maps::Scratch;
use crate::packet::{Place, Ports, View, copy_head};
use crate::tables::{self, Account, Entry, Rules};
use crate::{clock, ingress, scan, words};

/// Runs on one packet.
#[inline(always)]
pub fn run(context: &TcContext) {
    let packet = View::egress(context);
    // Most packets are media.
    let plain = PlainUdp::of(&packet);
    if plain.is_plain()
        && let Some(gate) = tables::gate()
        && !tables::may_be_served(gate, false, plain.source_port())
    {
        tables::record(Reason::OutOther, packet.size());
        return;
    }
    let mut place = MaybeUninit::uninit();
    let place = Place::nowhere(&mut place);
    if !look(context, place) {
        tables::record(Reason::OutOther, View::egress(context).size());
        return;
    }
    let Place { source, payload, payload_len, ports } = place;
    let read = sip_fw_answer(context.skb.skb, source.bits, *payload, *payload_len, ports.pack());
    let reason = Reason::from_number(read as u8).unwrap_or(Reason::OutUnjudged);
    tables::record(reason, View::egress(context).size());
}

/// Looks at a packet up to its message, if it may have one. A function of its own, for a stack of its own: Linux 6.1 adds up at
/// most 512 bytes over all calls, and reading a message takes most of them.
#[inline(never)]
fn look(context: &TcContext, place: &mut Place) -> bool {
    let packet = &View::egress(context);
    let Ok(ip) = wire::ip(packet) else { return false };
    let Ok(transport) = wire::transport(packet, &ip) else { return false };
    let Some(gate) = tables::gate() else { return false };
    let Transport { tcp, source_port, destination_port, .. } = transport;
    let is_called = tcp && tables::may_be_served(gate, true, destination_port);
    if !(is_called || tables::may_be_served(gate, tcp, source_port)) {
        return false;
    }
    tables::rules().is_some_and(|rules| find_message(&rules, &ip, &transport, place))
}

#[inline(always)]
fn find_message(rules: &Rules, ip: &Ip, transport: &Transport, place: &mut Place) -> bool {
    // This host calls over TCP from any port.
    let own = rules.service(transport.tcp, transport.source_port);
    let client = own.is_none() && transport.tcp && transport.payload_len != 0;
    let called = if client { rules.service(true, transport.destination_port) } else { own };
    let Some((number, service)) = called else { return false };
    if service.kind() != ServiceKind::Sip as u8 {
        return false;
    }
    let source = ingress::source(rules.settings().ipv6_mask, ip.destination);
    let Transport { tcp, destination_port, payload, payload_len, .. } = *transport;
    let ports = Ports { peer: destination_port, tcp, client, service: number, refusal: service.refusal() };
    *place = Place { source, payload, payload_len, ports };
    true
}

/// What the nonces of an attempt say.
struct Nonces {
    /// One of them was handed to this source and to no other.
    proof: bool,
    /// One of them was handed out for the method of the attempt, to whomever.
    challenged: bool,
    /// One of them has the form of chan_pjsip.
    pjsip: bool,
}

/// Reads a message that leaves from a SIP port. A global function, as [`ingress::sip_fw_request`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_answer(
    context: *mut __sk_buff,
    source: u64,
    payload: u64,
    payload_len: u64,
    ports: u64,
) -> u32 {
    let context = TcContext::new(context);
    let place = Place { source: Source { bits: source }, payload, payload_len, ports: Ports::unpack(ports) };
    message(&context, &place) as u32
}

#[inline(always)]
fn message(context: &TcContext, place: &Place) -> Reason {
    let (Some(rules), Some(scratch)) = (tables::rules(), tables::scratch_egress()) else {
        return Reason::OutUnjudged;
    };
    let Rules { live, .. } = rules;
    let settings = rules.settings();
    let source = place.source;
    let head = &mut scratch.head;
    let Some(len) = copy_head(context, place.payload, place.payload_len, head) else {
        return Reason::OutUnjudged;
    };
    let zero = u64::from(live.zero);
    let start = message_start(head, len, zero);
    let kind = match start_line(head, start) {
        StartLine::Response(status) if status >= 200 && !place.ports.client => u64::from(status),
        StartLine::Request(Method::Ack) | StartLine::Response(_) | StartLine::Unknown => return Reason::OutUnjudged,
        // A request of this host, maybe to an upstream.
        StartLine::Request(method) => {
            await_answers(live, source, method as u64 | u64::from(place.ports.service) << 8);
            if !matches!(method, Method::Register | Method::Invite | Method::Options) {
                return Reason::OutUnjudged;
            }
            method as u64
        }
    };
    scan::hide(scratch, kind);
    scan::response(scratch, Cursor::new(start, len, zero));
    let status = scan::hidden(scratch) as u16;
    let Scratch { head, scan: found, event, ban, peer, .. } = scratch;

    let seed = live.hash_seed;
    let key = TransactionKey { source, branch: hash::span(head, seed, found.branch()) };
    if status < 100 {
        let tcp = u64::from(place.ports.tcp) << 16;
        ask(live, &key, u64::from(status) | u64::from(place.ports.service) << 8 | tcp);
        return Reason::OutUnjudged;
    }
    let asked = tables::asked(&key);
    let method = asked.map_or(Method::Other as u8, |asked| asked.method);
    if status == 401 || status == 407 {
        sip_fw_hand_out(source.bits, u64::from(method), seed, clock::now_ns(live));
    }
    let Some(asked) = asked else {
        if place.ports.tcp {
            unread(&rules, scratch, place, u64::from(status));
        }
        return Reason::OutUnmatched;
    };
    // The answer to a CANCEL has the branch of the request that it cancels (RFC 3261 §9.1). A refusal is none: chan_pjsip
    // authenticates requests whose CSeq names another method, and Kamailio's scripts may.
    let refused = matches!(status, 401 | 403 | 404 | 407);
    let other = found.cseq_method().is_some_and(|method| method as u8 != asked.method);
    if (other && !refused) || !tables::claim(asked) {
        return Reason::OutUnmatched;
    }

    let nonces = nonces_of(asked, source);
    let refusal = match place.ports.refusal {
        0 if nonces.pjsip => Refusal::Challenge,
        1 => Refusal::Challenge,
        _ => Refusal::Forbidden,
    };
    let answer = Answer {
        status,
        method: Method::from_number(asked.method).unwrap_or(Method::Other),
        attempt: asked.credentials != 0,
        stale: found.is_stale(head),
        refusal,
    };
    let over_tcp = place.ports.tcp && asked.tcp != 0 && asked.peer_port == place.ports.peer;
    let outcome = outcome(&answer);
    // Somebody else's requests on the same branch, in the name of this source, have no proof of their own.
    let spent = matches!(outcome, Outcome::Failure | Outcome::Success) && tables::spend(asked);
    let proof = nonces.proof && (spent || !matches!(outcome, Outcome::Failure));
    let evidence = if proof || over_tcp { Evidence::Proven } else { Evidence::Unproven };
    let now_ns = clock::now_ns(live);
    let account = Account::of(source, now_ns);
    let count = |entry| {
        if let Some(account) = &account {
            account.count(entry);
        }
    };
    event.time_ns = now_ns;
    event.source = source;
    event.until_ns = 0;
    event.strikes = 0;
    event.status = status;
    event.kind = EventKind::AuthFailure as u8;
    event.method = asked.method;
    event.evidence = evidence as u8;
    event.service = asked.service;
    event.level = 0;
    event.tcp = asked.tcp;
    event.observed = settings.observe as u8;
    event.known = Known::Nobody as u8;
    words::copy(&asked.user, &mut event.user);
    words::copy(&asked.user_agent, &mut event.user_agent);
    match outcome {
        Outcome::Provisional => Reason::OutUnjudged,
        Outcome::Challenge => {
            count(Entry::Challenge);
            tell_plain(settings, event, EventKind::Refused);
            Reason::Challenge
        }
        Outcome::Stale => {
            count(Entry::Stale);
            Reason::Stale
        }
        Outcome::Neutral => {
            if let Some(kind) = plain(status, answer.method, answer.attempt) {
                tell_plain(settings, event, kind);
            }
            Reason::Neutral
        }
        Outcome::Success => {
            count(Entry::Success);
            // A nonce of another method proves the source, but not that anybody checked this password.
            let checked = nonces.challenged && asked.user_hash != Transaction::SEVERAL_USERS;
            if evidence as u8 == Evidence::Proven as u8 && checked {
                clear(event, asked.user_hash, peer);
            }
            event.kind = EventKind::AuthSuccess as u8;
            tables::send(event);
            Reason::Success
        }
        Outcome::Failure => {
            if evidence as u8 != Evidence::Proven as u8 {
                count(Entry::FailureUnproven);
                tell_unproven(settings, event, asked.user_hash);
                return Reason::FailureUnproven;
            }
            count(Entry::FailureProven);
            fail(context, settings, asked.user_hash, event, ban);
            Reason::FailureProven
        }
    }
}

/// What an answer that says nothing of a password says of who asked.
#[inline(always)]
fn plain(status: u16, method: Method, attempt: bool) -> Option<EventKind> {
    match status {
        _ if attempt => Some(EventKind::FollowedUp),
        401 | 403 | 404 | 407 => Some(EventKind::Refused),
        200..=299 if matches!(method, Method::Register | Method::Invite | Method::Subscribe) => {
            Some(EventKind::Accepted)
        }
        _ => None,
    }
}

/// Tells of an answer that says nothing of a password, unless a known peer asked.
#[inline(never)]
fn tell_plain(settings: &Settings, event: &mut Event, kind: EventKind) {
    if !tables::is_peer(settings, event.source, event.time_ns) {
        event.kind = kind as u8;
        tables::send(event);
    }
}

/// Tells of a failure whose source may be forged. A function of its own, for a stack of its own.
#[inline(never)]
fn tell_unproven(settings: &Settings, event: &mut Event, user: u64) {
    event.known = tables::known(settings, event.source, user, event.time_ns) as u8;
    tables::send(event);
}

/// Tells of an answer over TCP to a request that could not be read: that it was answered proves its source.
#[inline(never)]
fn unread(rules: &Rules, scratch: &mut Scratch, place: &Place, status: u64) {
    let status = status as u16;
    let method = scratch.scan.cseq_method().unwrap_or(Method::Other);
    let kind = match (status, plain(status, method, false)) {
        (404, _) | (_, None) => return,
        (_, Some(kind)) => kind,
    };
    let event = &mut scratch.event;
    let now_ns = clock::now_ns(rules.live);
    ingress::blank(event, kind, place.source, now_ns);
    event.status = status;
    event.method = method as u8;
    event.evidence = Evidence::Proven as u8;
    event.service = place.ports.service;
    event.tcp = 1;
    event.observed = rules.settings().observe as u8;
    tell_plain(rules.settings(), event, kind);
}

/// Lets the answer to a request of this host in. `how`: its method and the service's number, eight bits each. A function of its
/// own, for a stack of its own.
#[inline(never)]
fn await_answers(live: &Live, source: Source, how: u64) {
    let method = how as u8;
    let rings = method == Method::Invite as u8;
    let time_ns = clock::now_ns(live) + if rings { INVITE_ANSWER_TIME_NS } else { ANSWER_TIME_NS };
    let mut asked = Asked { time_ns, method, service: (how >> 8) as u8, tcp: 0, _pad: [0; 5] };
    tables::await_answers(source, &mut asked);
}

/// Remembers a request of this host until it is answered. `how`: as above, and whether over TCP.
#[inline(never)]
fn ask(live: &Live, key: &TransactionKey, how: u64) {
    let asked = Asked {
        time_ns: clock::now_ns(live),
        method: how as u8,
        service: (how >> 8) as u8,
        tcp: (how >> 16) as u8,
        _pad: [0; 5],
    };
    tables::ask(key, &asked);
}

/// Clears what a success with proof clears, and makes its source a known peer.
#[inline(never)]
fn clear(event: &Event, user: u64, peer: &mut Peer) {
    tables::clear_strikes(event.source, user);
    peer.last_ns = event.time_ns;
    peer.tcp = event.tcp;
    peer.service = event.service;
    peer.method = event.method;
    peer.user = event.user;
    let _ = tables::welcome(event.source, user, peer);
}

/// Counts a proven failure, and bans at the threshold a source that is no known peer: an office is not banned for one
/// bad phone, and who tells the two apart is user space.
#[inline(never)]
fn fail(context: &TcContext, settings: &Settings, user: u64, event: &mut Event, ban: &mut Ban) {
    let last = tables::ban(event.source);
    let forgiven_ns = last.map_or(0, |ban| ban.until_ns);
    event.strikes = tables::sip_fw_strike(event.source.bits, user, event.time_ns, settings.window_ns, forgiven_ns);
    event.known = tables::known(settings, event.source, user, event.time_ns) as u8;
    tables::send(event);
    debug!(context, "proven failure {} of threshold {}", event.strikes, settings.threshold);
    if event.strikes < settings.threshold || event.known != Known::Nobody as u8 {
        return;
    }
    ban.packets = 0;
    ban.bytes = 0;
    ban.strikes = event.strikes;
    ban.origin = BanOrigin::Failures as u8;
    ban.evidence = event.evidence;
    ban.service = event.service;
    ban.user = event.user;
    ban.user_agent = event.user_agent;
    match tables::write_ban(settings, event.source, ban, event.time_ns) {
        None => {
            event.kind = EventKind::Ban as u8;
            event.until_ns = ban.until_ns;
            event.level = ban.level;
            tables::send(event);
            debug!(context, "banned at level {}", ban.level);
        }
        Some(Reason::BanLost) => tables::record(Reason::BanLost, 0),
        Some(_) => {}
    }
}

/// Remembers the nonces of the challenge in the scratch. A global function, as [`ingress::sip_fw_request`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_hand_out(source: u64, method: u64, seed: u64, now_ns: u64) -> u32 {
    let Some(Scratch { head, scan: found, .. }) = tables::scratch_egress() else { return 0 };
    let mut slot = 0;
    while slot < CREDENTIALS_MAX {
        let span = found.nonce(slot);
        if span.len != 0 {
            let form = if is_pjsip(head, span) { Nonce::PJSIP } else { 0 };
            tables::hand_out(hash::span(head, seed, span), Source { bits: source }, method as u8, form, now_ns);
        }
        slot += 1;
    }
    if found.nonce(0).len == 0 {
        tables::mark_unread(now_ns);
    }
    slot as u32
}

/// Whether a nonce has the form of chan_pjsip: ten digits of a Unix time, a slash, 32 hexadecimal digits.
#[inline(always)]
fn is_pjsip(head: &Head, nonce: Span) -> bool {
    nonce.len == 43 && head.byte(u64::from(nonce.at) + 10) == b'/'
}

/// What is known of the nonces in an attempt.
#[inline(always)]
fn nonces_of(asked: &Transaction, source: Source) -> Nonces {
    let mut known = Nonces { proof: false, challenged: false, pjsip: false };
    let mut slot = 0;
    while slot < CREDENTIALS_MAX {
        let hash = asked.nonces[slot];
        if hash != 0
            && let Some(nonce) = tables::nonce(hash)
        {
            known.proof |= nonce.is_only_of(source) && !tables::is_doubtful(&nonce);
            known.challenged |= nonce.flags & Nonce::challenged(asked.method) != 0;
            known.pjsip |= nonce.flags & Nonce::PJSIP != 0;
        }
        slot += 1;
    }
    known
}
