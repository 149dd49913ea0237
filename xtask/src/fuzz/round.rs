//! One target under libFuzzer, and what it says of itself.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::process;

/// Seconds that one input may take; more is a find.
const TIMEOUT_SECONDS: u32 = 25;
/// Megabytes that a target may take; more is a find.
const MEMORY_MIB: u32 = 2048;
/// Bytes of an input at most: a head is 2,047, files and texts may say something behind that.
const INPUT_BYTES_MAX: u32 = 8192;

/// Where everything is, and for how long.
pub struct Round {
    /// The programs.
    pub programs: PathBuf,
    /// The package of the targets.
    pub package: PathBuf,
    /// What earlier rounds found interesting.
    pub kept: PathBuf,
    /// For how long.
    pub seconds: u64,
}

/// What came of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub target: String,
    executions: u64,
    per_second: u64,
    /// Edges of the program that were reached.
    coverage: u64,
    /// Inputs that reach something of their own.
    corpus: u64,
    /// What broke it, or that it ended without a word.
    pub find: Option<String>,
}

impl Round {
    /// Runs one target to the end of its time, or to a find.
    pub fn run(&self, target: &str) -> Result<Outcome> {
        let kept = self.kept.join(target);
        let finds = self.package.join("artifacts").join(target);
        for folder in [&kept, &finds] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let log = self.kept.join(format!("{target}.log"));
        let mut command = process::guarded(self.programs.join(target));
        command.arg(format!("-max_total_time={}", self.seconds)).arg(format!("-artifact_prefix={}/", finds.display()));
        command.arg(format!("-timeout={TIMEOUT_SECONDS}")).arg(format!("-rss_limit_mb={MEMORY_MIB}"));
        command.arg(format!("-max_len={INPUT_BYTES_MAX}")).args(["-print_final_stats=1", "-use_value_profile=1"]);
        let words = self.package.join("dictionaries").join(target);
        if words.is_file() {
            command.arg(format!("-dict={}", words.display()));
        }
        command.arg(&kept).arg(self.package.join("corpus").join(target));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| format!("cannot run {}", process::shown(&command)))?;
        let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let outcome = Outcome::read(target, &String::from_utf8_lossy(&said), &log);
        Ok(match outcome.find {
            None if !status.success() => Outcome { find: Some(format!("{status}, see {}", log.display())), ..outcome },
            _ => outcome,
        })
    }
}

impl Outcome {
    /// Reads libFuzzer's words: lines such as `#8192 pulse cov: 5 ft: 9 corp: 3/10b …`, `stat::NAME: NUMBER` at the end.
    fn read(target: &str, said: &str, log: &Path) -> Self {
        let mut outcome = Self { target: target.to_owned(), ..Self::default() };
        for line in said.lines() {
            let number = |text: &str| text.trim().split('/').next().and_then(|text| text.parse().ok());
            if let Some((name, value)) = line.strip_prefix("stat::").and_then(|stat| stat.split_once(':')) {
                match name {
                    "number_of_executed_units" => outcome.executions = number(value).unwrap_or(0),
                    "average_exec_per_sec" => outcome.per_second = number(value).unwrap_or(0),
                    _ => {}
                }
            } else if line.starts_with('#') {
                let mut words = line.split_whitespace();
                while let Some(word) = words.next() {
                    match word {
                        "cov:" => outcome.coverage = words.next().and_then(number).unwrap_or(0),
                        "corp:" => outcome.corpus = words.next().and_then(number).unwrap_or(0),
                        _ => {}
                    }
                }
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                outcome.find = Some(path.to_owned());
            } else if line.contains("ERROR: libFuzzer") {
                outcome.find.get_or_insert_with(|| format!("{line}, see {}", log.display()));
            }
        }
        outcome
    }

    /// What to do about a find.
    pub fn advice(&self) -> String {
        let Self { target, find, .. } = self;
        let input = find.as_deref().unwrap_or_default();
        format!(
            "{target}: {input}\n  what broke stands in target/fuzz/corpus/{target}.log; make a test of it: copy the input to \
             fuzz/corpus/{target}/ under\n  a name that says what it is, add a test with that name beside the code that is wrong, \
             `cargo test -p sip-fw-fuzz`"
        )
    }
}

/// The outcomes as the lines of a table.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from("target    executions   exec/s  coverage  corpus  finds\n");
    for Outcome { target, executions, per_second, coverage, corpus, find } in outcomes {
        let finds = u8::from(find.is_some());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{target:<8}{executions:>12}{per_second:>9}{coverage:>10}{corpus:>8}{finds:>7}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &str) -> Outcome {
        Outcome::read("head", said, Path::new("/log"))
    }

    #[test]
    fn a_round_without_a_find() {
        let outcome = read(
            "INFO: seed corpus: files: 121\n#121\tINITED cov: 300 ft: 900 corp: 100/50Kb exec/s: 0 rss: 50Mb\n\
             #9000\tDONE   cov: 512 ft: 1200 corp: 140/60Kb lim: 1472 exec/s: 900 rss: 60Mb\n\
             stat::number_of_executed_units: 9000\nstat::average_exec_per_sec:     900\nstat::peak_rss_mb: 60\n",
        );
        let expected = Outcome {
            target: "head".to_owned(),
            executions: 9000,
            per_second: 900,
            coverage: 512,
            corpus: 140,
            find: None,
        };
        assert_eq!(outcome, expected);
        let table = table(&[outcome]);
        assert_eq!(table.lines().nth(1), Some("head            9000      900       512     140      0"));
    }

    #[test]
    fn a_find_is_told_with_its_input() {
        let outcome =
            read("==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='/f/'; Test unit written to /f/crash-1\n");
        assert_eq!(outcome.find.as_deref(), Some("/f/crash-1"));
        assert!(outcome.advice().contains("/f/crash-1"));
        let silent = read("==1== ERROR: libFuzzer: out-of-memory\n");
        assert_eq!(silent.find.as_deref(), Some("==1== ERROR: libFuzzer: out-of-memory, see /log"));
    }
}
