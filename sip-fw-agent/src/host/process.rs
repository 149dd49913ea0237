//! The process: its user, its limits, its randomness, the mode of its files.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Mutex;

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Kernels before 5.11 count maps against this limit. Later ones do not, so a failure says nothing.
pub fn lift_memory_lock_limit() {
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
}

/// A random number that is not 0.
///
/// # Errors
///
/// When the system has no randomness.
pub fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes).max(1))
}

/// Does `work` so that the files it makes are for their owner and group alone, from the first moment on.
///
/// The mask belongs to the whole process, so one thread at a time.
pub fn without_others<T>(work: impl FnOnce() -> T) -> T {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let before = umask(Mode::from_bits_truncate(0o117));
    let done = work();
    umask(before);
    done
}

/// The user this process acts as.
#[must_use]
pub fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}
