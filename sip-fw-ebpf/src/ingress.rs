//! Arriving packets: banned sources are dropped, SIP requests are remembered until their answer leaves.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::XdpContext;
use sip_fw_common::abi::{Event, EventKind, Method, PeerKey, PrefixKey, ServiceKind, Source, TransactionKey};
use sip_fw_common::bucket::Admission;
use sip_fw_common::hash;
use sip_fw_common::head::Span;
use sip_fw_common::limits::{DENIED_SAMPLES_PER_SECOND, SCANNER_SAMPLES_PER_SECOND};
use sip_fw_common::reason::Reason;
use sip_fw_common::request;
use sip_fw_common::rules::{Action, Decision, Who};
use sip_fw_common::sip::{Cursor, StartLine, message_start, start_line, uri_user};
use sip_fw_common::wire::{self, Address, Ip, Packet, PlainUdp, Transport};

use crate::maps::Scratch;
use crate::packet::{Place, Ports, View, copy_head};
use crate::tables::{self, Account, Entry, Remembered, Rules, SECOND_NS};
use crate::{clock, scan};

/// Runs on one packet and returns the XDP action. Most packets are plain UDP, and most of these are media or an attack: they are
/// dealt with before anything else is asked.
#[inline(always)]
pub fn run(context: &XdpContext) -> u32 {
    let packet = View::ingress(context);
    let mut is_free = 0;
    let plain = PlainUdp::of(&packet);
    if plain.is_plain()
        && let Some(gate) = tables::gate()
    {
        if !tables::may_be_served(gate, false, plain.destination_port()) {
            tables::record(Reason::NoService, packet.size());
            return XDP_PASS;
        }
        if let Some(live) = tables::live() {
            if gate.drops_at_once != 0 {
                if tables::is_banned(live, 0, plain.source(gate.ipv6_mask), packet.size()) {
                    tables::record(Reason::Banned, packet.size());
                    return XDP_DROP;
                }
                is_free = 1;
            }
            // Unknown to the verifier, or it walks everything below once for either.
            is_free = (is_free ^ live.zero) & 1;
        }
    }
    let reason = judge(context, is_free != 0);
    tables::record(reason, View::ingress(context).size());
    if reason.drops() { XDP_DROP } else { XDP_PASS }
}

/// Looks at a packet, and reads the message in it. `is_free`: its very source is known not to be banned.
#[inline(always)]
fn judge(context: &XdpContext, is_free: bool) -> Reason {
    let mut place = MaybeUninit::uninit();
    let place = Place::nowhere(&mut place);
    let looked = look(context, place, is_free);
    let reason = Reason::from_number(looked as u8).unwrap_or(Reason::Malformed);
    if looked & READ == 0 {
        return reason;
    }
    let Place { source, payload, payload_len, ports } = place;
    let read = sip_fw_request(context.ctx, source.bits, *payload, *payload_len, ports.pack());
    if looked & CLOSED == 0 { Reason::from_number(read as u8).unwrap_or(Reason::Unparsed) } else { reason }
}

/// Beside a reason: the packet has a SIP message to read, which then gives the reason.
const READ: u32 = 1 << 8;
/// Beside a reason: the packet would be dropped, but for the mode.
const CLOSED: u32 = 1 << 9;

/// Looks at a packet up to its message: a reason, and [`READ`] and [`CLOSED`]. `is_free`: its very source is known not to be banned.
/// A function of its own, for a stack of its own: Linux 6.1 adds up at most 512 bytes over all calls, and reading a message takes
/// most of them.
#[inline(never)]
fn look(context: &XdpContext, place: &mut Place, mut is_free: bool) -> u32 {
    let packet = &View::ingress(context);
    let ip = match wire::ip(packet) {
        Ok(ip) => ip,
        Err(reason) => return reason as u32,
    };
    let transport = wire::transport(packet, &ip);
    let (Some(gate), Some(live)) = (tables::gate(), tables::live()) else { return Reason::NoService as u32 };
    if let Ok(transport) = &transport {
        let is_for_service = tables::may_be_served(gate, transport.tcp, transport.destination_port);
        // What comes from a TCP port of a service may answer this host.
        let may_answer = transport.tcp && tables::may_be_served(gate, true, transport.source_port);
        if !(is_for_service || may_answer) {
            return Reason::NoService as u32;
        }
        if is_for_service && !is_free && gate.drops_at_once != 0 {
            if tables::is_banned(live, 0, source(gate.ipv6_mask, ip.source), packet.size()) {
                return Reason::Banned as u32;
            }
            is_free = true;
        }
    }
    // As in `run`.
    let is_free = (u32::from(is_free) ^ live.zero) & 1 != 0;
    match tables::rules() {
        Some(rules) => inspect(&rules, packet, &ip, transport, is_free, place),
        None => Reason::NoService as u32,
    }
}

