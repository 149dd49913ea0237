//! The terminal: taken over, and given back however the view ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::{DefaultTerminal, Frame};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// The terminal while it is ours: keys come one by one, on a screen of its own. Dropping it gives it back; a panic does, too.
pub struct Screen {
    terminal: DefaultTerminal,
    ended: Arc<AtomicBool>,
}

impl Screen {
    /// Takes it over.
    ///
    /// # Errors
    ///
    /// If it is none, or there can be no signal handlers.
    pub fn open() -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        Ok(Self { terminal: ratatui::try_init()?, ended })
    }

    /// Whether a signal asked for the end.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Draws what changed.
    ///
    /// # Errors
    ///
    /// If the terminal does not take it.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.terminal.show_cursor();
        // One that hung up has nothing to be given back.
        let _ = ratatui::try_restore();
    }
}
