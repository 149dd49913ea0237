//! Looking up in a rule set; the same code in the kernel and in user space.

use super::{
    COUNTER_WORDS, DEEPER, DIRECT, Decision, Header, LEAF_PIECES, LEAF_WORDS, NESTED, PAGE_WORDS, Page,
    SEARCH_STEPS_MAX, TREE_WORDS, Tree,
};

/// Pages by their number: a kernel map, or memory.
pub trait Pages {
    /// The page; None behind the last one.
    fn page(&self, number: u32) -> Option<&Page>;

    /// A word by its number.
    #[inline(always)]
    fn word(&self, number: u32) -> Option<u64> {
        Some(self.page(number / PAGE_WORDS)?.words[(number % PAGE_WORDS) as usize])
    }

    /// The leaf of a key among the leaves from `first` to `last`, see [`search`].
    fn leaf(&self, first: u32, last: u32, key: u64) -> Option<u32>;

    /// Half of a word by its number, counted in halves.
    #[inline(always)]
    fn half(&self, number: u32) -> Option<u32> {
        Some((self.word(number / 2)? >> (32 * (number & 1))) as u32)
    }
}

/// The last of some leaves whose first piece begins with a key or before it.
#[inline(always)]
#[must_use]
pub fn search(pages: &(impl Pages + ?Sized), mut first: u32, mut last: u32, key: u64) -> Option<u32> {
    let mut step = 0;
    while step < SEARCH_STEPS_MAX && first < last {
        let middle = first + (last - first).div_ceil(2);
        if pages.word(middle.wrapping_mul(LEAF_WORDS))? <= key {
            first = middle;
        } else {
            last = middle - 1;
        }
        step += 1;
    }
    Some(first)
}

impl Pages for [Page] {
    fn page(&self, number: u32) -> Option<&Page> {
        self.get(number as usize)
    }

    fn leaf(&self, first: u32, last: u32, key: u64) -> Option<u32> {
        search(self, first, last, key)
    }
}

/// What the directory says of a key.
#[inline(always)]
fn cell(pages: &(impl Pages + ?Sized), tree: &Tree, key: u64) -> Option<u64> {
    let offset = if key < tree.base { 0 } else { (key - tree.base) >> (tree.shift & 63) };
    let last_cell = u64::from(tree.cells).wrapping_sub(1);
    let cell = if offset > last_cell { last_cell } else { offset };
    pages.word(tree.directory.wrapping_add(cell as u32))
}

/// The tree of a record.
#[inline(always)]
fn record(pages: &(impl Pages + ?Sized), number: u32) -> Option<Tree> {
    let words = &pages.page(number / (PAGE_WORDS / TREE_WORDS))?.words;
    // Records do not cross pages.
    let slot = (number % (PAGE_WORDS / TREE_WORDS) * TREE_WORDS) as usize;
    Some(Tree::of([words[slot], words[slot + 1], words[slot + 2]]))
}

/// The value of a key in a tree.
#[inline(always)]
#[must_use]
pub fn find(pages: &(impl Pages + ?Sized), tree: &Tree, key: u64) -> Option<u32> {
    let mut leaves = cell(pages, tree, key)?;
    // Directories are nested DIRECTORIES_MAX deep.
    if leaves & NESTED != 0 {
        leaves = cell(pages, &record(pages, leaves as u32)?, key)?;
    }
    if leaves & NESTED != 0 {
        leaves = cell(pages, &record(pages, leaves as u32)?, key)?;
    }
    let first = pages.leaf(leaves as u32, (leaves >> 32) as u32, key)?;
    let page = pages.page(first / (PAGE_WORDS / LEAF_WORDS))?;
    let at = (first % (PAGE_WORDS / LEAF_WORDS)) * LEAF_WORDS;
    let mut before = 0;
    let mut piece = 1;
    while piece < LEAF_PIECES {
        before += u32::from(page.words[(at + piece) as usize] <= key);
        piece += 1;
    }
    let values = page.words[((at + LEAF_PIECES + before / 2) % PAGE_WORDS) as usize];
    Some((values >> (32 * (before & 1))) as u32)
}

/// An address to look up: IPv4 in `high`, its lower half; IPv6 in both, in host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// IPv4, else IPv6.
    pub v4: bool,
    /// The first eight bytes.
    pub high: u64,
    /// The last eight bytes of IPv6.
    pub low: u64,
}

/// What the rules say of an address in a column, known peers left aside.
#[inline(always)]
#[must_use]
pub fn decide(pages: &(impl Pages + ?Sized), header: &Header, who: Who, column: u32) -> Option<Decision> {
    let first = if who.v4 { &header.v4 } else { &header.v6 };
    let mut value = find(pages, first, who.high)?;
    if value & DEEPER != 0 {
        value = find(pages, &record(pages, value & !DEEPER)?, who.low)?;
    }
    if value & DIRECT != 0 {
        return Some(Decision(value & !DIRECT));
    }
    let columns = header.services_len + 1;
    let slot = value.wrapping_mul(columns).wrapping_add(column);
    pages.half(header.rows.wrapping_mul(2).wrapping_add(slot)).map(Decision)
}

/// The number of the service that listens on a port, from its slot ([`crate::abi::port_slot`]).
#[inline(always)]
#[must_use]
pub fn service_at(pages: &(impl Pages + ?Sized), header: &Header, slot: u32) -> Option<u8> {
    let word = pages.word(header.ports.wrapping_add(slot / 8))?;
    ((word >> (8 * (slot & 7))) as u8).checked_sub(1)
}

/// Number of the first word of a rule's counter on a CPU.
#[inline(always)]
#[must_use]
pub const fn counter_at(header: &Header, cpu: u32, rule: u32) -> u32 {
    header.counters.wrapping_add(cpu.wrapping_mul(header.rules).wrapping_add(rule).wrapping_mul(COUNTER_WORDS))
}
