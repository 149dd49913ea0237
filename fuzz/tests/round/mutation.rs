//! Inputs made of others: bytes changed, cut out, doubled, taken from another file, words put in. Some are made of noise: targets
//! that make a value of their bytes meet all of them there.

use sip_fw_e2e::random::Random;

/// Bytes of an input at most, as `cargo xtask fuzz` has it.
const INPUT_BYTES_MAX: usize = 8192;
/// Changes of one input at most.
const CHANGES_MAX: usize = 6;
/// One input in so many is noise, of so many bytes at most.
const NOISE_IN: usize = 8;
const NOISE_BYTES_MAX: usize = 256;

/// Makes inputs.
pub struct Mutation<'a> {
    random: Random,
    files: &'a [Vec<u8>],
    words: &'a [Vec<u8>],
}

impl<'a> Mutation<'a> {
    /// Of the files of a corpus, at least one, and the words of a dictionary, at least one.
    pub fn new(seed: u64, files: &'a [Vec<u8>], words: &'a [Vec<u8>]) -> Self {
        Self { random: Random::new(seed), files, words }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = if self.random.once_in(NOISE_IN) { self.noise() } else { self.file().to_vec() };
        for _ in 0..=self.random.below(CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.stretch(input.len());
        match self.random.below(8) {
            0 => input.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << self.random.below(8)),
            1 => input.iter_mut().skip(from).take(1).for_each(|byte| *byte = self.random.number() as u8),
            2 => drop(input.drain(from..to)),
            3 => input.extend_from_within(from..to),
            4 => drop(input.splice(from..from, input[from..to].to_vec())),
            5 => drop(input.splice(from..from, self.word().to_vec())),
            6 => drop(input.splice(from..to, self.word().to_vec())),
            _ => {
                let other = self.file();
                let (begin, end) = self.stretch(other.len());
                drop(input.splice(from..to, other[begin..end].to_vec()));
            }
        }
    }

    /// A place, and one behind it: near it mostly, the end of all sometimes.
    fn stretch(&mut self, len: usize) -> (usize, usize) {
        let from = self.random.below(len + 1);
        let to = if self.random.once_in(4) { len } else { from + self.random.below(32) };
        (from, to.min(len))
    }

    fn noise(&mut self) -> Vec<u8> {
        (0..self.random.below(NOISE_BYTES_MAX)).map(|_| self.random.number() as u8).collect()
    }

    fn file(&mut self) -> &'a [u8] {
        &self.files[self.random.below(self.files.len())]
    }

    fn word(&mut self) -> &'a [u8] {
        &self.words[self.random.below(self.words.len())]
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs_and_another_one_others() {
    let (files, words) = ([b"some text".to_vec(), Vec::new()], [b"word".to_vec()]);
    let made = |seed| {
        let mut mutation = Mutation::new(seed, &files, &words);
        (0..100).map(|_| mutation.input()).collect::<Vec<_>>()
    };
    assert_eq!(made(7), made(7));
    assert_ne!(made(7), made(8));
    let kinds: std::collections::BTreeSet<_> = made(7).into_iter().collect();
    assert!(kinds.len() > 60, "{} of 100 inputs differ", kinds.len());
}
