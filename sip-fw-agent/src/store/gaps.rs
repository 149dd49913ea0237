//! The rows of a table that has broken pages: read from both ends, and from wherever one can begin between.

use std::collections::VecDeque;

use rusqlite::{Connection, Row};

/// Places to begin at, at most.
const PROBES_MAX: usize = 4096;
/// A gap is given up when so many places to begin at, each in half of what was left, were broken.
const MISSES_MAX: u32 = 8;
/// Behind every source, as text.
const END: &str = "\x7f";

/// A table whose rows lie in the order of their sources.
#[derive(Clone, Copy)]
pub struct Table<'a, T> {
    /// The database it is in.
    pub database: &'a Connection,
    /// Its name.
    pub name: &'a str,
    /// What is read of it.
    pub columns: &'a str,
    /// Reads a row.
    pub read: fn(&Row<'_>) -> rusqlite::Result<T>,
    /// The source of a row.
    pub source: fn(&T) -> &str,
}

/// Sources between which not all was read, and how often in vain.
struct Gap {
    low: String,
    high: String,
    misses: u32,
}

/// Rows in their order up to a page that cannot be read, or all.
struct Stretch<T> {
    rows: Vec<T>,
    is_whole: bool,
}

impl<T> Table<'_, T> {
    /// Every row that can be read, some of them more than once.
    pub fn rows(&self) -> Vec<T> {
        let front = self.up("", END);
        let mut found = front.rows;
        if front.is_whole {
            return found;
        }
        let low = self.last(&found).unwrap_or_default();
        let back = self.down(&low, END);
        let mut gaps = VecDeque::new();
        if !back.is_whole {
            gaps.push_back(Gap { low, high: self.last(&back.rows).unwrap_or_else(|| END.to_owned()), misses: 0 });
        }
        found.extend(back.rows);
        for _ in 0..PROBES_MAX {
            let Some(gap) = gaps.pop_front() else { break };
            found.extend(self.probe(gap, &mut gaps));
        }
        found
    }

    /// Reads from the middle of a gap to both sides, and leaves what gaps remain.
    fn probe(&self, gap: Gap, gaps: &mut VecDeque<Gap>) -> Vec<T> {
        let Gap { low, high, misses } = gap;
        let Some(middle) = middle(&low, &high) else { return Vec::new() };
        let up = self.up(&middle, &high);
        let down = self.down(&low, &middle);
        // The ends of the gap are known, but not all rows of their sources may be.
        let is_new = |row: &T| ![low.as_str(), &high].contains(&(self.source)(row));
        let misses = if up.rows.iter().chain(&down.rows).any(is_new) { 0 } else { misses + 1 };
        if misses < MISSES_MAX {
            if !down.is_whole {
                gaps.push_back(Gap { low, high: self.last(&down.rows).unwrap_or_else(|| middle.clone()), misses });
            }
            if !up.is_whole {
                gaps.push_back(Gap { low: self.last(&up.rows).unwrap_or(middle), high, misses });
            }
        }
        up.rows.into_iter().chain(down.rows).collect()
    }

    /// The rows from the lowest source up.
    fn up(&self, low: &str, high: &str) -> Stretch<T> {
        self.stretch("source >= ?1 ORDER BY source ASC", low, |source| source > high)
    }

    /// The rows from the highest source down.
    fn down(&self, low: &str, high: &str) -> Stretch<T> {
        self.stretch("source <= ?1 ORDER BY source DESC", high, |source| source < low)
    }

    /// The rows from one source to another. Where they end is for us to say: SQLite would end at a row of nonsense that looks as if it
    /// lay behind.
    fn stretch(&self, from: &str, begin: &str, is_behind: impl Fn(&str) -> bool) -> Stretch<T> {
        let Self { database, name, columns, read, source } = self;
        let mut stretch = Stretch { rows: Vec::new(), is_whole: false };
        let query = format!("SELECT {columns} FROM {name} WHERE {from}");
        let Ok(mut statement) = database.prepare(&query) else { return stretch };
        let Ok(mut rows) = statement.query([begin]) else { return stretch };
        while let Ok(row) = rows.next() {
            let Some(row) = row else {
                stretch.is_whole = true;
                break;
            };
            let Ok(row) = read(row) else { continue };
            if is_behind(source(&row)) {
                stretch.is_whole = true;
                break;
            }
            stretch.rows.push(row);
        }
        stretch
    }

    fn last(&self, rows: &[T]) -> Option<String> {
        rows.last().map(|row| (self.source)(row).to_owned())
    }
}

/// A text between two others, as SQLite compares them; None if there is none, or they are not ASCII.
fn middle(low: &str, high: &str) -> Option<String> {
    const BASE: u16 = 128;
    if !(low.is_ascii() && high.is_ascii()) {
        return None;
    }
    // As numbers behind a point: their sum, the carry in front, and half of it.
    let len = low.len().max(high.len()) + 1;
    let digit = |text: &str, at: usize| u16::from(text.as_bytes().get(at).copied().unwrap_or(0));
    let mut sum = vec![0; len + 1];
    for at in (0..len).rev() {
        let both: u16 = digit(low, at) + digit(high, at) + sum[at + 1];
        sum[at + 1] = both % BASE;
        sum[at] = both / BASE;
    }
    let mut rest = 0;
    let half = sum.into_iter().map(|digit| {
        let both = rest * BASE + digit;
        rest = both % 2;
        (both / 2) as u8
    });
    let text = String::from_utf8(half.skip(1).collect()).ok()?;
    let text = text.trim_end_matches('\0').to_owned();
    (low < text.as_str() && text.as_str() < high).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_middle_lies_between() {
        let middles =
            [("", END), ("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.10"), ("2001:db8::/64", END), ("a", "b")];
        for (low, high) in middles {
            let middle = middle(low, high).unwrap();
            assert!(low < middle.as_str() && middle.as_str() < high, "{low:?} {middle:?} {high:?}");
        }
        for (low, high) in [("a", "a"), ("b", "a"), ("", "é")] {
            assert_eq!(middle(low, high), None);
        }
    }

    #[test]
    fn halves_come_down_to_any_text() {
        let (mut low, mut high) = (String::new(), END.to_owned());
        for _ in 0..100 {
            let Some(next) = middle(&low, &high) else { break };
            if next.as_str() < "10.0.7.7" { low = next } else { high = next }
        }
        assert!(low.starts_with("10.0.7.6") && high.starts_with("10.0.7.7"), "{low:?} {high:?}");
    }
}