/// What the rule set says of a packet. `is_free`: its very source is known not to be banned.
#[inline(always)]
fn inspect(
    rules: &Rules,
    packet: &View,
    ip: &Ip,
    transport: Result<Transport, Reason>,
    is_free: bool,
    place: &mut Place,
) -> u32 {
    let settings = rules.settings();
    let source = source(settings.ipv6_mask, ip.source);
    let service = match &transport {
        Ok(transport) => rules.service(transport.tcp, transport.destination_port),
        Err(_) => None,
    };
    // What hides its ports may be for a service: of a banned source it does not pass.
    let hidden = matches!(transport, Err(Reason::Malformed));
    if service.is_none() && settings.scope_host == 0 && !hidden {
        return match transport {
            Ok(transport) => answer_to_client(rules, source, &transport, place),
            Err(reason) => reason as u32,
        };
    }
    let column = service.map_or(rules.header.services_len, |(number, _)| u32::from(number));
    let decision = access(rules, ip.source, column, packet.size());
    let action = decision.action();
    if action == Action::Trust {
        return Reason::Trusted as u32;
    }
    let is_sip = service.is_some_and(|(_, service)| service.kind() == ServiceKind::Sip as u8);
    let mut closed = None;
    let is_banned = !is_free && tables::is_banned(rules.live, settings.observe, source, packet.size());
    if is_banned || tables::is_in_banned_prefix(rules, || prefix_key(ip), packet.size()) {
        closed = Some(Reason::Banned);
    } else if is_sip && tables::is_shunned(rules, source, packet.size()) {
        closed = Some(Reason::Shunned);
    } else if action == Action::Deny && service.is_some() {
        sample(rules, source, column, decision.rule());
        closed = Some(Reason::Denied);
    }
    if let Some(reason) = closed.filter(|_| settings.observe == 0) {
        return reason as u32;
    }
    let transport = match transport {
        Ok(transport) => transport,
        Err(reason) => return reason as u32,
    };
    let Some((number, _)) = service else { return answer_to_client(rules, source, &transport, place) };
    let seen = if closed.is_some() { Reason::WouldDrop as u32 | CLOSED } else { Reason::Opaque as u32 };
    if !is_sip {
        return seen;
    }
    let Transport { payload, payload_len, .. } = transport;
    let mut seen = seen;
    if payload_len != 0 && is_flood(rules, source, number) {
        if settings.observe == 0 {
            return Reason::Flood as u32;
        }
        seen = Reason::WouldDrop as u32 | CLOSED;
    }
    let ports = Ports { peer: transport.source_port, tcp: transport.tcp, client: false, service: number, refusal: 0 };
    *place = Place { source, payload, payload_len, ports };
    seen | READ
}

/// What comes from the port of a SIP service to one of no service may answer this host, which calls over TCP from any port. It is
/// read only of whom this host asked lately: it has no rate. A function of its own, for a stack of its own.
#[inline(never)]
fn answer_to_client(rules: &Rules, source: Source, transport: &Transport, place: &mut Place) -> u32 {
    let Transport { tcp, source_port, payload, payload_len, .. } = *transport;
    let service = if tcp && payload_len != 0 { rules.service(true, source_port) } else { None };
    match service {
        Some((number, service))
            if service.kind() == ServiceKind::Sip as u8
                && tables::was_asked(source, u32::from(number), clock::now_ns(rules.live)) =>
        {
            let ports = Ports { peer: source_port, tcp, client: true, service: number, refusal: 0 };
            *place = Place { source, payload, payload_len, ports };
            Reason::NoService as u32 | READ | CLOSED
        }
        _ => Reason::NoService as u32,
    }
}

