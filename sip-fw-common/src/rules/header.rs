//! The layout of a rule set: pages, its first page, trees.
#![expect(unsafe_code, reason = "the first page is a struct; this file is the only place that says so")]

use super::{PAGE_WORDS, ServiceEntry};
use crate::abi::{Rate, Settings};
use crate::limits::SERVICES_MAX;

/// A part of a rule set.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its words.
    pub words: [u64; PAGE_WORDS as usize],
}

impl Page {
    /// Nothing.
    pub const EMPTY: Self = Self { words: [0; PAGE_WORDS as usize] };
}

/// Where a tree is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tree {
    /// The start of the first cell. What is before it belongs to the first cell, too.
    pub base: u64,
    /// Number of the first word of the directory; one word for each cell: its first and its last leaf (upper
    /// half), or [`super::NESTED`] and the record of a tree for this cell.
    pub directory: u32,
    /// Cells of the directory, at least one. What is behind the last one belongs to it, too.
    pub cells: u32,
    /// A cell covers two to this power of keys, 0 to 63.
    pub shift: u32,
    /// Padding.
    pub _pad: u32,
}

/// The first page.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the programs go by.
    pub settings: Settings,
    /// Of IPv4 addresses.
    pub v4: Tree,
    /// Of the first eight bytes of IPv6 addresses.
    pub v6: Tree,
    /// Number of the rule set; grows with each.
    pub generation: u32,
    /// Number of the first word of the port table: a byte for each port, [`crate::abi::port_slot`]; 0 or the service's
    /// number and 1.
    pub ports: u32,
    /// Services. The column behind theirs in a row is for the ports of none.
    pub services_len: u32,
    /// Number of the first word of the rows: a [`super::Decision`] for each column of each row.
    pub rows: u32,
    /// Number of the first word of the counters: those of all rules for the first CPU, then for the next.
    pub counters: u32,
    /// Rules, defaults of the services included.
    pub rules: u32,
    /// CPUs that have counters.
    pub cpus: u32,
    /// 1: no rule trusts anybody but this host.
    pub trusts_nobody: u32,
    /// The services; the first [`Header::services_len`] are valid.
    pub services: [ServiceEntry; SERVICES_MAX],
    /// How many messages each service takes of a source: of one that nobody knows, and of a known peer.
    pub rates: [[Rate; 2]; SERVICES_MAX],
}
const _: () = assert!(size_of::<Header>() <= size_of::<Page>() && align_of::<Header>() == align_of::<Page>());

impl Header {
    /// The header in a first page.
    #[inline(always)]
    #[must_use]
    pub const fn of(page: &Page) -> &Self {
        // SAFETY: not larger than a page and aligned alike, as asserted above; integers alone, valid for any bits.
        unsafe { &*core::ptr::from_ref(page).cast::<Self>() }
    }

    /// A service by its number.
    #[inline(always)]
    #[must_use]
    pub const fn service(&self, number: u8) -> ServiceEntry {
        self.services[number as usize % SERVICES_MAX]
    }

    /// How many messages a service takes of a source, see [`Header::rates`].
    #[inline(always)]
    #[must_use]
    pub const fn rate(&self, service: u8, known: bool) -> Rate {
        self.rates[service as usize % SERVICES_MAX][known as usize]
    }

    /// As a first page.
    #[must_use]
    pub const fn page(&self) -> Page {
        let mut page = Page::EMPTY;
        // SAFETY: as in `of`.
        unsafe { core::ptr::from_mut(&mut page).cast::<Self>().write(*self) };
        page
    }
}

impl Tree {
    /// From [`Tree::words`].
    #[inline(always)]
    #[must_use]
    pub const fn of(words: [u64; 3]) -> Self {
        let [base, directory, shift] = words;
        Self { base, directory: directory as u32, cells: (directory >> 32) as u32, shift: shift as u32, _pad: 0 }
    }

    /// As the words that stand for it.
    #[must_use]
    pub const fn words(&self) -> [u64; 3] {
        [self.base, self.directory as u64 | (self.cells as u64) << 32, self.shift as u64]
    }
}
