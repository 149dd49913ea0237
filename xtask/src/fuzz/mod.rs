//! `cargo xtask fuzz`: builds the fuzz targets and lets libFuzzer run them, two at a time; a find ends it with exit code 1.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cargo_fuzz;
use crate::sanitize;
use crate::setup::{self, Needs};
use crate::steps::Steps;
use crate::workspace::Workspace;

mod round;

use round::{Outcome, Round};

/// What `fuzz` understands.
#[derive(Args)]
pub struct Options {
    /// Minutes for each target
    #[arg(long, default_value_t = 1, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Seconds for each target instead
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    seconds: Option<u64>,
    /// Targets side by side
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Instead, run the tests of everything that is `unsafe` in user space under the address sanitizer
    #[arg(long, conflicts_with_all = ["minutes", "seconds", "targets"])]
    sanitize: bool,
    /// Only these targets
    targets: Vec<String>,
}

/// Runs what was asked for.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let mut steps = Steps::new("fuzz");
    if options.sanitize {
        sanitize::run(workspace, &mut steps)?;
        steps.finish();
        return Ok(ExitCode::SUCCESS);
    }
    let targets = chosen(workspace, &options.targets)?;
    setup::run(workspace, &mut steps, Needs::FUZZ)?;
    let seconds = options.seconds.unwrap_or(60 * options.minutes);
    let outcomes = fuzz(workspace, &mut steps, &targets, seconds, options.jobs)?;
    println!("{}", round::table(&outcomes));
    let found: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.find.is_some()).collect();
    for outcome in &found {
        eprintln!("{}", outcome.advice());
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fuzz(workspace: &Workspace, steps: &mut Steps, targets: &[String], seconds: u64, jobs: u8) -> Result<Vec<Outcome>> {
    let programs = steps.stream("build of the fuzz targets", || cargo_fuzz::build(workspace))?;
    let round =
        Round { programs, package: workspace.root.join("fuzz"), kept: workspace.target.join("fuzz/corpus"), seconds };
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || -> Result<Vec<Outcome>> { std::iter::from_fn(next).map(|target| round.run(target)).collect() };
    steps.stream(&format!("{} targets, {} s each", targets.len(), round.seconds), || {
        let done: Result<Vec<Vec<Outcome>>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join().ok().context("a worker panicked")?);
            joined.collect()
        });
        let mut outcomes = done?.concat();
        outcomes.sort_by_key(|outcome| targets.iter().position(|target| *target == outcome.target));
        Ok(outcomes)
    })
}

/// The targets that are asked for, all of them if none is.
fn chosen(workspace: &Workspace, asked: &[String]) -> Result<Vec<String>> {
    let folder: PathBuf = workspace.root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()));
    let mut all: Vec<String> = names.collect();
    all.sort();
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("no fuzz target {unknown}; allowed: {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all } else { asked.to_vec() })
}
