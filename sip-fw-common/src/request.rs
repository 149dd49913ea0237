//! From the scan of a request to what is remembered of it until its answer.

use crate::abi::Transaction;
use crate::hash::{mix, text};
use crate::head::{Head, Span};
use crate::limits::CREDENTIALS_MAX;
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

/// Fills in what the head says. Method, transport, port and service are left as they are. `hash` is [`crate::hash::span`] of this
/// head; the kernel calls it as a function of its own.
#[inline(always)]
pub fn describe(head: &Head, found: &Scan, transaction: &mut Transaction, hash: impl Fn(Span) -> u64) {
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
    transaction.credentials = if found.credentials > 255 { 255 } else { found.credentials as u8 };
    text(head, found.user(0), &mut transaction.user);
    text(head, found.user_agent(), &mut transaction.user_agent);
}
