//! Atomic operations on map values. `core` has none that return a value for BPF, although its instruction set does
//! (v3, kernel 5.12).

use core::arch::asm;

/// A 64-bit field of a map value that several CPUs write.
#[derive(Clone, Copy)]
pub struct Shared(*mut u64);

impl Shared {
    /// # Safety
    /// `field` points into a live map value and is aligned to eight bytes.
    #[inline(always)]
    pub unsafe fn new(field: *mut u64) -> Self {
        Self(field)
    }

    /// Its value.
    #[inline(always)]
    pub fn load(self) -> u64 {
        // SAFETY: promised at construction.
        unsafe { self.0.read_volatile() }
    }

    /// Adds, without order towards other memory.
    #[inline(always)]
    pub fn add(self, amount: u64) {
        // SAFETY: promised at construction.
        unsafe { asm!("lock *(u64 *)({to} + 0) += {amount}", to = in(reg) self.0, amount = in(reg) amount) }
    }

    /// Sets bits, without order towards other memory.
    #[inline(always)]
    pub fn set(self, bits: u64) {
        // SAFETY: promised at construction.
        unsafe { asm!("lock *(u64 *)({to} + 0) |= {bits}", to = in(reg) self.0, bits = in(reg) bits) }
    }

    /// Adds and returns the value before; a full barrier.
    #[inline(always)]
    pub fn fetch_add(self, amount: u64) -> u64 {
        let mut value = amount;
        // SAFETY: promised at construction.
        unsafe {
            asm!("{value} = atomic_fetch_add((u64 *)({to} + 0), {value})", to = in(reg) self.0, value = inout(reg) value);
        }
        value
    }

    /// Replaces `expected` by `new`; false if another value stood there. A full barrier.
    #[inline(always)]
    pub fn replace(self, expected: u64, new: u64) -> bool {
        let before: u64;
        // SAFETY: promised at construction.
        unsafe {
            asm!("r0 = cmpxchg_64({to} + 0, r0, {new})",
                to = in(reg) self.0, new = in(reg) new, inout("r0") expected => before);
        }
        before == expected
    }
}