/// What the access rules say of an address in a column; counts the packet under the line that decides.
#[inline(always)]
fn access(rules: &Rules, address: Address, column: u32, bytes: u64) -> Decision {
    match address {
        Address::V4(address) => decide(rules, u64::from(address), 0, u64::from(column) | V4_COLUMN, bytes),
        Address::V6 { high, low } => decide(rules, high, low, u64::from(column), bytes),
    }
}

/// Beside a column: the address is IPv4.
const V4_COLUMN: u64 = 1 << 32;

/// A function of its own, for a stack of its own: Linux 6.1 adds up at most 512 bytes over all calls.
#[inline(never)]
fn decide(rules: &Rules, high: u64, low: u64, column: u64, bytes: u64) -> Decision {
    let who = Who { v4: column & V4_COLUMN != 0, high, low };
    let column = column as u32;
    let source = if who.v4 { Source::v4(high as u32) } else { Source::v6(high, rules.settings().ipv6_mask) };
    // The rule set was replaced while this packet was looked up: rather one packet too many than a mixture of two.
    let Some(mut decision) = rules.decide(who, column) else { return Decision::new(Action::Allow, 0) };
    if decision.asks_for_peers() && tables::is_peer(rules.settings(), source, clock::now_ns(rules.live)) {
        decision = rules.learned(column);
    }
    let header = rules.header;
    let is_default = decision.rule() >= header.rules.wrapping_sub(header.services_len);
    // Whom this host asks must be able to answer.
    if is_default
        && matches!(decision.action(), Action::Deny)
        && tables::was_asked(source, column, clock::now_ns(rules.live))
    {
        return Decision::new(Action::Allow, decision.rule());
    }
    // The ports of no service have no line that counts.
    if column >= header.services_len {
        return decision;
    }
    rules.count(decision.rule(), bytes);
    decision
}

/// Whether a source sends a service more than it may; tells so once until it slows down.
#[inline(always)]
fn is_flood(rules: &Rules, source: Source, service: u8) -> bool {
    match tables::admit(rules, source, service) {
        Admission::Within => false,
        Admission::FirstExcess => {
            tell_flood(rules, source, service);
            true
        }
        Admission::Excess => true,
    }
}

/// A function of its own, for a stack of its own.
#[inline(never)]
fn tell_flood(rules: &Rules, source: Source, service: u8) {
    let Some(scratch) = tables::scratch_ingress() else { return };
    let now_ns = clock::now_ns(rules.live);
    let event = &mut scratch.event;
    blank(event, EventKind::Flood, source, now_ns);
    event.service = service;
    event.observed = rules.settings().observe as u8;
    tables::send(event);
}

/// Tells of a denied packet, unless enough were told lately.
#[inline(never)]
fn sample(rules: &Rules, source: Source, column: u32, rule: u32) {
    let Some(scratch) = tables::scratch_ingress() else { return };
    let now_ns = clock::now_ns(rules.live);
    if now_ns < scratch.next_sample_ns {
        return;
    }
    scratch.next_sample_ns = now_ns.wrapping_add(SECOND_NS / DENIED_SAMPLES_PER_SECOND);
    let event = &mut scratch.event;
    blank(event, EventKind::Denied, source, now_ns);
    event.strikes = rule;
    event.service = column as u8;
    event.observed = rules.settings().observe as u8;
    tables::send(event);
}

/// Makes an event that says only who, what and when.
#[inline(always)]
pub fn blank(event: &mut Event, kind: EventKind, source: Source, now_ns: u64) {
    event.time_ns = now_ns;
    event.source = source;
    event.until_ns = 0;
    event.strikes = 0;
    event.status = 0;
    event.kind = kind as u8;
    event.method = 0;
    event.evidence = 0;
    event.service = 0;
    event.level = 0;
    event.tcp = 0;
    event.observed = 0;
    event.known = 0;
    event.user.bytes[0] = 0;
    event.user_agent.bytes[0] = 0;
}

