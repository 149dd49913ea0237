//! From the scan of a request to what is remembered of it until its answer.

use crate::abi::{Method, Transaction};
use crate::hash::{mix, text};
use crate::head::{Head, Span};
use crate::limits::{CREDENTIALS_MAX, URI_BYTES_MAX};
use crate::sip::Scan;

/// The hash of the one user name in the credentials, or [`Transaction::SEVERAL_USERS`].
#[inline(always)]
fn user(found: &Scan, hash: &impl Fn(Span) -> u64) -> u64 {
    let first = hash(found.user(0));
    let mut several = usize::from(found.users) > CREDENTIALS_MAX;
    let mut slot = 1;
    while slot < CREDENTIALS_MAX {
        let other = hash(found.user(slot));
        several |= other != 0 && other != first;
        slot += 1;
    }
    if several { Transaction::SEVERAL_USERS } else { first }
}

/// The user that a request asks for: To's of a REGISTER, else that of the Request-URI, where there is one. `uri_user` is
/// [`crate::sip::uri_user`]; the kernel calls it as a function of its own.
#[inline(always)]
pub fn asked_for(method: u8, start: u64, found: &Scan, uri_user: impl Fn(Span) -> Span) -> Span {
    if method != Method::Register as u8 {
        let user = uri_user(Span { at: start as u16, len: URI_BYTES_MAX as u16 });
        if user.len != 0 {
            return user;
        }
    }
    uri_user(found.to())
}

/// Fills in what the head says. Method, transport, port and service are left as they are. `hash` is [`crate::hash::span`] of this
/// head; the kernel calls it as a function of its own. `asked_for`: see [`asked_for`].
#[inline(always)]
pub fn describe(head: &Head, found: &Scan, transaction: &mut Transaction, asked_for: Span, hash: impl Fn(Span) -> u64) {
    let mut digest = 0;
    let mut slot = 0;
    while slot < CREDENTIALS_MAX {
        let nonce = hash(found.nonce(slot));
        transaction.nonces[slot] = nonce;
        digest = mix(digest, nonce);
        digest = mix(digest, hash(found.digest(slot)));
        slot += 1;
    }
    transaction.digest = if found.credentials == 0 { 0 } else { digest | 1 };
    transaction.user_hash = user(found, &hash);
    transaction.asked = 1;
    transaction.answered = 0;
    transaction.credit = 0;
    transaction.credentials = if found.credentials > 255 { 255 } else { found.credentials as u8 };
    let named = if found.credentials == 0 { asked_for } else { found.user(0) };
    text(head, named, &mut transaction.user);
    text(head, found.user_agent(), &mut transaction.user_agent);
}
