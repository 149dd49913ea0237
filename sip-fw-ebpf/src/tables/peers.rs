//! Known peers, and whom this host asked.

use aya_ebpf::bindings::BPF_NOEXIST;
use sip_fw_common::abi::{Asked, Known, Peer, PeerKey, Settings, Source, TransactionKey};

use crate::maps::{ASKED, PEERS};

/// Remembers a success: who it was, and that the source is a known peer. True if that user was none yet.
#[inline(always)]
pub fn welcome(source: Source, user: u64, peer: &mut Peer) -> bool {
    let now_ns = peer.last_ns;
    let mut fresh_user = false;
    for key in [PeerKey { source, user }, PeerKey { source, user: 0 }] {
        if let Some(known) = PEERS.get_ptr_mut(key) {
            // SAFETY: a live map value; such stores cannot tear.
            unsafe {
                (*known).last_ns = now_ns;
                (*known).service = peer.service;
                (*known).tcp = peer.tcp;
            }
        } else {
            peer.first_ns = now_ns;
            let fresh: &Peer = peer;
            let inserted = PEERS.insert(key, fresh, u64::from(BPF_NOEXIST)).is_ok();
            fresh_user |= inserted && key.user == user;
        }
    }
    fresh_user
}

/// Remembers a request of this host until it is answered.
#[inline(always)]
pub fn ask(key: &TransactionKey, asked: &Asked) {
    let _ = ASKED.insert(key, asked, u64::from(BPF_NOEXIST));
}

/// Lets answers of a source to a service in for a while, whatever they answer; a longer while goes on.
#[inline(always)]
pub fn await_answers(source: Source, asked: &mut Asked) {
    let key = TransactionKey { source, branch: Asked::ANY_BRANCH };
    // SAFETY: a live map value, copied out at once.
    if let Some(before) = unsafe { ASKED.get(key) }.copied()
        && before.service == asked.service
        && before.time_ns > asked.time_ns
    {
        asked.time_ns = before.time_ns;
    }
    let asked: &Asked = asked;
    let _ = ASKED.insert(key, asked, 0);
}

/// Whether this host asked a source from a service's port so lately that an answer to it may be on its way.
#[inline(always)]
pub fn was_asked(source: Source, service: u32, now_ns: u64) -> bool {
    // SAFETY: a live map value, copied out at once.
    let asked = unsafe { ASKED.get(TransactionKey { source, branch: Asked::ANY_BRANCH }) };
    asked.is_some_and(|asked| u32::from(asked.service) == service && now_ns < asked.time_ns)
}

/// What this host asked there, once: the first answer takes it.
#[inline(always)]
pub fn answered(key: &TransactionKey) -> Option<Asked> {
    // SAFETY: a live map value, copied out at once.
    let asked = unsafe { ASKED.get(key) }.copied()?;
    ASKED.remove(key).ok().map(|()| asked)
}

/// Whether a source is a known peer, whoever it was.
#[inline(always)]
pub fn is_peer(settings: &Settings, source: Source, now_ns: u64) -> bool {
    // SAFETY: a live map value, copied out at once.
    let peer = unsafe { PEERS.get(PeerKey { source, user: 0 }) };
    peer.is_some_and(|peer| now_ns.saturating_sub(peer.last_ns) < settings.known_peer_ns)
}

/// Whether somebody authenticated from a source that is no upstream, however long ago.
#[inline(always)]
pub fn is_peer_but_no_upstream(source: Source) -> bool {
    // SAFETY: live map values, of which only whether they are there is used.
    let known = |user| unsafe { PEERS.get(PeerKey { source, user }) }.is_some();
    known(0) && !known(PeerKey::UPSTREAM)
}

/// Who authenticated from this source lately.
#[inline(always)]
pub fn known(settings: &Settings, source: Source, user: u64, now_ns: u64) -> Known {
    let lately = |user| {
        // SAFETY: a live map value, copied out at once.
        let peer = unsafe { PEERS.get(PeerKey { source, user }) };
        peer.is_some_and(|peer| now_ns.saturating_sub(peer.last_ns) < settings.known_peer_ns)
    };
    match (lately(0), lately(user)) {
        (false, _) => Known::Nobody,
        (true, false) => Known::Source,
        (true, true) => Known::User,
    }
}
