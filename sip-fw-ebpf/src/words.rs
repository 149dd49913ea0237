//! Zeroes and copies values word by word. Of a plain assignment the compiler makes a call that moves byte by byte, five instructions
//! for each.

use core::mem::MaybeUninit;

/// Writes zeroes.
#[inline(always)]
pub fn clear<T>(value: &mut MaybeUninit<T>) {
    let words = value.as_mut_ptr().cast::<u64>();
    let mut word = 0;
    while word < words_of::<T>() {
        // SAFETY: below the length of the value, whose alignment is that of a word.
        unsafe { words.add(word).write_volatile(0) };
        word += 1;
    }
}

/// Copies a value over another.
#[inline(always)]
pub fn copy<T: Copy>(from: &T, to: &mut T) {
    // SAFETY: only whole values are written into it.
    write(from, unsafe { &mut *(&raw mut *to).cast() });
}

/// Copies a value to where none is yet.
#[inline(always)]
pub fn write<T: Copy>(from: &T, to: &mut MaybeUninit<T>) {
    let (from, to) = ((&raw const *from).cast::<u64>(), to.as_mut_ptr().cast::<u64>());
    let mut word = 0;
    while word < words_of::<T>() {
        // SAFETY: below the length of both values, whose alignment is that of a word.
        unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) };
        word += 1;
    }
}

const fn words_of<T>() -> usize {
    const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
    size_of::<T>() / 8
}
