//! What a scan finds.

use super::words::{lower, starts_with};
use crate::abi::Method;
use crate::head::{Head, Span};
use crate::limits::CREDENTIALS_MAX;

/// What a scan found.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    spans: [Span; FIELDS],
    /// Digest credentials (in a request) or challenges (in a response).
    pub credentials: u16,
    /// Nonces in them; more than [`CREDENTIALS_MAX`] are counted, but only the latest are kept.
    nonces: u16,
    /// Responses in them.
    digests: u16,
    /// User names in them.
    pub users: u16,
    /// CSeq's method, a [`Method`].
    cseq_method: u8,
    /// Bits of [`Scan::VIA`], [`Scan::COMPLETE`], [`Scan::CSEQ`].
    pub(super) flags: u8,
}

const FIELDS: usize = 16;
pub(super) const BRANCH: u64 = 0;
pub(super) const USER_AGENT: u64 = 1;
pub(super) const USER: u64 = 4;
/// In requests.
pub(super) const TO: u64 = 2;
/// In requests.
pub(super) const FROM: u64 = 3;
/// In responses.
pub(super) const STALE: u64 = 3;
pub(super) const NONCE: u64 = 8;
pub(super) const DIGEST: u64 = 12;
const _: () = assert!(
    USER as usize + CREDENTIALS_MAX <= NONCE as usize
        && NONCE as usize + CREDENTIALS_MAX <= DIGEST as usize
        && DIGEST as usize + CREDENTIALS_MAX <= FIELDS
);

impl Scan {
    pub(super) const VIA: u8 = 1;
    pub(super) const COMPLETE: u8 = 2;
    const CSEQ: u8 = 4;

    /// Nothing found.
    pub const NOTHING: Self = Self {
        spans: [Span { at: 0, len: 0 }; FIELDS],
        credentials: 0,
        nonces: 0,
        digests: 0,
        users: 0,
        cseq_method: 0,
        flags: 0,
    };

    /// The branch of the top Via; empty if it has none.
    #[inline(always)]
    #[must_use]
    pub fn branch(&self) -> Span {
        self.spans[BRANCH as usize]
    }

    /// The User-Agent's value.
    #[inline(always)]
    #[must_use]
    pub fn user_agent(&self) -> Span {
        self.spans[USER_AGENT as usize]
    }

    /// The value of a request's To.
    #[inline(always)]
    #[must_use]
    pub fn to(&self) -> Span {
        self.spans[TO as usize]
    }

    /// The value of a request's From.
    #[inline(always)]
    #[must_use]
    pub fn from(&self) -> Span {
        self.spans[FROM as usize]
    }

    /// The user name of the credentials in this slot, below [`CREDENTIALS_MAX`].
    #[inline(always)]
    #[must_use]
    pub fn user(&self, slot: usize) -> Span {
        self.spans[USER as usize + slot % CREDENTIALS_MAX]
    }

    /// The nonce of the credentials or challenge in this slot, below [`CREDENTIALS_MAX`].
    #[inline(always)]
    #[must_use]
    pub fn nonce(&self, slot: usize) -> Span {
        self.spans[NONCE as usize + slot % CREDENTIALS_MAX]
    }

    /// The response of the credentials in this slot, below [`CREDENTIALS_MAX`].
    #[inline(always)]
    #[must_use]
    pub fn digest(&self, slot: usize) -> Span {
        self.spans[DIGEST as usize + slot % CREDENTIALS_MAX]
    }

    /// Whether a Via was found at all; a message without one is not SIP.
    #[inline(always)]
    #[must_use]
    pub fn has_via(&self) -> bool {
        self.flags & Self::VIA != 0
    }

    /// Whether the empty line that ends the head was reached.
    #[inline(always)]
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.flags & Self::COMPLETE != 0
    }

    /// The method in CSeq; None without CSeq.
    #[inline(always)]
    #[must_use]
    pub fn cseq_method(&self) -> Option<Method> {
        if self.flags & Self::CSEQ != 0 { Method::from_number(self.cseq_method) } else { None }
    }

    /// Whether the challenge says `stale=true` (RFC 7616 §3.3).
    #[inline(always)]
    #[must_use]
    pub fn is_stale(&self, head: &Head) -> bool {
        let stale = self.spans[STALE as usize];
        stale.len == 4 && starts_with(lower(head.word(u64::from(stale.at))), b"true")
    }

    /// Notes CSeq's method.
    #[inline(always)]
    pub(super) fn cseq(&mut self, method: Method) {
        self.cseq_method = method as u8;
        self.flags |= Self::CSEQ;
    }

    /// Notes a value. Nonces and digests go to the next slot of their kind.
    #[inline(always)]
    pub(super) fn note(&mut self, field: u64, begin: u64, end: u64) {
        let slot = CREDENTIALS_MAX as u64 - 1;
        let field = match field & !slot {
            USER => {
                self.users = self.users.wrapping_add(1);
                USER + (u64::from(self.users.wrapping_sub(1)) & slot)
            }
            NONCE => {
                self.nonces = self.nonces.wrapping_add(1);
                NONCE + (u64::from(self.nonces.wrapping_sub(1)) & slot)
            }
            DIGEST => {
                self.digests = self.digests.wrapping_add(1);
                DIGEST + (u64::from(self.digests.wrapping_sub(1)) & slot)
            }
            _ => field,
        };
        let span = Span { at: begin as u16, len: end.wrapping_sub(begin) as u16 };
        self.spans[(field & (FIELDS as u64 - 1)) as usize] = span;
    }
}
