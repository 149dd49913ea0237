//! First act: somebody guesses the password of extension 1000 until the answers stop, and goes on guessing.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::stage::Stage;
use super::story::Story;
use crate::Family;
use crate::actors::{Guess, Guesser, NonceHabit};
use crate::sip::Transport;

/// Guesses sent after the answers stopped.
const STUBBORN: u64 = 200;

/// Far more than the threshold: an attacker who gets that far was never stopped.
const GUESSES_MAX: u64 = 40;

const PACE: Duration = Duration::from_millis(2);

/// Between the answered guesses, so that people can follow the story.
const READABLE: Duration = Duration::from_millis(200);

/// What the attacker himself knows at the end.
#[derive(Clone, Copy, Debug)]
pub struct AttackerSays {
    /// Guesses he sent.
    pub sent: u64,
    /// Guesses that were refused.
    pub refused: u64,
}

/// Performs the attack.
pub fn perform(stage: &Stage, story: &Story) -> Result<AttackerSays> {
    let bed = &stage.bed;
    let from = bed.attacker.address(Family::V4);
    story.tell("attacker", &format!("{from} guesses the password of extension 1000"));
    let mut guesser =
        Guesser::new(&bed.attacker, from, bed.pbx.sip(Family::V4), Transport::Udp, "1000", NonceHabit::Reuse)?
            .patience(Duration::from_millis(1200));
    let mut refused = 0;
    while refused < GUESSES_MAX {
        let password = format!("{refused:04}");
        match guesser.guess(&password) {
            Guess::Refused(status) => {
                refused += 1;
                story.tell("attacker", &format!("password {password}: {status}, failure {refused}"));
                thread::sleep(READABLE);
            }
            Guess::Silence => break,
            Guess::Found => bail!("the wrong password {password} was accepted"),
        }
    }
    match refused {
        GUESSES_MAX => story.tell("attacker", "is still being answered"),
        _ => story.tell("attacker", &format!("no answer to guess {}", refused + 1)),
    }
    match stage.agent.bans()?.iter().find(|ban| ban.source == from.to_string()) {
        Some(ban) => story.tell(
            "sip-fw",
            &format!("ban of {}, evidence {}, until {}", ban.source, shown(&ban.evidence), shown(&ban.until)),
        ),
        None => story.tell("sip-fw", "knows of no ban"),
    }
    for n in 0..STUBBORN {
        guesser.shout(&format!("{:04}", 1000 + n));
        thread::sleep(PACE);
    }
    story.tell("attacker", &format!("{STUBBORN} more guesses anyway"));
    Ok(AttackerSays { sent: guesser.sent, refused })
}

fn shown(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or("unknown")
}
