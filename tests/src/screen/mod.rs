//! A terminal without a window: a pseudo terminal with a program on it, what its screen shows, and keys for the program.

mod svg;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use vt100::{Color, Parser};

use crate::wait::{PATIENCE, wait_for};

/// A program on a terminal of its own; killed and reaped when it is dropped.
pub struct Screen {
    child: Child,
    keys: File,
    /// The program's end: while it is open, what was written last can still be read.
    terminal: OwnedFd,
    parser: Arc<Mutex<Parser>>,
}

impl Screen {
    /// Starts a program on a terminal of this size.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).context("openpty")?;
        let end = || -> Result<Stdio> { Ok(Stdio::from(slave.try_clone()?)) };
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8");
        let child = command.stdin(end()?).stdout(end()?).stderr(end()?).spawn().context("start on a terminal")?;
        drop(command);
        let keys = File::from(master);
        let mut written = keys.try_clone()?;
        let parser = Arc::new(Mutex::new(Parser::new(rows.try_into()?, columns.try_into()?, 0)));
        let screen = Arc::clone(&parser);
        // It ends with the last descriptor of the other end.
        thread::spawn(move || {
            let mut buffer = [0; 1 << 12];
            while let Ok(length @ 1..) = written.read(&mut buffer) {
                lock(&screen).process(&buffer[..length]);
            }
        });
        Ok(Self { child, keys, terminal: slave, parser })
    }

    /// What it shows, line by line.
    pub fn text(&self) -> String {
        lock(&self.parser).screen().contents()
    }

    /// Waits until it shows `text`; the error tells what it shows instead.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        self.wait_until(text, |shown| shown.contains(text))
    }

    /// Waits until what it shows is as it should be.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Result<()> {
        wait_for(&format!("{what:?} on the screen"), PATIENCE, || is_so(&self.text())).with_context(|| self.text())
    }

    /// Types.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("type")
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().try_into()?), signal)?)
    }

    /// Waits for the end of the program.
    pub fn wait_for_end(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        wait_for("the end of the program", PATIENCE, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        })
        .with_context(|| self.text())?;
        status.context("no exit status")
    }

    /// If the terminal is as programs find it: one screen, a cursor, lines that are echoed.
    pub fn is_as_before(&self) -> Result<bool> {
        let modes = tcgetattr(&self.terminal)?.local_flags;
        let cooked = modes.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        let parser = lock(&self.parser);
        Ok(cooked && !parser.screen().alternate_screen() && !parser.screen().hide_cursor())
    }

    /// If anything is drawn in a colour.
    pub fn has_colour(&self) -> bool {
        let parser = lock(&self.parser);
        let (rows, columns) = parser.screen().size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells
            .filter_map(|(row, column)| parser.screen().cell(row, column))
            .any(|cell| cell.fgcolor() != Color::Default || cell.bgcolor() != Color::Default)
    }

    /// What it shows, as a picture.
    pub fn svg(&self, label: &str) -> String {
        svg::picture(lock(&self.parser).screen(), label)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock(parser: &Mutex<Parser>) -> std::sync::MutexGuard<'_, Parser> {
    parser.lock().unwrap_or_else(PoisonError::into_inner)
}
