//! What a machine writes, taken apart into the parts of its first process.

use std::time::{Duration, Instant};

const BEGIN: &str = "== begin ";
const END: &str = "== end ";

/// One part of the work.
pub struct Part {
    /// Its name, a function of init.sh.
    pub name: String,
    /// What it wrote.
    pub lines: Vec<String>,
    /// Its exit code; None if it never ended.
    pub code: Option<i32>,
    /// How long it took.
    pub took: Duration,
    began: Instant,
}

/// The parts so far.
#[derive(Default)]
pub struct Console {
    parts: Vec<Part>,
}

impl Console {
    /// Takes in a line; the part that it ends, if it ends one.
    pub fn read(&mut self, line: &str) -> Option<&Part> {
        if let Some((_, name)) = line.split_once(BEGIN) {
            let (name, began) = (name.trim().to_owned(), Instant::now());
            self.parts.push(Part { name, lines: Vec::new(), code: None, took: Duration::ZERO, began });
            return None;
        }
        let part = self.parts.last_mut().filter(|part| part.code.is_none())?;
        let Some((_, code)) = line.split_once(END) else {
            part.lines.push(line.to_owned());
            return None;
        };
        part.code = Some(code.trim().parse().unwrap_or(-1));
        part.took = part.began.elapsed();
        Some(part)
    }

    /// A part by its name.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl Part {
    /// The first line with `before` in it, from there on up to `after`.
    pub fn between(&self, before: &str, after: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| Some(line.split_once(before)?.1.split_once(after)?.0))
    }

    /// Whether a line begins with `head` and holds `text`.
    pub fn says(&self, head: &str, text: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(head) && line.contains(text))
    }

    /// Everything in one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let mut console = Console::default();
        let text = "SeaBIOS\n\x1b[2J== begin kernel\n6.1.0\n\n== end 0\nbetween\n== begin run\n{\"a\":\"tcx\"}\n";
        let ended: Vec<_> = text.lines().filter_map(|line| Some(console.read(line)?.name.clone())).collect();
        assert_eq!(ended, ["kernel"]);
        let (kernel, run) = (console.part("kernel").unwrap(), console.part("run").unwrap());
        assert_eq!((kernel.text().as_str(), kernel.code), ("6.1.0\n", Some(0)));
        assert_eq!((run.between("\"a\":\"", "\""), run.code), (Some("tcx"), None));
        assert!(console.part("demo").is_none());
    }
}
