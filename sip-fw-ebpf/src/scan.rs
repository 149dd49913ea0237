//! Runs the scanner chunk by chunk.

use core::ffi::{c_long, c_void};
use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_loop;
use sip_fw_common::limits::SCAN_CHUNKS_MAX;
use sip_fw_common::sip::{Cursor, Scan, scan_chunk};

use crate::maps::Scratch;
use crate::{tables, words};

/// Scans the request in the scratch of ingress.
#[inline(always)]
pub fn request(scratch: &mut Scratch, cursor: Cursor) {
    // Not word by word: what that leaves in registers makes the verifier of Linux 6.1 walk the scan once for each method.
    scratch.cursor = cursor;
    // SAFETY: a scan is integers alone, valid as zeroes.
    words::clear(unsafe { &mut *(&raw mut scratch.scan).cast::<MaybeUninit<Scan>>() });
    run(request_chunk);
}

/// Scans the response in the scratch of egress.
#[inline(always)]
pub fn response(scratch: &mut Scratch, cursor: Cursor) {
    scratch.cursor = cursor;
    // SAFETY: a scan is integers alone, valid as zeroes.
    words::clear(unsafe { &mut *(&raw mut scratch.scan).cast::<MaybeUninit<Scan>>() });
    run(response_chunk);
}

type Callback = unsafe extern "C" fn(u32, *mut c_void) -> c_long;

#[inline(always)]
fn run(callback: Callback) {
    // SAFETY: the callback takes nothing from its context, and the verifier checks it.
    let _ = unsafe { bpf_loop(SCAN_CHUNKS_MAX, callback as *mut c_void, core::ptr::null_mut(), 0) };
}

#[inline(never)]
unsafe extern "C" fn request_chunk(_: u32, _: *mut c_void) -> c_long {
    let Some(scratch) = tables::scratch_ingress() else { return 1 };
    c_long::from(!scan_chunk::<false>(&scratch.head, &mut scratch.cursor, &mut scratch.scan))
}

#[inline(never)]
unsafe extern "C" fn response_chunk(_: u32, _: *mut c_void) -> c_long {
    let Some(scratch) = tables::scratch_egress() else { return 1 };
    c_long::from(!scan_chunk::<true>(&scratch.head, &mut scratch.cursor, &mut scratch.scan))
}

/// Puts a number where the verifier loses sight of it: what it cannot know makes no states of its own.
#[inline(always)]
pub fn hide(scratch: &mut Scratch, number: u64) {
    // SAFETY: a reference is valid for writes.
    unsafe { (&raw mut scratch.hidden).write_volatile(number) }
}

/// The number that was hidden.
#[inline(always)]
pub fn hidden(scratch: &Scratch) -> u64 {
    // SAFETY: a reference is valid for reads.
    unsafe { (&raw const scratch.hidden).read_volatile() }
}
