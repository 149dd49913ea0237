//! The first bytes of a SIP message, in a buffer that can be read a word at a time without bounds to check.

use crate::limits::{HEAD_BYTES, HEAD_SLACK_BYTES};

/// The head of one message. Offsets are masked into it, so no read can leave it; reads behind the message
/// find zero bytes.
#[repr(C, align(8))]
#[derive(Clone)]
pub struct Head {
    bytes: [u8; HEAD_BYTES + HEAD_SLACK_BYTES],
}

/// A part of a head. Offsets and lengths are in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of its first byte.
    pub at: u16,
    /// Its length; 0: absent or empty.
    pub len: u16,
}

const MASK: u64 = HEAD_BYTES as u64 - 1;

impl Head {
    /// A head without a message.
    pub const EMPTY: Self = Self { bytes: [0; HEAD_BYTES + HEAD_SLACK_BYTES] };

    /// Takes the first bytes of `message`; returns how many.
    pub fn fill(&mut self, message: &[u8]) -> u32 {
        let len = message.len().min(HEAD_BYTES - 1);
        for (to, from) in self.bytes.iter_mut().zip(message).take(len) {
            *to = *from;
        }
        self.seal(len as u32);
        len as u32
    }

    /// Ends the message at `len`: a look-ahead must not see the message before it.
    #[inline(always)]
    pub fn seal(&mut self, len: u32) {
        for word in 0..HEAD_SLACK_BYTES as u64 / 8 {
            access::store(&mut self.bytes, (u64::from(len) & MASK) + 8 * word);
        }
    }

    /// The eight bytes at `at`, the first one lowest.
    #[inline(always)]
    #[must_use]
    pub fn word(&self, at: u64) -> u64 {
        access::load(&self.bytes, at & MASK)
    }

    /// The byte at `at`.
    #[inline(always)]
    #[must_use]
    pub fn byte(&self, at: u64) -> u8 {
        self.bytes[(at & MASK) as usize]
    }

    /// The bytes of a span, for user space.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        let at = usize::from(span.at);
        self.bytes.get(at..at + usize::from(span.len)).unwrap_or(&[])
    }

    /// Where the kernel copies the message to.
    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }
}

#[cfg(not(target_arch = "bpf"))]
mod access {
    use super::*;

    pub fn load(bytes: &[u8; HEAD_BYTES + HEAD_SLACK_BYTES], at: u64) -> u64 {
        let at = at as usize;
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    }

    pub fn store(bytes: &mut [u8; HEAD_BYTES + HEAD_SLACK_BYTES], at: u64) {
        let at = at as usize;
        bytes[at..at + 8].copy_from_slice(&[0; 8]);
    }
}

#[cfg(target_arch = "bpf")]
#[expect(unsafe_code, reason = "the compiler splits a safe unaligned load into eight")]
mod access {
    use super::*;

    #[inline(always)]
    pub fn load(bytes: &[u8; HEAD_BYTES + HEAD_SLACK_BYTES], at: u64) -> u64 {
        // SAFETY: callers mask `at` below HEAD_BYTES, and HEAD_SLACK_BYTES follow; BPF allows any alignment.
        u64::from_le(unsafe { *bytes.as_ptr().add(at as usize).cast::<u64>() })
    }

    #[inline(always)]
    pub fn store(bytes: &mut [u8; HEAD_BYTES + HEAD_SLACK_BYTES], at: u64) {
        // SAFETY: callers mask `at` below HEAD_BYTES and add at most HEAD_SLACK_BYTES - 8; BPF allows any alignment.
        // Volatile, or four stores become a call that stores byte by byte.
        unsafe { bytes.as_mut_ptr().add(at as usize).cast::<u64>().write_volatile(0) }
    }
}
