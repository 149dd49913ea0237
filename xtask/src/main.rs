//! `cargo xtask`: sets up, builds, tests and shows sip-fw. One verb per job; `cargo xtask` alone lists them.

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

mod apt;
mod bench;
mod bpf_toolchain;
mod build;
mod cargo_deb;
mod cargo_fuzz;
mod ci;
mod demo;
mod fuzz;
mod host;
mod judge;
mod kernels;
mod libtest;
mod licences;
mod linker;
mod package;
mod peers;
mod private;
mod process;
mod sanitize;
mod setup;
mod steps;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use crate::setup::Needs;
use crate::steps::Steps;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Sets up, builds, tests and shows sip-fw")]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Installs what building and testing need, quickly when nothing is missing
    Setup {
        /// Only what building needs, not the programs that the tests run
        #[arg(long)]
        build_only: bool,
    },
    /// Sets up for building and builds the release binary with the kernel programs in it
    Build,
    /// Runs every test: unit, kernel programs, end to end (root)
    Test(test::Options),
    /// Shows the main job: an attacker banned, the office served, a spoofer banning nobody (root)
    Demo(demo::Options),
    /// Plays labelled scenarios through the kernel programs, and judges what they decide (root)
    Judge(judge::Options),
    /// Measures what packets cost, beside an empty program in the same run (root)
    Bench(bench::Options),
    /// Boots other kernels in virtual machines: the programs must load and decide there as here (root)
    Kernels(kernels::Options),
    /// Lets libFuzzer look for input that breaks a reader of hostile bytes, from the corpus on
    Fuzz(fuzz::Options),
    /// Makes the Debian package, an archive with a static binary, and their checksums
    Package,
    /// Runs what a change must pass besides `test`: format, lints, docs, tidy, licences
    Ci,
    /// Checks what the compiler and clippy do not see: dependency direction, homes of unsafe, file headers …
    Tidy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(verb) = arguments.verb else {
        // A closed pipe is the reader's choice, not a failure.
        let _ = Arguments::command().print_help();
        return ExitCode::SUCCESS;
    };
    match run(verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    let workspace = Workspace::open()?;
    match verb {
        Verb::Setup { build_only } => {
            let needs = if build_only { Needs::BUILD } else { Needs::TEST };
            let mut steps = Steps::new("setup");
            setup::run(&workspace, &mut steps, needs)?;
            steps.finish();
        }
        Verb::Build => {
            let mut steps = Steps::new("build");
            setup::run(&workspace, &mut steps, Needs::BUILD)?;
            build::run(&workspace, &mut steps)?;
            steps.finish();
        }
        Verb::Test(options) => return test::run(&workspace, &options),
        Verb::Demo(options) => return demo::run(&workspace, &options),
        Verb::Judge(options) => return judge::run(&workspace, &options),
        Verb::Bench(options) => return bench::run(&workspace, &options),
        Verb::Kernels(options) => kernels::run(&workspace, &options)?,
        Verb::Fuzz(options) => return fuzz::run(&workspace, &options),
        Verb::Package => package::run(&workspace)?,
        Verb::Ci => return ci::run(&workspace),
        Verb::Tidy => {
            let mut steps = Steps::new("tidy");
            steps.quiet("rules of the project", |_| tidy::run(&workspace))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
