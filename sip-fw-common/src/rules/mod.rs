//! A rule set as it lies in one kernel map: settings, ports, services and access rules in pages of 256 words, so that
//! replacing the map replaces all of it at once.
//!
//! Who a packet comes from is looked up in a tree: the address space is cut where the decision changes, and the starts of
//! the pieces lie sorted in leaves of one cache line. A directory in front leads to the leaves in question, so that the
//! cost hardly depends on the number of pieces. IPv6 goes by its first eight bytes; where they do not decide, a second tree
//! goes by the rest.

mod decision;
mod header;
mod lookup;

pub use decision::{Action, Decision, ServiceEntry};
pub use header::{Header, Page, Tree};
pub use lookup::{Pages, Who, counter_at, decide, find, search, service_at};

/// Words of a page, which is the value of the map.
pub const PAGE_WORDS: u32 = 256;

/// Words of a leaf: a cache line.
pub const LEAF_WORDS: u32 = 8;

/// Pieces of the address space in a leaf: their starts take five words, their values two and a half.
pub const LEAF_PIECES: u32 = 5;

/// Cells of a directory at most. More would not fit into the caches.
pub const CELLS_MAX: u32 = 1 << 17;

/// A cell that leads to a directory of its own: where many pieces lie close together. Beside it, the number of the
/// tree's record, counted in [`TREE_WORDS`].
pub const NESTED: u64 = 1 << 63;

/// Words from one tree of a cell to the next.
pub const TREE_WORDS: u32 = 4;

/// Directories on the way to a leaf.
pub const DIRECTORIES_MAX: u32 = 3;

/// Steps of the search among the leaves of a cell: enough for two to this power.
pub const SEARCH_STEPS_MAX: u32 = 22;

/// Words of a counter: packets and bytes.
pub const COUNTER_WORDS: u32 = 2;

/// Beside a value: it leads to a second tree, and is the number of its record, counted in [`TREE_WORDS`].
pub const DEEPER: u32 = 1 << 31;

/// Beside a value: it is the [`Decision`] in all columns. Without, it is the number of a row.
pub const DIRECT: u32 = 1 << 30;
