//! Lays sorted pieces of an address space out as a tree of the rule set.

use sip_fw_common::rules::{CELLS_MAX, DIRECTORIES_MAX, LEAF_PIECES, LEAF_WORDS, NESTED, TREE_WORDS, Tree};

/// The start of a piece, and its value.
pub type Piece = (u64, u32);

/// Leaves of a cell that are searched without a directory of their own.
const LEAVES_SEARCHED: usize = 2;

/// Appends a tree. The pieces are sorted, and the first one starts at 0.
pub fn append(words: &mut Vec<u64>, pieces: &[Piece]) -> Tree {
    let first_leaf = align(words, LEAF_WORDS) / LEAF_WORDS;
    for leaf in pieces.chunks(LEAF_PIECES as usize) {
        words.extend(leaf_words(leaf));
    }
    Directories { pieces, first_leaf }.append(words, 0, pieces.len() - 1, 1)
}

struct Directories<'a> {
    pieces: &'a [Piece],
    first_leaf: u32,
}

impl Directories<'_> {
    /// Appends the directory of the keys from one piece to another, both included.
    fn append(&self, words: &mut Vec<u64>, first: usize, last: usize, depth: u32) -> Tree {
        let starts = &self.pieces[(first + 1).min(last)..=last];
        let base = starts[0].0;
        let span = starts[starts.len() - 1].0 - base;
        let wanted = (starts.len() as u64).next_power_of_two().min(u64::from(CELLS_MAX));
        // The smallest cells of which not more than wanted cover the span.
        let shift = (0..63).find(|shift| span >> shift < wanted).unwrap_or(63);
        let cells = (span >> shift) + 1;
        let directory = words.len();
        words.resize(directory + cells as usize, 0);
        let mut running = first;
        for cell in 0..cells {
            // What is before the first cell belongs to it, what is behind the last one to that.
            let from = running;
            let end = base.saturating_add(cell << shift).saturating_add((1 << shift) - 1);
            while running < last && (cell + 1 == cells || self.pieces[running + 1].0 <= end) {
                running += 1;
            }
            words[directory + cell as usize] = self.cell(words, from, running, depth, cells > 1);
        }
        Tree { base, directory: directory as u32, cells: cells as u32, shift, _pad: 0 }
    }

    /// The word of a cell with these pieces. One that divides nothing is not divided further.
    fn cell(&self, words: &mut Vec<u64>, first: usize, last: usize, depth: u32, divides: bool) -> u64 {
        let per_leaf = LEAF_PIECES as usize;
        if depth < DIRECTORIES_MAX && divides && last / per_leaf - first / per_leaf >= LEAVES_SEARCHED {
            let tree = self.append(words, first, last, depth + 1);
            return NESTED | u64::from(append_record(words, &tree));
        }
        let leaf = |piece: usize| u64::from(self.first_leaf) + (piece / per_leaf) as u64;
        leaf(first) | leaf(last) << 32
    }
}

/// Fills up with zeroes to a multiple of `unit` words; returns the length.
pub fn align(words: &mut Vec<u64>, unit: u32) -> u32 {
    words.resize(words.len().next_multiple_of(unit as usize), 0);
    words.len() as u32
}

/// Appends the record of a tree; returns its number.
pub fn append_record(words: &mut Vec<u64>, tree: &Tree) -> u32 {
    let record = align(words, TREE_WORDS) / TREE_WORDS;
    words.extend(tree.words());
    align(words, TREE_WORDS);
    record
}

fn leaf_words(pieces: &[Piece]) -> [u64; LEAF_WORDS as usize] {
    let mut words = [0; LEAF_WORDS as usize];
    let last = pieces.last().map_or(0, |piece| piece.1);
    for slot in 0..LEAF_PIECES as usize {
        // Behind the last piece nothing begins; where the largest key seems to, it finds the last value.
        let (start, value) = pieces.get(slot).copied().unwrap_or((u64::MAX, last));
        words[slot] = start;
        words[LEAF_PIECES as usize + slot / 2] |= u64::from(value) << (32 * (slot % 2));
    }
    words
}
