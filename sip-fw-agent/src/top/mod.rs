//! The live view on a terminal: attacks, sources, bans and events as they are, and what an operator does about them.
//!
//! [`picture`] is what is known of the agent, [`view`] what the operator looks at, [`keys`] what changes that, and [`draw`]
//! how both look: none of them knows a terminal, a socket or a clock. [`poll`] asks the agent from threads of its own.

pub mod draw;
pub mod entry;
pub mod keys;
pub mod picture;
pub mod poll;
pub mod rates;
#[cfg(test)]
mod samples;
mod terminal;
pub mod theme;
pub mod view;

use std::io;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::clock;
use crate::config::Paths;
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::exit_code::ExitCode;
use draw::Scene;
use picture::Picture;
use poll::Poll;
use terminal::Screen;
use theme::Theme;
use view::{View, Wish};

/// How long the keys are waited for before the agent is heard.
const HEAR_EVERY: Duration = Duration::from_millis(100);
/// How often ages and deadlines are drawn anew.
const DRAW_EVERY: Duration = Duration::from_secs(1);

/// Shows it until the operator or a signal ends it.
///
/// # Errors
///
/// If no agent answers, or the terminal does not.
pub fn run(paths: &Paths) -> Result<(), Failure> {
    let no_agent = || {
        let message = format!("no agent answers at {}; start it with: sip-fw run", paths.socket.display());
        Failure::new(ExitCode::NoAgent, message)
    };
    ask(paths, &Request::Status)?.ok_or_else(no_agent)?;
    show(paths).map_err(|error| Failure::new(ExitCode::Failed, format!("the terminal: {error}")))
}

fn show(paths: &Paths) -> io::Result<()> {
    let poll = poll::start(paths)?;
    let mut screen = Screen::open()?;
    let shown = keep_showing(&mut screen, &poll);
    // A terminal that hung up takes no more drawing, and nobody is there to be told.
    if screen.is_ended() { Ok(()) } else { shown }
}

fn keep_showing(screen: &mut Screen, poll: &Poll) -> io::Result<()> {
    let theme = Theme::from_environment(|name| std::env::var(name).ok());
    let (mut picture, mut view) = (Picture::default(), View::default());
    let mut drawn: Option<Instant> = None;
    while !screen.is_ended() {
        if hear(&mut picture, &mut view, poll)? || drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY) {
            let scene = Scene { view: &view, live: &picture, theme, now: clock::wall() };
            screen.draw(|frame| draw::draw(frame, scene))?;
            drawn = Some(Instant::now());
        }
        if !event::poll(HEAR_EVERY)? {
            continue;
        }
        drawn = None;
        let Event::Key(key) = event::read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match keys::press(&mut view, &picture, key) {
            Some(Wish::End) => return Ok(()),
            Some(wish) => poll.wishes.send(wish).map_err(io::Error::other)?,
            None => {}
        }
    }
    Ok(())
}

/// Takes what the agent said; true if it said anything.
fn hear(picture: &mut Picture, view: &mut View, poll: &Poll) -> io::Result<bool> {
    let mut heard = false;
    for _ in 0..poll::NEWS_MAX {
        match poll.news.try_recv() {
            Ok(news) => {
                heard = true;
                if let Some(news) = picture.take(news, clock::wall()) {
                    view.hear(news);
                }
            }
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return Err(io::Error::other("the threads that ask the agent ended")),
        }
    }
    Ok(heard)
}
