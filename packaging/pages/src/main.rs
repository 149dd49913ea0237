//! Writes what is generated from the command line's own definition: man pages and shell completions. A package of its own, so
//! that what generates them is no part of `sip-fw`.
//!
//! usage: `cargo run --package sip-fw-pages -- FOLDER`; it makes `man1/`, `man5/` and `completions/` there.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use sip_fw_agent::{cli, clock};
use sip_fw_core::time::Timestamp;

/// The manual that every page says it belongs to, and what it is of.
const MANUAL: &str = "sip-fw";
const SOURCE: &str = concat!("sip-fw ", env!("CARGO_PKG_VERSION"));

/// The configuration as it is packaged: its comments explain every key.
const CONFIGURATION: &str = include_str!("../../sip-fw.toml");

const FILES: [(&str, &str); 4] = [
    ("/etc/sip-fw/sip-fw.toml", "the configuration, see sip-fw.toml(5)"),
    ("/var/lib/sip-fw", "what outlives a reboot"),
    ("/run/sip-fw/control.sock", "the socket of the agent"),
    ("/sys/fs/bpf/sip-fw", "programs and maps: what is in force, whether an agent runs or not"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("name the folder to write to")?);
    let [commands, formats, completions] = ["man1", "man5", "completions"].map(|name| folder.join(name));
    for folder in [&commands, &formats, &completions] {
        fs::create_dir_all(folder)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::command(), "sip-fw", &completions)?;
    }
    write_commands(&commands)?;
    Ok(write_configuration(&formats)?)
}

/// One page for `sip-fw` and one for each verb.
fn write_commands(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let verbs: Vec<Command> = command.get_subcommands().cloned().collect();
    for verb in &verbs {
        let mut page = page(verb.clone(), folder)?;
        see_also(&["sip-fw(1)", "sip-fw.toml(5)"]).to_writer(&mut page)?;
    }
    let codes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut page = page(command.after_help(None::<&str>), folder)?;
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]).text([roman(codes)]);
    rest.control("SH", ["FILES"]);
    for (path, what) in FILES {
        rest.control("TP", []).text([bold(path)]).text([roman(what)]);
    }
    rest.to_writer(&mut page)?;
    let names: Vec<String> = verbs.iter().map(|verb| format!("sip-fw-{}(1)", verb.get_name())).collect();
    let others: Vec<&str> = names.iter().map(String::as_str).chain(["sip-fw.toml(5)"]).collect();
    Ok(see_also(&others).to_writer(&mut page)?)
}

/// The page of a command, as far as its definition goes.
fn page(command: Command, folder: &Path) -> Result<File, Box<dyn Error>> {
    let man = Man::new(command).manual(MANUAL).source(SOURCE).date(date());
    Ok(File::options().append(true).open(man.generate_to(folder)?)?)
}

fn write_configuration(folder: &Path) -> std::io::Result<()> {
    let mut page = Roff::new();
    page.control("TH", ["sip-fw.toml", "5", &date(), SOURCE, MANUAL]);
    page.control("SH", ["NAME"]).text([roman("sip-fw.toml - configuration of sip-fw")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "The file as it is installed, in TOML. Every key is explained where it stands, with its default.",
    )]);
    page.control("PP", []);
    page.text([
        roman("Check a change with "),
        bold("sip-fw check"),
        roman(", put it in force with "),
        bold("sip-fw apply"),
    ]);
    page.control("PP", []).control("EX", []);
    for line in CONFIGURATION.lines() {
        page.text([roman(line)]);
    }
    page.control("EE", []);
    page.extend([see_also(&["sip-fw(1)", "sip-fw-check(1)", "sip-fw-apply(1)"])]);
    let mut file = File::create(folder.join("sip-fw.toml.5"))?;
    page.to_writer(&mut file)?;
    file.flush()
}

fn see_also(pages: &[&str]) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
    section
}

/// The day that the pages are of: that of the sources, or today.
fn date() -> String {
    let asked = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse::<i64>().ok());
    let time = asked.map_or_else(clock::wall, |seconds| Timestamp { unix_ms: seconds * 1000 });
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}
