//! The story for people: timed lines on stdout, or on stderr when stdout belongs to the JSON object.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::Instant;

/// Tells what happens, as it happens.
#[derive(Debug)]
pub struct Story {
    start: Instant,
    on_stderr: bool,
    colour: bool,
}

impl Story {
    /// Starts the clock of the story.
    pub fn new(json: bool) -> Self {
        let terminal = if json { stderr().is_terminal() } else { stdout().is_terminal() };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { start: Instant::now(), on_stderr: json, colour }
    }

    /// One line: who, and what happened.
    pub fn tell(&self, who: &str, what: &str) {
        let seconds = self.start.elapsed().as_secs_f32();
        let (on, off) = if self.colour { (colour_of(who), "\x1b[0m") } else { ("", "") };
        self.line(&format!("{seconds:5.1} s  {on}{who:<9}{off} {what}"));
    }

    /// A line as it is.
    pub fn line(&self, line: &str) {
        // Whoever closed the pipe does not want to read it.
        let _ = if self.on_stderr { writeln!(stderr(), "{line}") } else { writeln!(stdout(), "{line}") };
    }

    /// The JSON object, last on stdout.
    pub fn object(&self, json: &str) {
        let _ = writeln!(stdout(), "{json}");
    }
}

fn colour_of(who: &str) -> &'static str {
    match who {
        "attacker" | "FAILED" => "\x1b[31m",
        "office" | "result" => "\x1b[32m",
        "spoofer" => "\x1b[33m",
        "sip-fw" => "\x1b[1;36m",
        _ => "\x1b[1m",
    }
}