/// Reads a message that arrived on a SIP port.
///
/// A global function: the verifier checks it once, for any arguments, instead of once for every way to get here.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_request(context: *mut xdp_md, source: u64, payload: u64, payload_len: u64, ports: u64) -> u32 {
    let context = XdpContext::new(context);
    let place = Place { source: Source { bits: source }, payload, payload_len, ports: Ports::unpack(ports) };
    message(&context, &place) as u32
}

/// In the place of a request's method.
const RESPONSE: u64 = 255;

#[inline(always)]
fn message(context: &XdpContext, place: &Place) -> Reason {
    let (Some(rules), Some(scratch)) = (tables::rules(), tables::scratch_ingress()) else {
        return Reason::Unparsed;
    };
    let live = rules.live;
    let head = &mut scratch.head;
    let Some(len) = copy_head(context, place.payload, place.payload_len, head) else { return Reason::KeepAlive };
    let zero = u64::from(live.zero);
    let start = message_start(head, len, zero);
    if start >= len {
        return Reason::KeepAlive;
    }
    let kind = match start_line(head, start) {
        StartLine::Request(_) if place.ports.client => return Reason::NoService,
        StartLine::Request(Method::Ack | Method::Cancel) => return Reason::AckOrCancel,
        StartLine::Request(method) => method as u64,
        // It only says whether an upstream is there.
        StartLine::Response(_) => RESPONSE,
        StartLine::Unknown => return Reason::Unparsed,
    };
    scan::hide(scratch, kind | start << 32);
    scan::request(scratch, Cursor::new(start, len, zero));
    let asked = scan::hidden(scratch);
    let kind = u64::from(asked as u8);
    if !scratch.scan.has_via() {
        return if kind == RESPONSE { Reason::ResponseIn } else { Reason::Unparsed };
    }
    let seed = live.hash_seed;
    let key = TransactionKey { source: place.source, branch: hash::span(&scratch.head, seed, scratch.scan.branch()) };
    let now_ns = clock::now_ns(live);
    if kind == RESPONSE {
        learn(scratch, &key, now_ns);
        return Reason::ResponseIn;
    }
    if live.signatures != 0 && (tables::is_signed(scratch.scan.user_agent()) || tables::is_signed(scratch.scan.from()))
    {
        tell_scanner(&rules, scratch, place, kind);
        if rules.settings().observe == 0 {
            return Reason::Scanner;
        }
    }
    describe(scratch, seed, asked);
    let Scratch { transaction, .. } = scratch;
    transaction.credit = u64::from(transaction.credentials != 0 && tables::proves(&transaction.nonces, place.source));
    transaction.peer_port = place.ports.peer;
    transaction.method = kind as u8;
    transaction.tcp = u8::from(place.ports.tcp);
    transaction.service = place.ports.service;
    match tables::remember(&key, transaction) {
        Remembered::New => {}
        Remembered::Retransmission => return Reason::Retransmission,
        Remembered::Full => return Reason::TableFull,
    }
    if let Some(account) = Account::of(place.source, now_ns) {
        account.count(Entry::Request);
        if transaction.credentials != 0 {
            account.count(Entry::Attempt);
        }
    }
    Reason::Request
}

/// Makes a source a known peer that answers what this host asked it.
#[inline(never)]
fn learn(scratch: &mut Scratch, key: &TransactionKey, now_ns: u64) {
    let Some(asked) = tables::answered(key) else { return };
    // A PBX asks its phones, too: who authenticated is no upstream.
    if tables::is_peer_but_no_upstream(key.source) {
        return;
    }
    let Scratch { peer, event, .. } = scratch;
    peer.last_ns = now_ns;
    peer.tcp = asked.tcp;
    peer.service = asked.service;
    peer.method = asked.method;
    peer.user.bytes[0] = 0;
    if tables::welcome(key.source, PeerKey::UPSTREAM, peer) {
        blank(event, EventKind::PeerLearned, key.source, now_ns);
        event.method = asked.method;
        event.service = asked.service;
        event.tcp = asked.tcp;
        tables::send(event);
    }
}

