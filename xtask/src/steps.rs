//! Tells what is being done and how long it took. All of it on stderr: stdout belongs to the data.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The steps of one verb, in order, with their times.
pub struct Steps {
    verb: &'static str,
    began: Instant,
    done: Vec<Done>,
}

/// A step that has ended.
struct Done {
    name: String,
    took: Duration,
    ok: bool,
}

impl Steps {
    /// Starts the clock of a verb.
    pub fn new(verb: &'static str) -> Self {
        Self { verb, began: Instant::now(), done: Vec::new() }
    }

    /// A step that prints nothing itself: one line, on which the elapsed time runs while it works.
    /// The step may return a text to end its line with.
    pub fn quiet<T>(&mut self, name: &str, work: impl FnOnce(&mut String) -> Result<T>) -> Result<T> {
        let began = Instant::now();
        let mut note = String::new();
        let head = format!("{}: {name}", self.verb);
        let result = ticking(&head, began, || work(&mut note));
        let took = seconds(began.elapsed());
        match (&result, note.is_empty()) {
            (Ok(_), true) => end_line(&head, &took),
            (Ok(_), false) => end_line(&head, &format!("{note}, {took}")),
            (Err(_), _) => end_line(&head, &format!("FAILED after {took}")),
        }
        self.record(name, began, result.is_ok());
        result
    }

    /// A step whose programs print as they go: a line before and a line after.
    pub fn stream<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        eprintln!("{}: {name} …", self.verb);
        let result = work();
        let outcome = if result.is_ok() { "done in" } else { "FAILED after" };
        eprintln!("{}: {name} {outcome} {}", self.verb, seconds(began.elapsed()));
        self.record(name, began, result.is_ok());
        result
    }

    /// Marks the newest step as failed although its work returned a value.
    pub fn last_failed(&mut self) {
        if let Some(last) = self.done.last_mut() {
            last.ok = false;
        }
    }

    /// One line that is no step.
    pub fn say(&self, text: &str) {
        eprintln!("{}: {text}", self.verb);
    }

    /// The closing line of a verb that has no table.
    pub fn finish(&self) {
        self.say(&format!("done in {}", seconds(self.began.elapsed())));
    }

    /// Every step with its outcome and time, as the lines of a table.
    pub fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let row = |name: &str, ok: bool, took: Duration| {
            format!("  {name:<width$}  {}  {:>9}\n", if ok { "ok    " } else { "FAILED" }, seconds(took))
        };
        let mut text: String = self.done.iter().map(|step| row(&step.name, step.ok, step.took)).collect();
        text.push_str(&row("in all", self.done.iter().all(|step| step.ok), self.began.elapsed()));
        text
    }

    fn record(&mut self, name: &str, began: Instant, ok: bool) {
        self.done.push(Done { name: name.to_owned(), took: began.elapsed(), ok });
    }
}

/// Seconds with as many digits as a reader cares for.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.2} s", time.as_secs_f64()),
        10..=119 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Does the work; on a terminal the line shows the seconds run by, elsewhere its head is printed at once.
fn ticking<T>(head: &str, began: Instant, work: impl FnOnce() -> T) -> T {
    if !std::io::stderr().is_terminal() {
        eprint!("{head} … ");
        return work();
    }
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                eprint!("\r{head} … {} s", began.elapsed().as_secs());
                let _ = std::io::stderr().flush();
            }
        });
        eprint!("{head} …");
        let result = work();
        drop(stop);
        result
    })
}

fn end_line(head: &str, text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\r\x1b[K{head} … {text}");
    } else {
        eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.23 s");
        assert_eq!(seconds(Duration::from_millis(61_250)), "61.2 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn a_failed_step_shows_in_the_table() {
        let mut steps = Steps::new("test");
        steps.quiet("first", |_| Ok(())).unwrap();
        assert!(steps.stream("second", || -> Result<()> { anyhow::bail!("no") }).is_err());
        let table = steps.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].contains("first") && lines[0].contains("ok"), "{table}");
        assert!(lines[1].contains("second") && lines[1].contains("FAILED"), "{table}");
        assert!(lines[2].contains("in all") && lines[2].contains("FAILED"), "{table}");
    }
}
