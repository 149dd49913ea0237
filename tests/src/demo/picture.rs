//! The picture of `sip-fw top` in the README: a real screen, drawn while several people guess passwords.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::stage::Stage;
use super::story::Story;
use crate::Family;
use crate::actors::{Client, Guess, Guesser, NonceHabit};
use crate::screen::Screen;
use crate::sip::Transport;

const COLUMNS: u16 = 110;
const ROWS: u16 = 30;

/// Who guesses whose password.
const USERS: [&str; 6] = ["1000", "admin", "2001", "sales", "100", "test"];
/// Guesses that every second one of them sends after his ban.
const STUBBORN: u32 = 150;
const PACE: Duration = Duration::from_millis(15);
const GUESSES_MAX: u32 = 40;
/// Users that the last one asks for.
const USERS_MAX: u32 = 2000;

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
    // Four of them are neighbours, so that their network is banned, too.
    screen.wait_for("7 bans: step 1: 7")?;
    ask_for_everybody(stage, story, &screen)?;
    screen.wait_until("all of it", |text| ["shunned", "test"].iter().all(|part| text.contains(part)))?;
    fs::write(file, screen.svg("A screen of sip-fw top during an attack"))
        .with_context(|| format!("write {}", file.display()))?;
    screen.press("q")?;
    ensure!(screen.wait_for_end()?.success(), "sip-fw top failed");
    story.tell("picture", &format!("{} is drawn", file.display()));
    Ok(())
}

/// Asks for one user after the other without a password, until that is called an enumeration.
fn ask_for_everybody(stage: &Stage, story: &Story, screen: &Screen) -> Result<()> {
    let bed = &stage.bed;
    let from = bed.spoofer.nth(Family::V4, 200);
    story.tell("attacker", &format!("{from} asks for one user after the other"));
    let mut client = Client::dial(&bed.spoofer, from, bed.pbx.sip(Family::V4), Transport::Udp)?;
    for user in 100..100 + USERS_MAX {
        if screen.text().contains("enumeration") {
            return Ok(());
        }
        client.send(&client.request("REGISTER", &user.to_string()).bytes());
        thread::sleep(PACE);
    }
    bail!("nobody called it an enumeration:\n{}", screen.text())
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
    let stubborn = if n.is_multiple_of(2) { 0 } else { STUBBORN };
    for password in 0..stubborn {
        guesser.shout(&format!("{password:06}"));
        thread::sleep(PACE);
    }
    Ok(())
}
