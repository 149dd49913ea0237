//! Zeroes and copies values word by word. Of a plain assignment the compiler makes a call that moves byte by byte, five instructions
//! for each.

/// Makes a value zero. It must be valid as zeroes, which its caller's types are: integers alone.
#[inline(always)]
pub fn clear<T>(value: *mut T) {
    let mut word = 0;
    while word < words::<T>() {
        // SAFETY: the caller points to a value that may be written; `word` is below its length, its alignment is that of a word.
        unsafe { value.cast::<u64>().add(word).write_volatile(0) };
        word += 1;
    }
}

/// Copies a value.
#[inline(always)]
pub fn copy<T: Copy>(from: *const T, to: *mut T) {
    let mut word = 0;
    while word < words::<T>() {
        // SAFETY: the caller points to a value and to room for one; `word` is below its length, its alignment is that of a word.
        unsafe { to.cast::<u64>().add(word).write_volatile(from.cast::<u64>().add(word).read_volatile()) };
        word += 1;
    }
}

const fn words<T>() -> usize {
    const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
    size_of::<T>() / 8
}
