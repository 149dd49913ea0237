//! Standard output: data only.

use std::io::{self, Write};

use serde::Serialize;

/// How answers are printed.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// As JSON.
    pub json: bool,
}

impl Output {
    /// Prints one line of JSON.
    pub fn json<T: Serialize>(self, value: &T) -> io::Result<()> {
        let mut line = serde_json::to_string(value)?;
        line.push('\n');
        self.text(&line)
    }

    /// Prints text that brings its line ends.
    pub fn text(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}
