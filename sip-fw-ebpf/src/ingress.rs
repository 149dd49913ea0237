//! Arriving packets: banned sources are dropped, SIP requests are remembered until their answer leaves.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::XdpContext;
use sip_fw_common::abi::{Method, PrefixKey, Service, ServiceKind, Settings, Source, TransactionKey};
use sip_fw_common::hash;
use sip_fw_common::head::Span;
use sip_fw_common::reason::Reason;
use sip_fw_common::request;
use sip_fw_common::sip::{Cursor, StartLine, message_start, start_line};
use sip_fw_common::wire::{self, Address, Ip, Packet, Transport};

use crate::maps::Scratch;
use crate::packet::{Place, Ports, View, copy_head};
use crate::tables::{self, Account, Entry, Remembered};
use crate::{clock, scan};

/// Runs on one packet and returns the XDP action.
#[inline(always)]
pub fn run(context: &XdpContext) -> u32 {
    let Some(settings) = tables::settings() else { return XDP_PASS };
    let packet = View::ingress(context);
    let reason = inspect(context, settings, &packet);
    tables::record(reason, packet.size());
    if reason.drops() { XDP_DROP } else { XDP_PASS }
}

#[inline(always)]
fn inspect(context: &XdpContext, settings: &'static Settings, packet: &View) -> Reason {
    let ip = match wire::ip(packet) {
        Ok(ip) => ip,
        Err(reason) => return reason,
    };
    let source = source(settings, ip.source);
    let transport = wire::transport(packet, &ip);
    let service = match &transport {
        Ok(transport) => tables::service(transport.tcp, transport.destination_port),
        Err(_) => Service::default(),
    };
    // What hides its ports may be for a service: of a banned source it does not pass.
    let hidden = matches!(transport, Err(Reason::Malformed));
    let guarded = service.kind != 0 || settings.scope_host != 0 || hidden;
    let banned = guarded && tables::is_banned(settings, source, || prefix_key(&ip), packet.size());
    if banned && settings.observe == 0 {
        return Reason::Banned;
    }
    let transport = match transport {
        Ok(transport) => transport,
        Err(reason) => return reason,
    };
    let seen = match ServiceKind::from_number(service.kind) {
        None => Reason::NoService,
        Some(ServiceKind::Opaque) => Reason::Opaque,
        Some(ServiceKind::Sip) => {
            let ports = Ports { peer: transport.source_port, tcp: transport.tcp, service: service.number, refusal: 0 };
            let Transport { payload, payload_len, .. } = transport;
            let reason = sip_fw_request(context.ctx, source.bits, payload, payload_len, ports.pack());
            Reason::from_number(reason as u8).unwrap_or(Reason::Unparsed)
        }
    };
    if banned { Reason::WouldDrop } else { seen }
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

#[inline(always)]
fn message(context: &XdpContext, place: &Place) -> Reason {
    let (Some(settings), Some(scratch)) = (tables::settings(), tables::scratch_ingress()) else {
        return Reason::Unparsed;
    };
    let head = &mut scratch.head;
    let Some(len) = copy_head(context, place.payload, place.payload_len, head) else { return Reason::KeepAlive };
    let zero = u64::from(settings.zero);
    let start = message_start(head, len, zero);
    if start >= len {
        return Reason::KeepAlive;
    }
    let method = match start_line(head, start) {
        StartLine::Request(Method::Ack | Method::Cancel) => return Reason::AckOrCancel,
        StartLine::Request(method) => method,
        StartLine::Response(_) => return Reason::ResponseIn,
        StartLine::Unknown => return Reason::Unparsed,
    };
    scan::request(scratch, Cursor::new(start, len, zero));
    if !scratch.scan.has_via() {
        return Reason::Unparsed;
    }

    let seed = settings.hash_seed;
    describe(scratch, seed);
    let Scratch { head, scan: found, transaction, .. } = scratch;
    transaction.peer_port = place.ports.peer;
    transaction.method = method as u8;
    transaction.tcp = u8::from(place.ports.tcp);
    transaction.service = place.ports.service;
    let key = TransactionKey { source: place.source, branch: hash::span(head, seed, found.branch()) };
    match tables::remember(&key, transaction) {
        Remembered::New => {}
        Remembered::Retransmission => return Reason::Retransmission,
        Remembered::Full => return Reason::TableFull,
    }
    if let Some(account) = Account::of(place.source, clock::now_ns(settings)) {
        account.count(Entry::Request);
        if transaction.credentials != 0 {
            account.count(Entry::Attempt);
        }
    }
    Reason::Request
}

/// The hash of a span of the message in the scratch of ingress. A global function: twelve copies of its loop are more than
/// the verifier of Linux 6.1 walks.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_hash(at: u64, len: u64, seed: u64) -> u64 {
    let Some(scratch) = tables::scratch_ingress() else { return 0 };
    hash::span(&scratch.head, seed, Span { at: at as u16, len: len as u16 })
}

/// A function of its own, for a stack of its own.
#[inline(never)]
fn describe(scratch: &mut Scratch, seed: u64) {
    let hash = |span: Span| match span.len {
        0 => 0,
        _ => sip_fw_hash(u64::from(span.at), u64::from(span.len), seed),
    };
    request::describe(&scratch.head, &scratch.scan, &mut scratch.transaction, hash);
}

/// Who an address is judged as.
#[inline(always)]
pub fn source(settings: &Settings, address: Address) -> Source {
    match address {
        Address::V4(address) => Source::v4(address),
        Address::V6High(high) => Source::v6(high, settings.ipv6_mask),
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
        Address::V6High(high) => {
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