/// The hash of a span of the message in the scratch of ingress. A global function: twelve copies of its loop are more than
/// the verifier of Linux 6.1 walks.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_hash(at: u64, len: u64, seed: u64) -> u64 {
    let Some(scratch) = tables::scratch_ingress() else { return 0 };
    hash::span(&scratch.head, seed, Span { at: at as u16, len: len as u16 })
}

/// Tells of a scanner's packet, unless enough were told lately.
#[inline(never)]
fn tell_scanner(rules: &Rules, scratch: &mut Scratch, place: &Place, method: u64) {
    let now_ns = clock::now_ns(rules.live);
    if now_ns < scratch.next_scanner_ns {
        return;
    }
    scratch.next_scanner_ns = now_ns.wrapping_add(SECOND_NS / SCANNER_SAMPLES_PER_SECOND);
    let Scratch { event, head, scan, .. } = scratch;
    blank(event, EventKind::Scanner, place.source, now_ns);
    event.service = place.ports.service;
    event.tcp = u8::from(place.ports.tcp);
    event.method = method as u8;
    event.observed = rules.settings().observe as u8;
    event.known = u8::from(tables::is_peer(rules.settings(), place.source, now_ns));
    hash::text(head, scan.user_agent(), &mut event.user_agent);
    tables::send(event);
}

/// The user of the first SIP URI in a span of the message in the scratch of ingress, as [`Span`] in one number. A global
/// function, as [`sip_fw_hash`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_uri_user(at: u64, len: u64) -> u64 {
    let (Some(live), Some(scratch)) = (tables::live(), tables::scratch_ingress()) else { return 0 };
    let user = uri_user(&scratch.head, Span { at: at as u16, len: len as u16 }, u64::from(live.zero));
    u64::from(user.at) << 16 | u64::from(user.len)
}

/// The user that a request without credentials asks for, as [`sip_fw_uri_user`]. `asked`: the method, and above where the
/// message begins. A global function, as [`sip_fw_hash`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_asked_for(asked: u64) -> u64 {
    let Some(scratch) = tables::scratch_ingress() else { return 0 };
    let uri_user = |span: Span| match span.len {
        0 => span,
        _ => unpack(sip_fw_uri_user(u64::from(span.at), u64::from(span.len))),
    };
    let user = request::asked_for(asked as u8, asked >> 32, &scratch.scan, uri_user);
    u64::from(user.at) << 16 | u64::from(user.len)
}

/// A span from one number.
#[inline(always)]
fn unpack(span: u64) -> Span {
    Span { at: (span >> 16) as u16, len: span as u16 }
}

/// `asked`: as above. A function of its own, for a stack of its own.
#[inline(never)]
fn describe(scratch: &mut Scratch, seed: u64, asked: u64) {
    let asked_for = match scratch.scan.credentials {
        0 => unpack(sip_fw_asked_for(asked)),
        _ => Span { at: 0, len: 0 },
    };
    let hash = |span: Span| match span.len {
        0 => 0,
        _ => sip_fw_hash(u64::from(span.at), u64::from(span.len), seed),
    };
    request::describe(&scratch.head, &scratch.scan, &mut scratch.transaction, asked_for, hash);
}

/// Who an address is judged as.
#[inline(always)]
pub fn source(ipv6_mask: u64, address: Address) -> Source {
    match address {
        Address::V4(address) => Source::v4(address),
        Address::V6 { high, .. } => Source::v6(high, ipv6_mask),
    }
}

/// The key of the prefix table: bans of IPv6 prefixes are never longer than a source, so its first half is enough.
#[inline(always)]
fn prefix_key(ip: &Ip) -> PrefixKey {
    let mut key: PrefixKey = [0; 16];
    match ip.source {
        Address::V4(address) => {
            key[10] = 0xff;
            key[11] = 0xff;
            let bytes = address.to_be_bytes();
            key[12] = bytes[0];
            key[13] = bytes[1];
            key[14] = bytes[2];
            key[15] = bytes[3];
        }
        Address::V6 { high, .. } => {
            let bytes = high.to_be_bytes();
            let mut i = 0;
            while i < 8 {
                key[i] = bytes[i];
                i += 1;
            }
        }
    }
    key
}
