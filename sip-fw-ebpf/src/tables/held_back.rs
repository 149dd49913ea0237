//! What holds a source back without proof: shuns, message rates, scanner signatures.

use sip_fw_common::abi::{Shun, Source};
use sip_fw_common::bucket::{Admission, pay};
use sip_fw_common::hash::mix;
use sip_fw_common::head::Span;
use sip_fw_common::limits::BUCKETS_MAX;
use sip_fw_common::signature::{key, text};

use super::{Rules, holds, is_peer, scratch_ingress};
use crate::atomic::Shared;
use crate::clock;
use crate::maps::{BUCKETS, SHUNS, SIGNATURES, Scratch};

/// Whether packets of this source to SIP services are to be dropped; counts the packet in the shun, unless the mode is observe.
#[inline(always)]
pub fn is_shunned(rules: &Rules, source: Source, bytes: u64) -> bool {
    rules.live.shuns != 0 && hit(rules, source, bytes)
}

/// A function of its own, for a stack of its own.
#[inline(never)]
fn hit(rules: &Rules, source: Source, bytes: u64) -> bool {
    let Some(shun) = SHUNS.get_ptr_mut(source) else { return false };
    // SAFETY: a live map value, whose fields are eight-byte aligned.
    unsafe {
        let Shun { until_ns, .. } = *shun;
        if !holds(rules.live, until_ns) {
            return false;
        }
        if rules.settings().observe == 0 {
            Shared::new(&raw mut (*shun).packets).add(1);
            Shared::new(&raw mut (*shun).bytes).add(bytes);
        }
    }
    true
}

/// Pays for a message to a service: as somebody whom nobody knows, and when that is spent as the known peer that the source may
/// be. A function of its own, for a stack of its own.
#[inline(never)]
pub fn admit(rules: &Rules, source: Source, service: u8) -> Admission {
    let now_ns = clock::now_ns(rules.live);
    let admission = pay_from(rules, source, service, false, now_ns);
    if admission == Admission::Within || !is_peer(rules.settings(), source, now_ns) {
        return admission;
    }
    pay_from(rules, source, service, true, now_ns)
}

#[inline(always)]
fn pay_from(rules: &Rules, source: Source, service: u8, known: bool, now_ns: u64) -> Admission {
    let rate = rules.header.rate(service, known);
    if rate.interval_us == 0 {
        return Admission::Within;
    }
    let place = mix(rules.live.hash_seed ^ (u64::from(service) << 1 | known as u64), source.bits);
    let Some(entry) = BUCKETS.get_ptr_mut(place as u32 & (BUCKETS_MAX - 1)) else { return Admission::Within };
    // SAFETY: a live map value; an eight-byte load or store cannot tear. Of two CPUs that pay at once, one pays for both.
    unsafe {
        let (state, admission) = pay(*entry, place, now_ns, rate);
        *entry = state;
        admission
    }
}

/// Whether a header of the message in the scratch of ingress bears a scanner's signature.
#[inline(always)]
pub fn is_signed(value: Span) -> bool {
    value.len != 0 && sip_fw_is_signed(u64::from(value.at), u64::from(value.len)) != 0
}

/// The same of the value in these bytes. A global function: the verifier checks it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sip_fw_is_signed(at: u64, len: u64) -> u32 {
    let Some(Scratch { head, folded, .. }) = scratch_ingress() else { return 0 };
    text(head, Span { at: at as u16, len: len as u16 }, folded);
    // SAFETY: a live map value, read only.
    let known = unsafe { SIGNATURES.get(key(folded)) };
    u32::from(known.is_some_and(|signatures| signatures.begin(folded)))
}
