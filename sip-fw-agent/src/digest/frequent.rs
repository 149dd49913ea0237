//! The most frequent of many things in bounded memory: the space-saving counter of Metwally, Agrawal and El Abbadi (2005).

use std::collections::{BTreeSet, HashMap};

/// Counts things and what else is known of each. When all places are taken, a new thing takes the place of the rarest and
/// its count with it: the most frequent stay, and each count says how much of it may be another's.
#[derive(Debug)]
pub struct Frequent<T> {
    places: usize,
    counted: HashMap<String, Counted<T>>,
    rarest: BTreeSet<(u64, String)>,
}

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted<T> {
    /// How often it was seen, at most.
    pub count: u64,
    /// How much of that may be another's.
    pub over: u64,
    /// What else is known.
    pub more: T,
}

impl<T: Default> Frequent<T> {
    /// With so many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), counted: HashMap::new(), rarest: BTreeSet::new() }
    }

    /// Counts a thing, and gives what else is known of it.
    pub fn add(&mut self, name: &str, times: u64) -> &mut T {
        let inherited = if self.counted.contains_key(name) { 0 } else { self.make_room() };
        let counted = self.counted.entry(name.to_owned()).or_insert_with(|| Counted {
            count: inherited,
            over: inherited,
            more: T::default(),
        });
        self.rarest.remove(&(counted.count, name.to_owned()));
        counted.count = counted.count.saturating_add(times);
        self.rarest.insert((counted.count, name.to_owned()));
        &mut counted.more
    }

    /// Different things seen, as far as they have places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counted.len()
    }

    /// Everything, the most frequent first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<(String, Counted<T>)> {
        let mut all: Vec<_> = self.counted.into_iter().collect();
        all.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.count.cmp(&of_a.count).then_with(|| a.cmp(b)));
        all
    }

    /// The count that whoever needs a place inherits.
    fn make_room(&mut self) -> u64 {
        if self.counted.len() < self.places {
            return 0;
        }
        let Some((count, name)) = self.rarest.pop_first() else { return 0 };
        self.counted.remove(&name);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_while_there_is_room() {
        let mut names = Frequent::<u64>::new(3);
        for name in ["b", "a", "b", "c", "b", "a"] {
            *names.add(name, 1) += 10;
        }
        let sorted = names.into_sorted();
        let shown: Vec<_> = sorted.iter().map(|(name, of)| (name.as_str(), of.count, of.over, of.more)).collect();
        assert_eq!(shown, [("b", 3, 0, 30), ("a", 2, 0, 20), ("c", 1, 0, 10)]);
    }

    #[test]
    fn bounded_and_never_without_the_most_frequent() {
        let mut names = Frequent::<()>::new(10);
        for n in 0..10_000 {
            names.add(&format!("once-{n}"), 1);
            if n % 5 == 0 {
                names.add("often", 1);
            }
        }
        assert_eq!(names.len(), 10);
        let sorted = names.into_sorted();
        let (name, of) = &sorted[0];
        assert_eq!(name, "often");
        assert!(of.count >= 2000 && of.count - of.over <= 2000, "{of:?}");
    }
}
