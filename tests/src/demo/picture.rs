//! The picture of `sip-fw top` in the README: a real screen, drawn while several people guess passwords.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::stage::Stage;
use super::story::Story;
use crate::Family;
use crate::actors::{Guess, Guesser, NonceHabit};
use crate::screen::Screen;
use crate::sip::Transport;

const COLUMNS: u16 = 110;
const ROWS: u16 = 30;

/// Who guesses whose password.
const USERS: [&str; 7] = ["1000", "admin", "2001", "sales", "100", "test", "4711"];
/// Guesses that every second one of them sends after his ban.
const STUBBORN: u32 = 150;
const PACE: Duration = Duration::from_millis(15);
const GUESSES_MAX: u32 = 40;

/// Draws it.
pub fn draw(stage: &Stage, story: &Story, file: &Path) -> Result<()> {
    let mut command = Command::new(stage.agent.binary());
    command.arg("--config").arg(stage.agent.config()).arg("top").env_remove("NO_COLOR");
    let mut screen = Screen::start(command, COLUMNS, ROWS)?;
    screen.wait_for("latest events")?;
    for (n, user) in (1..).zip(USERS) {
        let family = if n % 3 == 0 { Family::V6 } else { Family::V4 };
        guess(stage, story, family, n, user)?;
        screen.wait_for(&stage.bed.attacker.nth(Family::V4, 1).to_string())?;
    }
    screen.wait_for("7 bans: step 1: 7")?;
    screen.wait_for("test")?;
    fs::write(file, screen.svg("A screen of sip-fw top during an attack"))
        .with_context(|| format!("write {}", file.display()))?;
    screen.press("q")?;
    ensure!(screen.wait_for_end()?.success(), "sip-fw top failed");
    story.tell("picture", &format!("{} is drawn", file.display()));
    Ok(())
}

fn guess(stage: &Stage, story: &Story, family: Family, n: u16, user: &str) -> Result<()> {
    let bed = &stage.bed;
    // In IPv6 all of them are in one /64: one source. The spoofer's network has another one.
    let host = if family == Family::V6 && n > 3 { &bed.spoofer } else { &bed.attacker };
    let from = host.nth(family, n);
    story.tell("attacker", &format!("{from} guesses the password of {user}"));
    let mut guesser = Guesser::new(host, from, bed.pbx.sip(family), Transport::Udp, user, NonceHabit::Reuse)?
        .patience(Duration::from_millis(1200));
    for password in 0..GUESSES_MAX {
        if guesser.guess(&format!("{password:04}")) == Guess::Silence {
            break;
        }
        thread::sleep(PACE);
    }
    for password in 0..if n % 2 == 0 { 0 } else { STUBBORN } {
        guesser.shout(&format!("{password:06}"));
        thread::sleep(PACE);
    }
    Ok(())
}
