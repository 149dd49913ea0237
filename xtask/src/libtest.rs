//! Counts what cargo's test harness says.

/// The outcome of any number of test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub ignored: u64,
}

impl Tally {
    /// Takes in one line of output.
    pub fn read(&mut self, line: &str) {
        if let Some([passed, failed, ignored]) = parse_result(line) {
            self.passed += passed;
            self.failed += failed;
            self.ignored += ignored;
        }
    }

    /// A test that returned early because something was missing: the harness takes it for passed, we do not.
    pub fn skip(&mut self) {
        self.passed = self.passed.saturating_sub(1);
    }

    /// A harness that ended badly without a count (a crash, a build error) is one more failure.
    pub fn crashed(&mut self) {
        self.failed += 1;
    }
}

/// The three counts in `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s`.
fn parse_result(line: &str) -> Option<[u64; 3]> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word))?;
        part.trim().parse().ok()
    };
    Some([count("passed")?, count("failed")?, count("ignored")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\ntest a::one ... ok\ntest a::two ... FAILED\ntest three ... ignored\n\n\
        test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
        running 1 test\ntest four ... ok\n\
        test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";

    #[test]
    fn binaries_add_up() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.read(line));
        assert_eq!((tally.passed, tally.failed, tally.ignored), (2, 1, 1));
    }

    #[test]
    fn a_skipped_test_has_not_passed() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.read(line));
        tally.skip();
        assert_eq!(tally.passed, 1);
    }

    #[test]
    fn a_crash_counts_as_a_failure() {
        let mut tally = Tally::default();
        tally.read("error: test failed, to rerun pass `--lib`");
        tally.crashed();
        assert_eq!(tally.failed, 1);
    }
}
